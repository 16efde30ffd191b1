/* Prints every interval and every server period, so that tests can hold them against the oracle's and the ledger's:
 *     interval,domid,vcpu,ts,dur,state,pcpu,open
 *     period,domid,vcpu,release,deadline,budget_ns,judged,missed,run_ns,overload_ns,inversion_ns,latency_ns,unknown_ns
 * each VCPU's in the order of its time. Checks on its way that they tile the run. */
#include <stdio.h>
#include <stdlib.h>

#include "parse/recording.h"
#include "tests/parse/timelines.h"

static void print_piece(void *user, const struct timeline_piece *piece)
{
    FILE *out = user;

    fprintf(out, "interval,%u,%u,%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT ",%s,", piece->vcpu->domid, piece->vcpu->vcpu,
           piece->ts, piece->end_ts - piece->ts, xt_state_name(piece->state));
    if (piece->pcpu != XT_NO_PCPU)
        fprintf(out, "%d", piece->pcpu);
    fprintf(out, ",%s\n", piece->open ? "open" : "");
}

static bool print_period(void *self, const struct xt_period *p, GError **error)
{
    FILE *out = self;

    fprintf(out, "period,%u,%u,%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT ",%d,%d,%" G_GINT64_FORMAT,
           p->vcpu->domid, p->vcpu->vcpu, p->release, p->deadline, p->budget_ns, p->judged, p->missed,
           p->supplied_ns + p->extratime_ns);
    for (unsigned i = 0; i < XT_N_BLAMES; i++)
        fprintf(out, ",%" G_GINT64_FORMAT, p->blame_ns[i]);
    fprintf(out, "\n");
    return true;
}

/* What there is to print, if all went well; *again as xt_reconstruct_again(). */
static char *print_once(struct xt_trace *trace, const struct xt_recording *recording,
                        const struct xt_reconstruct_options *options, bool *again, GError **error)
{
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    struct timelines *timelines = timelines_new(print_piece, out);
    const struct xt_sink periods = { .self = out, .blame = true, .period = print_period };
    const struct xt_sink *sinks[] = { timelines_sink(timelines), &periods };
    bool ok = xt_reconstruct(trace, recording, options, sinks, G_N_ELEMENTS(sinks), NULL, error);

    *again = !ok && xt_reconstruct_again(error);
    timelines_free(timelines);
    fclose(out);
    if (!ok)
        g_clear_pointer(&text, free);
    return text;
}

static bool replay(const char *path, const struct xt_reconstruct_options *options, GError **error)
{
    struct xt_recording *recording = xt_recording_open(path, error);
    struct xt_trace *trace = recording ? xt_trace_open(recording->trace_path, NULL, error) : NULL;
    char *text = NULL;
    bool again = trace != NULL;

    while (again)
        text = print_once(trace, recording, options, &again, error);
    bool ok = text != NULL;
    if (ok)
        fputs(text, stdout);
    free(text);
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
