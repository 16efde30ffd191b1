/* Steps of all pCPUs merged in order of time. Each pCPU's are made in batches, one being used while the next is made on
 * another core; whoever uses them makes them himself where nobody else has begun to. */
#include "parse/decision.h"
#include "parse/heap.h"
#include "parse/parallel.h"

#define ALL_STEPS 131072u /* of all pCPUs together */
#define MIN_BATCH 8u
#define MAX_BATCH 1024u /* 64 KiB */
#define MAX_HELPERS 3

enum batch_state { BATCH_QUEUED, BATCH_BEING_MADE, BATCH_READY };

struct lane {
    struct decider decider;
    struct step *steps; /* in use */
    unsigned at, n;
    struct step *next_steps; /* belong to whoever makes them, until BATCH_READY */
    unsigned next_n;
    enum batch_state next_state; /* under the lock */
    GError *error;               /* stands behind next_steps */
};

struct steps {
    struct step_options options;
    struct lane *lanes; /* by slot */
    uint32_t n_lanes;
    unsigned capacity; /* of a batch */
    struct heap merge;
    unsigned run; /* length of the run handed out last */
    bool started;

    GMutex lock;
    GCond queued, ready;
    GQueue queue; /* of struct lane whose next batch is to be made; those not BATCH_QUEUED any more are passed over */
    guint wake_at;        /* length of the queue that is worth waking a helper for */
    unsigned n_idle;      /* helpers that wait for the queue */
    bool waiting;         /* the user waits for a batch */
    bool stop;
    GThread *helpers[MAX_HELPERS];
    unsigned n_helpers;
};

static void make_batch(struct steps *s, struct lane *lane)
{
    lane->next_n = decider_fill(&lane->decider, lane->next_steps, s->capacity, &lane->error);
}

static gpointer help(gpointer data)
{
    struct steps *s = data;

    g_mutex_lock(&s->lock);
    while (!s->stop) {
        struct lane *lane = g_queue_pop_head(&s->queue);
        if (!lane) {
            s->n_idle++;
            g_cond_wait(&s->queued, &s->lock);
            s->n_idle--;
            continue;
        }
        if (lane->next_state != BATCH_QUEUED)
            continue;
        lane->next_state = BATCH_BEING_MADE;
        g_mutex_unlock(&s->lock);
        make_batch(s, lane);
        g_mutex_lock(&s->lock);
        lane->next_state = BATCH_READY;
        if (s->waiting)
            g_cond_signal(&s->ready);
    }
    g_mutex_unlock(&s->lock);
    return NULL;
}

/* Called and returns with the lock held. */
static void wait_for_batch(struct steps *s, struct lane *lane)
{
    if (lane->next_state == BATCH_QUEUED) {
        lane->next_state = BATCH_BEING_MADE;
        g_mutex_unlock(&s->lock);
        make_batch(s, lane);
        g_mutex_lock(&s->lock);
        lane->next_state = BATCH_READY;
    }
    s->waiting = true;
    while (lane->next_state != BATCH_READY)
        g_cond_wait(&s->ready, &s->lock);
    s->waiting = false;
}

/* The steps in use are used up: takes the next batch and has another one made. False at the end of this pCPU, or with
 * error. */
static bool next_batch(struct steps *s, struct lane *lane, GError **error)
{
    struct step *used = lane->steps;

    g_mutex_lock(&s->lock);
    wait_for_batch(s, lane);
    if (lane->next_n == 0) {
        g_mutex_unlock(&s->lock);
        if (lane->error)
            g_propagate_error(error, g_steal_pointer(&lane->error));
        return false;
    }
    lane->steps = lane->next_steps;
    lane->n = lane->next_n;
    lane->at = 0;
    lane->next_steps = used;
    lane->next_n = 0;
    if (!lane->error) { /* else it is told when these steps are used up */
        lane->next_state = BATCH_QUEUED;
        if (s->n_helpers) {
            g_queue_push_tail(&s->queue, lane);
            if (s->n_idle && s->queue.length >= s->wake_at)
                g_cond_signal(&s->queued);
        }
    }
    g_mutex_unlock(&s->lock);
    return true;
}

