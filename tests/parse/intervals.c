/* Prints every interval and every server period, so that tests can hold them against the oracle's and the ledger's:
 *     interval,domid,vcpu,ts,dur,state,pcpu,open
 *     period,domid,vcpu,release,deadline,budget_ns,judged,missed,run_ns
 * each VCPU's in the order of its time. Checks on its way that they tile the run. */
#include <stdio.h>

#include "parse/recording.h"
#include "tests/parse/timelines.h"

static void print_piece(void *user, const struct timeline_piece *piece)
{
    printf("interval,%u,%u,%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT ",%s,", piece->vcpu->domid, piece->vcpu->vcpu,
           piece->ts, piece->end_ts - piece->ts, xt_state_name(piece->state));
    if (piece->pcpu != XT_NO_PCPU)
        printf("%d", piece->pcpu);
    printf(",%s\n", piece->open ? "open" : "");
}

static bool print_period(void *self, const struct xt_period *p, GError **error)
{
    printf("period,%u,%u,%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT ",%d,%d,%" G_GINT64_FORMAT "\n",
           p->vcpu->domid, p->vcpu->vcpu, p->release, p->deadline, p->budget_ns, p->judged, p->missed,
           p->supplied_ns + p->extratime_ns);
    return true;
}

static bool replay(const char *path, const struct xt_reconstruct_options *options, GError **error)
{
    struct xt_recording *recording = xt_recording_open(path, error);
    struct xt_trace *trace = recording ? xt_trace_open(recording->trace_path, NULL, error) : NULL;
    struct timelines *timelines = timelines_new(print_piece, NULL);
    const struct xt_sink periods = { .period = print_period };
    const struct xt_sink *sinks[] = { timelines_sink(timelines), &periods };
    bool ok = trace && xt_reconstruct(trace, recording, options, sinks, G_N_ELEMENTS(sinks), NULL, error);

    timelines_free(timelines);
    xt_trace_free(trace);
    if (recording)
        xt_recording_free(recording);
    return ok;
}

int main(int argc, char **argv)
{
    GError *error = NULL;

    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: %s RECORDING|TRACE HZ [TOLERANCE-NS]\n", argv[0]);
        return 2;
    }
    struct xt_reconstruct_options options = {
        .tsc_hz = g_ascii_strtoll(argv[2], NULL, 10),
        .tolerance_ns = argc == 4 ? g_ascii_strtoll(argv[3], NULL, 10) : XT_DEFAULT_TOLERANCE_NS,
    };
    if (replay(argv[1], &options, &error))
        return 0;
    int status = error->code;
    fprintf(stderr, "%s\n", error->message);
    g_error_free(error);
    return status;
}
