/* One-shot timers in a binary heap; a timer is part of its owner and knows its place, so it can be moved or
 * stopped. Equal times fire in the order in which they were set. */
#ifndef SYNTH_TIMER_H
#define SYNTH_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct sy_sim;

struct sy_timer {
    uint64_t at, seq; /* cycles */
    unsigned place;   /* 1-based index in the heap, 0 = not set */
    void (*fn)(struct sy_sim *sim, void *arg, uint64_t at);
    void *arg;
};

struct sy_heap {
    struct sy_timer **slot; /* owned; the timers are not */
    unsigned n, room;
    uint64_t seq;
};

void sy_timer_init(struct sy_timer *t, void (*fn)(struct sy_sim *, void *, uint64_t), void *arg);
void sy_timer_set(struct sy_sim *sim, struct sy_timer *t, uint64_t at);
void sy_timer_stop(struct sy_sim *sim, struct sy_timer *t);
/* Takes the earliest timer out and runs it; false if none is set. */
bool sy_timer_run_next(struct sy_sim *sim);

/* When the earliest timer fires; 0 if there is none. */
uint64_t sy_timer_next(const struct sy_sim *sim);

static inline bool sy_timer_pending(const struct sy_timer *t)
{
    return t->place != 0;
}

#endif