static bool start(struct steps *s, GError **error)
{
    GError *failed = NULL;

    s->started = true;
    for (uint32_t i = 0; i < s->n_lanes; i++) {
        if (next_batch(s, &s->lanes[i], &failed))
            heap_add(&s->merge, s->lanes[i].steps[0].tsc, i);
        if (failed) {
            g_propagate_error(error, failed);
            return false;
        }
    }
    heap_order(&s->merge);
    return true;
}

/* Passes over the run handed out last. */
static bool advance(struct steps *s, GError **error)
{
    struct lane *lane = &s->lanes[s->merge.keys[0].who];
    GError *failed = NULL;

    lane->at += s->run;
    if (lane->at < lane->n || next_batch(s, lane, &failed))
        heap_replace(&s->merge, lane->steps[lane->at].tsc);
    else if (!failed)
        heap_remove(&s->merge);
    if (failed)
        g_propagate_error(error, failed);
    return !failed;
}

/* How many steps at hand of the earliest pCPU come before those of all others. */
static unsigned run_length(const struct steps *s, const struct lane *lane)
{
    const struct heap_key *keys = s->merge.keys;
    struct heap_key other = { UINT64_MAX, UINT32_MAX }, key = keys[0];
    unsigned n = 0;

    for (uint32_t i = 1; i < MIN(s->merge.n, 3); i++) /* the second is a child of the first */
        if (heap_is_before(&keys[i], &other))
            other = keys[i];
    do {
        n++;
        key.at = lane->at + n < lane->n ? lane->steps[lane->at + n].tsc : 0;
    } while (lane->at + n < lane->n && heap_is_before(&key, &other));
    return n;
}

const struct step *steps_next(struct steps *s, unsigned *n, uint32_t *slot, GError **error)
{
    if (!(s->started ? advance(s, error) : start(s, error)) || s->merge.n == 0)
        return NULL;
    *slot = s->merge.keys[0].who;
    const struct lane *lane = &s->lanes[*slot];
    *n = s->run = run_length(s, lane);
    return &lane->steps[lane->at];
}

struct steps *steps_new(const struct xt_trace *trace, const struct step_options *options)
{
    struct steps *s = g_new0(struct steps, 1);
    uint32_t n = xt_trace_survey(trace)->n_pcpus;

    s->options = *options;
    s->n_lanes = n;
    s->wake_at = 1 + n / 4;
    s->capacity = CLAMP(ALL_STEPS / 2 / MAX(n, 1), MIN_BATCH, MAX_BATCH);
    s->lanes = g_new0(struct lane, n + 1);
    g_mutex_init(&s->lock);
    g_cond_init(&s->queued);
    g_cond_init(&s->ready);
    g_queue_init(&s->queue);
    for (uint32_t i = 0; i < n; i++) {
        struct lane *lane = &s->lanes[i];
        decider_init(&lane->decider, trace, &s->options, i, xt_cursor_capacity(n));
        lane->steps = g_new(struct step, s->capacity);
        lane->next_steps = g_new(struct step, s->capacity);
        g_queue_push_tail(&s->queue, lane);
    }
    s->n_helpers = xt_parallel_helpers(MAX_HELPERS);
    for (unsigned i = 0; i < s->n_helpers; i++)
        s->helpers[i] = g_thread_new("xentrail-decide", help, s);
    return s;
}

void steps_free(struct steps *s)
{
    if (!s)
        return;
    g_mutex_lock(&s->lock);
    s->stop = true;
    g_cond_broadcast(&s->queued);
    g_mutex_unlock(&s->lock);
    for (unsigned i = 0; i < s->n_helpers; i++)
        g_thread_join(s->helpers[i]);
    for (uint32_t i = 0; i < s->n_lanes; i++) {
        decider_clear(&s->lanes[i].decider);
        g_free(s->lanes[i].steps);
        g_free(s->lanes[i].next_steps);
        g_clear_error(&s->lanes[i].error);
    }
    g_queue_clear(&s->queue);
    g_cond_clear(&s->queued);
    g_cond_clear(&s->ready);
    g_mutex_clear(&s->lock);
    heap_clear(&s->merge);
    g_free(s->lanes);
    g_free(s);
}
