/* A sink that prints every interval, so that tests can hold them against the oracle's: domid,vcpu,ts,dur,state,pcpu,open
 * in the order in which each VCPU lived them. Checks on its way that they tile the run. */
#include <stdio.h>

#include "tests/parse/timelines.h"

static void print_piece(void *user, const struct timeline_piece *piece)
{
    printf("%u,%u,%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT ",%s,", piece->vcpu->domid, piece->vcpu->vcpu, piece->ts,
           piece->end_ts - piece->ts, xt_state_name(piece->state));
    if (piece->pcpu != XT_NO_PCPU)
        printf("%d", piece->pcpu);
    printf(",%s\n", piece->open ? "open" : "");
}

int main(int argc, char **argv)
{
    GError *error = NULL;
    struct xt_reconstruct_options options = { .tolerance_ns = XT_DEFAULT_TOLERANCE_NS };

    if (argc != 3) {
        fprintf(stderr, "usage: %s TRACE HZ\n", argv[0]);
        return 2;
    }
    options.tsc_hz = g_ascii_strtoll(argv[2], NULL, 10);
    struct xt_trace *trace = xt_trace_open(argv[1], NULL, &error);
    struct timelines *timelines = timelines_new(print_piece, NULL);
    const struct xt_sink *sinks[] = { timelines_sink(timelines) };
    bool ok = trace && xt_reconstruct(trace, NULL, &options, sinks, 1, NULL, &error);
    if (!ok)
        fprintf(stderr, "%s\n", error->message);
    timelines_free(timelines);
    xt_trace_free(trace);
    return ok ? 0 : error->code;
}
