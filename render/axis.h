/* Where ticks stand and what they say. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct xt_tick {
    double at;      /* in the axis's own value (ns for time) */
    char label[24]; /* empty for a minor tick */
};

struct xt_ticks {
    struct xt_tick tick[96];
    unsigned n;
    double step;   /* between labelled ticks of a linear axis */
    char unit[96]; /* what the numbers are: "ms", or "ms after 12.345 s" */
};

/* Time axis over [from, to] ns with room for at most max_labels labels: steps of 1, 2 or 5 times a power of
 * ten, unit s, ms, µs or ns. Where labels would need many digits they count from a stated instant. */
void xt_ticks_time(struct xt_ticks *ticks, int64_t from, int64_t to, unsigned max_labels);

/* Durations in ns from lo to hi: linear, or logarithmic (lo > 0) with a label at each decade and minor ticks
 * between. */
void xt_ticks_duration(struct xt_ticks *ticks, double lo, double hi, bool logarithmic, unsigned max_labels);

/* Plain numbers; suffix (e.g. "%") is put behind each. */
void xt_ticks_number(struct xt_ticks *ticks, double lo, double hi, unsigned max_labels, const char *suffix);

/* A duration as people write it: "950 ns", "12.5 µs", "4 ms", "1.25 s", to `digits` significant ones. Returns
 * buffer. */
char *xt_format_duration(char *buffer, size_t size, double ns, unsigned digits);

/* A count in groups of three, with no-break spaces: "12 345 678". Returns buffer. */
char *xt_format_count(char *buffer, size_t size, uint64_t n);

/* The largest of 1, 2, 5 times a power of ten that is not above value (> 0). */
double xt_nice_below(double value);
