/* Xen's trace ring of one pCPU: records in, with wrap and lost-records as trace.c makes them, and bytes out.
 */
#ifndef SYNTH_RING_H
#define SYNTH_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct sy_ring {
    uint8_t *data;             /* owned */
    uint32_t size, prod, cons; /* prod and cons run in [0, 2 * size) */
    uint32_t lost;
    uint64_t lost_first_tsc;
    bool drop; /* a fault: pretend to be full */
    uint64_t records, lost_total, lost_records;
    uint64_t last_tsc;
};

struct sy_ring *sy_ring_new(unsigned pages);
void sy_ring_free(struct sy_ring *r);

enum sy_put { SY_PUT_OK = 1, SY_PUT_AFTER_LOSS = 2 };

/* Writes one record, or counts it as lost. vd is the VCPU current on the pCPU, as
 * vcpu << 16 | domain. Returns 0 if lost, else SY_PUT_OK, with SY_PUT_AFTER_LOSS when a lost-records record
 * went before it; that one has the TSC `lost_tsc`. */
unsigned sy_ring_put(struct sy_ring *r, uint32_t event, bool with_tsc, uint64_t tsc, unsigned n,
                     const uint32_t *words, uint32_t vd, uint64_t lost_tsc);

static inline uint32_t sy_ring_unread(const struct sy_ring *r)
{
    int64_t x = (int64_t)r->prod - (int64_t)r->cons;
    return (uint32_t)(x < 0 ? x + 2 * (int64_t)r->size : x);
}

/* Appends what is unread to `out` as one xentrace window; bytes written, 0 if there was nothing, -1 on error.
 */
int64_t sy_ring_drain(struct sy_ring *r, unsigned pcpu, FILE *out);

#endif
