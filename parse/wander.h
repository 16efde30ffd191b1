/* A guest's clock that does not keep pace with the host's TSC: NTP slews CLOCK_MONOTONIC, and Xen's system time, which
 * paravirtualised guests read, changes its pace every second on hosts without an invariant TSC, on each pCPU for itself.
 * Followed by the same token as in parse/fit.h: a guest can only execute while its VCPUs run. */
#pragma once

#include "parse/fit.h"

/* At ns of the clock, ts is ns + offset_ns. */
struct xt_wander_knot {
    int64_t ns, offset_ns;
};

/* The clock as it shows on one pCPU. */
struct xt_wander_track {
    int32_t pcpu;  /* -1: on all alike */
    GArray *knots; /* of struct xt_wander_knot, ascending */
};

struct xt_wander {
    GArray *tracks;    /* of struct xt_wander_track */
    double share;      /* of the marks that lie where the domain ran, on the pCPU in question */
    double chance;     /* share of the marks that the same reaches at places where the clock cannot be */
    int64_t error_ns;  /* 19 of 20 knots can be moved by no more than this before a mark is lost */
};

/* Follows the clock from mark to mark, starting out from offset_ns, as far as XT_WANDER_REACH_NS away: first as one clock,
 * then as one for each pCPU. The path with most marks in running intervals counts, less a price for every change. So pliable
 * a thing fits much; therefore the same is done at places where the clock cannot be (some, and elsewhere_ns, 0: none), and
 * what fits there tells what chance achieves. marks: of struct xt_fit_mark, ascending. NULL: nothing stands out from
 * chance. Free with xt_wander_free. */
#define XT_WANDER_REACH_NS 5000000
struct xt_wander *xt_wander_follow(const GArray *marks, const struct xt_supply *supply, uint16_t domid, int64_t offset_ns,
                                   int64_t elsewhere_ns);
void xt_wander_free(struct xt_wander *wander);

/* The offset of a track at ns: between two knots on the line through them, before the first and behind the last as
 * there. */
int64_t xt_wander_at(const struct xt_wander *wander, guint track, int64_t ns);

/* The track that lets most of these marks, which belong together, lie where the domain ran; *ambiguous_ns is how far the
 * offset of another one is that does so as well, 0: there is none. */
guint xt_wander_choose(const struct xt_wander *wander, const struct xt_fit_mark *marks, unsigned n_marks,
                       const struct xt_supply *supply, uint16_t domid, int64_t *ambiguous_ns);
