/* What the replenishments of a whole trace tell before it is replayed: each server's period and budget, and how Xen's
 * system time (in which deadlines are written) lies over the TSC. */
#pragma once

#include "parse/clock.h"
#include "parse/vcpu-map.h"

/* From from_deadline on, a VCPU was this server. */
struct xt_reservation {
    int64_t from_deadline; /* system time */
    int64_t period_ns;     /* 0: cannot be told */
    int64_t budget_ns;
    bool uncertain;        /* neither the snapshot nor a recurring distance of deadlines says so */
    bool contradicted;     /* the host snapshot says otherwise: parameters changed */
};

static inline bool xt_reservation_is_sure(const struct xt_reservation *r)
{
    return r->period_ns > 0 && !r->uncertain && !r->contradicted;
}

struct xt_learned {
    struct vcpu_map servers; /* of GArray of struct xt_reservation, ascending, at least one */
    bool have_offset;        /* system time could be mapped: run.now_offset_ns */
};

/* Reads survey->replenishments; fills in run's now_* and those of its pCPUs. */
bool xt_learn(struct xt_learned *learned, struct xt_run *run, const struct xt_survey *survey,
              const struct xt_clock *clock, const struct xt_recording *recording, GError **error);
void xt_learned_clear(struct xt_learned *learned);

/* What a VCPU (domain << 16 | vcpu) was; NULL if it has no replenishments. */
static inline const GArray *xt_learned_of(const struct xt_learned *learned, uint32_t domid_vcpu)
{
    return vcpu_map_find(&learned->servers, domid_vcpu);
}

/* The one of these that held when a VCPU got this deadline. */
const struct xt_reservation *xt_reservation_at(const GArray *reservations, int64_t deadline);
/* Their longest period. */
int64_t xt_reservations_longest(const GArray *reservations);
