/* libFuzzer: any bytes as a trace. Whatever they are, reconstruction must keep the promises of parse/sink.h (timelines.c
 * aborts where it does not), or refuse them with a message. Its first byte chooses options, the rest is the file. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "parse/error.h"
#include "parse/stats.h"
#include "parse/survey.h"
#include "tests/parse/timelines.h"

#define MAX_BYTES (1u << 20)

static void check_error(GError *error)
{
    if (!error || error->domain != XT_ERROR || !*error->message)
        abort();
    g_error_free(error);
}

/* The totals of each VCPU fill the run. */
static void check_totals(const struct xt_stats *stats, int64_t duration_ns)
{
    for (uint32_t i = 0; i < xt_stats_n_vcpus(stats); i++) {
        const struct xt_vcpu_stats *v = xt_stats_vcpu(stats, i);
        int64_t sum = 0;
        for (int s = 0; s < XT_NO_STATE; s++)
            sum += v->state_ns[s];
        if (v->changes && sum != duration_ns)
            abort();
    }
    for (int m = 0; m < XT_N_METRICS; m++) {
        const struct xt_distribution *d = xt_stats_metric(stats, (enum xt_metric)m);
        if (xt_distribution_n(d) && xt_distribution_quantile(d, 1) != xt_distribution_max(d))
            abort();
    }
}

struct duration {
    struct xt_sink sink;
    int64_t ns;
};

static bool note_duration(void *self, const struct xt_run *run, GError **error)
{
    ((struct duration *)self)->ns = run->duration_ns;
    return true;
}

/* Returns whether it is to be done again. */
static bool reconstruct(struct xt_trace *trace, int64_t tsc_hz)
{
    GError *error = NULL;
    struct xt_reconstruct_options options = { .tsc_hz = tsc_hz, .tolerance_ns = XT_DEFAULT_TOLERANCE_NS };
    struct timelines *timelines = timelines_new(NULL, NULL);
    struct xt_stats *stats = xt_stats_new();
    struct duration duration = { .sink = { .self = &duration, .begin = note_duration } };
    const struct xt_sink *sinks[] = { &duration.sink, timelines_sink(timelines), xt_stats_sink(stats) };
    bool ok = xt_reconstruct(trace, NULL, &options, sinks, G_N_ELEMENTS(sinks), NULL, &error);
    bool again = !ok && xt_reconstruct_again(&error);

    if (ok)
        check_totals(stats, duration.ns);
    else if (!again)
        check_error(error);
    xt_stats_free(stats);
    timelines_free(timelines);
    return again;
}

/* Merged, each pCPU alone, and from the middle on. */
static void read_records(struct xt_trace *trace)
{
    const struct xt_survey *survey = xt_trace_survey(trace);
    struct xt_record record;
    uint64_t merged = 0, apart = 0;

    while (xt_trace_next(trace, &record, NULL))
        merged++;
    for (uint32_t slot = 0; slot < survey->n_pcpus; slot++) {
        xt_trace_select(trace, (int)slot);
        while (xt_trace_next(trace, &record, NULL))
            apart++;
    }
    xt_trace_select(trace, -1);
    if (merged != apart || merged != survey->records)
        abort();
    uint64_t middle = survey->first_tsc + (survey->last_tsc - survey->first_tsc) / 2;
    if (!xt_trace_seek(trace, middle, NULL))
        abort();
    while (xt_trace_next_or_gap(trace, &record, NULL))
        ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    GError *error = NULL;
    char path[64];

    if (size < 1 || size > MAX_BYTES)
        return 0;
    int fd = memfd_create("trace", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)(size - 1))
        abort();
    g_snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct xt_trace_options options = { .salvage = data[0] & 1 };
    struct xt_trace *trace = xt_trace_open(path, &options, &error);
    if (trace) {
        read_records(trace);
        if (reconstruct(trace, data[0] & 2 ? 1000000000 : 0) && reconstruct(trace, data[0] & 2 ? 1000000000 : 0))
            abort(); /* once is enough */
        xt_trace_free(trace);
    } else {
        check_error(error);
    }
    close(fd);
    return 0;
}
