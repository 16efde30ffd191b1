#include "parse/clock.h"

#include <math.h>
#include <string.h>

#include "parse/error.h"

/* `xl info` prints kHz of a frequency that Xen calibrated at boot; that is worth this much. */
#define XL_INFO_ERROR_PPM 5.0

void xt_clock_init(struct xt_clock *clock, uint64_t start_tsc, uint64_t hz)
{
    unsigned shift = 63;

    while ((((unsigned __int128)1000000000u << shift) / hz) >> 64)
        shift--;
    clock->start_tsc = start_tsc;
    clock->hz = hz;
    clock->shift = shift;
    clock->multiplier = (uint64_t)(((unsigned __int128)1000000000u << shift) / hz);
}

static enum xt_scheduler most_records(const uint64_t class_records[XT_N_SCHEDULERS])
{
    enum xt_scheduler best = XT_SCHED_UNKNOWN;

    for (int i = XT_SCHED_UNKNOWN + 1; i < XT_SCHED_RTXEN2; i++)
        if (class_records[i] > (best ? class_records[best] : 0))
            best = (enum xt_scheduler)i;
    /* its overhead records come beside those of other schedulers in later forks */
    return best == XT_SCHED_UNKNOWN && class_records[XT_SCHED_RTXEN2] ? XT_SCHED_RTXEN2 : best;
}

/* arinc653 writes no class records, and a mask can hide those of others: then the snapshot tells. */
static enum xt_scheduler snapshot_scheduler(const struct xt_recording *recording)
{
    if (recording && recording->xen_scheduler)
        for (int i = XT_SCHED_UNKNOWN + 1; i < XT_N_SCHEDULERS; i++)
            if (!strcmp(recording->xen_scheduler, xt_scheduler_name((enum xt_scheduler)i)))
                return (enum xt_scheduler)i;
    return XT_SCHED_UNKNOWN;
}

static bool choose_frequency(struct xt_run *run, const struct xt_survey *survey, const struct xt_recording *recording,
                             const struct xt_reconstruct_options *options, const char *name, GError **error)
{
    run->trace_hz = survey->frequency.hz;
    run->trace_hz_error_ppm = survey->frequency.error_ppm;
    run->xl_info_hz = recording ? recording->cpu_mhz * 1e6 : 0;
    if (options && options->tsc_hz > 0) {
        run->tsc_hz = options->tsc_hz;
        run->hz_source = XT_HZ_USER;
    } else if (run->xl_info_hz >= 1 && (run->trace_hz < 1 || run->trace_hz_error_ppm > XL_INFO_ERROR_PPM)) {
        run->tsc_hz = llround(run->xl_info_hz);
        run->hz_source = XT_HZ_XL_INFO;
        run->hz_error_ppm = XL_INFO_ERROR_PPM;
    } else if (run->trace_hz >= 1) {
        run->tsc_hz = llround(run->trace_hz);
        run->hz_source = XT_HZ_TRACE;
        run->hz_error_ppm = run->trace_hz_error_ppm;
    } else {
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "%s: nothing in the trace or beside it tells the TSC frequency (no switch_infprev or burn_budget "
                    "record, no host/xl-info.txt): give it with --tsc-hz",
                    name);
        return false;
    }
    return true;
}

bool xt_run_init(struct xt_run *run, const struct xt_survey *survey, const struct xt_recording *recording,
                 const struct xt_reconstruct_options *options, const char *name, GError **error)
{
    uint64_t class_records[XT_N_SCHEDULERS] = { 0 };
    struct xt_clock clock;

    memset(run, 0, sizeof(*run));
    if (!choose_frequency(run, survey, recording, options, name, error))
        return false;
    run->start_tsc = survey->first_tsc;
    run->end_tsc = survey->last_tsc;
    xt_clock_init(&clock, run->start_tsc, (uint64_t)run->tsc_hz);
    if ((unsigned __int128)(run->end_tsc - run->start_tsc) * 1000000000u / (uint64_t)run->tsc_hz > INT64_MAX / 4) {
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "%s: its time stamps span more than 73 years at %" G_GINT64_FORMAT " Hz: damaged time stamps, or a "
                    "wrong frequency",
                    name, run->tsc_hz);
        return false;
    }
    run->duration_ns = xt_clock_ts(&clock, run->end_tsc);
    run->records = survey->records;
    run->lost_records = survey->lost_records;
    run->lost_windows = survey->lost_windows;
    run->unknown_records = survey->unknown_records;
    run->malformed_records = survey->malformed_records;
    run->tsc_steps_back = survey->steps_back;
    run->contradictions = survey->contradictions;
    run->bytes = survey->bytes;
    run->truncated_bytes = survey->truncated_bytes;
    run->core_scheduling = survey->core_scheduling;
    g_strlcpy(run->generation, survey->generation, sizeof(run->generation));
    run->now_offset_ns = INT64_MIN;
    run->now_reference_pcpu = XT_NO_PCPU;
    run->n_pcpus = survey->n_pcpus;
    struct xt_pcpu *pcpus = g_new0(struct xt_pcpu, survey->n_pcpus + 1);
    for (uint32_t i = 0; i < survey->n_pcpus; i++) {
        const struct xt_pcpu_survey *p = &survey->pcpus[i];
        for (int s = 0; s < XT_N_SCHEDULERS; s++)
            class_records[s] += p->class_records[s];
        pcpus[i] = (struct xt_pcpu){
            .pcpu = p->pcpu,
            .scheduler = most_records(p->class_records),
            .records = p->records,
            .lost_records = p->lost_records,
            .windows = p->windows.n,
            .first_tsc = p->first_tsc,
            .last_tsc = p->last_tsc,
            .tsc_offset = p->tsc_offset.cycles,
            .tsc_offset_min = p->tsc_offset.min,
            .tsc_offset_max = p->tsc_offset.max,
            .hz = p->frequency.hz,
            .hz_error_ppm = p->frequency.error_ppm,
            .now_offset_ns = INT64_MIN,
        };
    }
    for (uint32_t i = 0; i < survey->n_pcpus; i++)
        run->tsc_corrected |= pcpus[i].tsc_offset != 0;
    run->tsc_reference = run->tsc_corrected ? survey->tsc_reference : XT_NO_PCPU;
    run->pcpus = pcpus;
    run->scheduler = most_records(class_records);
    if (run->scheduler == XT_SCHED_UNKNOWN)
        run->scheduler = snapshot_scheduler(recording);
    return true;
}
