#include "synth.h"

#include <math.h>

static bool before(const struct sy_timer *a, const struct sy_timer *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void put(struct sy_heap *h, unsigned i, struct sy_timer *t)
{
    h->slot[i] = t;
    t->place = i;
}

static void sift_up(struct sy_heap *h, unsigned i, struct sy_timer *t)
{
    while (i > 1 && before(t, h->slot[i / 2])) {
        put(h, i, h->slot[i / 2]);
        i /= 2;
    }
    put(h, i, t);
}

static void sift_down(struct sy_heap *h, unsigned i, struct sy_timer *t)
{
    for (;;) {
        unsigned child = 2 * i;
        if (child > h->n)
            break;
        if (child < h->n && before(h->slot[child + 1], h->slot[child]))
            child++;
        if (!before(h->slot[child], t))
            break;
        put(h, i, h->slot[child]);
        i = child;
    }
    put(h, i, t);
}

void sy_timer_init(struct sy_timer *t, void (*fn)(struct sy_sim *, void *, uint64_t), void *arg)
{
    *t = (struct sy_timer){.fn = fn, .arg = arg};
}

void sy_timer_stop(struct sy_sim *sim, struct sy_timer *t)
{
    struct sy_heap *h = &sim->heap;
    unsigned i = t->place;

    if (!i)
        return;
    t->place = 0;
    struct sy_timer *last = h->slot[h->n--];
    if (last == t)
        return;
    if (i > 1 && before(last, h->slot[i / 2]))
        sift_up(h, i, last);
    else
        sift_down(h, i, last);
}

void sy_timer_set(struct sy_sim *sim, struct sy_timer *t, uint64_t at)
{
    struct sy_heap *h = &sim->heap;

    sy_timer_stop(sim, t);
    if (h->n + 2 > h->room) {
        h->room = h->room ? 2 * h->room : 1024;
        h->slot = g_renew(struct sy_timer *, h->slot, h->room);
    }
    t->at = at;
    t->seq = h->seq++;
    sift_up(h, ++h->n, t);
}

bool sy_timer_run_next(struct sy_sim *sim)
{
    struct sy_heap *h = &sim->heap;

    if (!h->n)
        return false;
    struct sy_timer *t = h->slot[1];
    sy_timer_stop(sim, t);
    t->fn(sim, t->arg, t->at);
    return true;
}

uint64_t sy_timer_next(const struct sy_sim *sim)
{
    return sim->heap.n ? sim->heap.slot[1]->at : 0;
}

double sy_rng_exp(struct sy_rng *r, double mean)
{
    return -mean * log1p(-sy_rng_unit(r));
}
