/* The command line, checked. */
#ifndef SYNTH_OPTIONS_H
#define SYNTH_OPTIONS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct sy_options {
    char *policy, *server, *xen, *out; /* owned */
    unsigned pcpus, vcpus, vcpus_per_domain, ring_pages, dom0_vcpus, pools, lost, lifecycle, adjust, repin;
    double util, load, races, seconds, poll_ms, hogs, yields, sporadic, extratime, record_cost_ns, audit,
        now_skew_us, now_drift_ppm, mhz_error_ppm;
    double period_min_ms, period_max_ms;
    uint64_t bytes, seed, tsc_hz, start_tsc;
    int64_t now_ns, tolerance_ns;
    bool no_intervals, no_quirks, hostile_names;
    char **faults, **specs; /* owned, may be NULL */
    char *weights, *caps;   /* owned, may be NULL */
};

/* False with a message if the command line is wrong. */
bool sy_options_parse(struct sy_options *o, int *argc, char ***argv, GError **error);
void sy_options_clear(struct sy_options *o);

#endif
