/* Steps of all pCPUs merged in order of time. Each pCPU's are made in batches. A merger writes scripts, which say in what
 * order runs of steps are to be replayed, while the user replays those written before; whoever would have to wait makes
 * batches instead. With one core the user does it all. */
#include "parse/decision.h"
#include "parse/heap.h"
#include "parse/parallel.h"

#define ALL_STEPS 131072u /* of all pCPUs together */
#define MIN_BATCH 8u
#define MAX_BATCH 1024u /* 64 KiB */
#define MAX_HELPERS 3
#define SCRIPT_RUNS 2048u /* so many that waking each other up for a script costs nothing beside it */
#define N_SCRIPTS 4u

enum batch_state { BATCH_QUEUED, BATCH_BEING_MADE, BATCH_READY };

struct batch {
    struct step *steps;
    uint64_t *tscs; /* of each; they lie close together for the merger, who needs nothing else */
    unsigned n;     /* 0: the pCPU has no more */
};

struct lane {
    struct decider decider;
    struct batch batch; /* the merger's: in use */
    unsigned at;        /* in it */
    struct batch next;  /* belongs to whoever makes it, until BATCH_READY */
    enum batch_state next_state; /* under the lock, also in_queue */
    bool in_queue;
    GError *error; /* stands behind the next batch */
};

struct script {
    struct step_run runs[SCRIPT_RUNS];
    unsigned n;
    GPtrArray *used; /* of struct step[]: batches that end here */
    bool last;       /* nothing comes behind it, but perhaps an error */
    GError *error;
};

struct steps {
    struct step_options options;
    struct lane *lanes; /* by slot */
    uint32_t n_lanes;
    unsigned capacity; /* of a batch */
    struct script scripts[N_SCRIPTS];
    struct script *script; /* the user's: at hand */
    unsigned at;           /* in it */
    struct heap merge;     /* the merger's, also started */
    bool started;

    GMutex lock; /* of all that follows */
    GCond changed;
    unsigned n_waiting;
    GQueue queue;          /* of struct lane whose next batch is to be made; some are made already */
    GPtrArray *spare;      /* of struct step[] */
    GQueue written, blank; /* of struct script */
    bool stop;
    GThread *helpers[MAX_HELPERS];
    unsigned n_helpers;
};

/* These are called with the lock held, and return with it. */

static void tell(struct steps *s)
{
    if (s->n_waiting)
        g_cond_broadcast(&s->changed);
}

static void await(struct steps *s)
{
    s->n_waiting++;
    g_cond_wait(&s->changed, &s->lock);
    s->n_waiting--;
}

/* There is a spare place for it. */
static void make_batch(struct steps *s, struct lane *lane)
{
    lane->next_state = BATCH_BEING_MADE;
    lane->next.steps = g_ptr_array_steal_index_fast(s->spare, s->spare->len - 1);
    lane->next.tscs = (uint64_t *)(void *)(lane->next.steps + s->capacity);
    g_mutex_unlock(&s->lock);
    lane->next.n = decider_fill(&lane->decider, lane->next.steps, lane->next.tscs, s->capacity, &lane->error);
    g_mutex_lock(&s->lock);
    lane->next_state = BATCH_READY;
    tell(s);
}

static void queue_batch(struct steps *s, struct lane *lane)
{
    lane->next_state = BATCH_QUEUED;
    if (!lane->in_queue)
        g_queue_push_tail(&s->queue, lane);
    lane->in_queue = true;
    tell(s);
}

/* For whoever has nothing better to do. */
static void make_any_batch_or_await(struct steps *s)
{
    struct lane *lane;

    while (s->spare->len && (lane = g_queue_pop_head(&s->queue))) {
        lane->in_queue = false;
        if (lane->next_state == BATCH_QUEUED) {
            make_batch(s, lane);
            return;
        }
    }
    await(s);
}

/* Its next batch is ready: that in use goes to those that end in script. */
static void take_batch(struct steps *s, struct lane *lane, struct script *script)
{
    if (lane->batch.steps)
        g_ptr_array_add(script->used, lane->batch.steps);
    lane->batch = lane->next;
    lane->at = 0;
    lane->next = (struct batch){ NULL, NULL, 0 };
    if (lane->batch.n && !lane->error)
        queue_batch(s, lane);
}

/* These are the merger's, called without the lock. */

/* Takes the next batch of lane; false if there is no room to make it before the runs in script are replayed. */
static bool next_batch(struct steps *s, struct lane *lane, struct script *script)
{
    g_mutex_lock(&s->lock);
    while (lane->next_state != BATCH_READY && !s->stop) {
        if (lane->next_state == BATCH_QUEUED && s->spare->len)
            make_batch(s, lane);
        else if (lane->next_state == BATCH_QUEUED && script->n)
            break;
        else
            await(s);
    }
    bool ready = lane->next_state == BATCH_READY;
    if (ready)
        take_batch(s, lane, script);
    g_mutex_unlock(&s->lock);
    return ready;
}

static void start(struct steps *s, struct script *script)
{
    s->started = true;
    for (uint32_t i = 0; i < s->n_lanes; i++) {
        struct lane *lane = &s->lanes[i];
        if (next_batch(s, lane, script) && lane->batch.n)
            heap_add(&s->merge, lane->batch.tscs[0], i);
        if (!lane->batch.n && lane->error)
            script->error = g_steal_pointer(&lane->error);
        if (script->error)
            return;
    }
    heap_order(&s->merge);
}

/* How many steps at hand of the earliest pCPU come before those of all others. */
static unsigned run_length(const struct steps *s, const struct lane *lane)
{
    const struct heap_key *keys = s->merge.keys;
    struct heap_key other = { UINT64_MAX, UINT32_MAX }, key = keys[0];
    unsigned n = 1, most = lane->batch.n - lane->at;

    for (uint32_t i = 1; i < MIN(s->merge.n, 3); i++) /* the second is a child of the first */
        if (heap_is_before(&keys[i], &other))
            other = keys[i];
    for (; n < most; n++) {
        key.at = lane->batch.tscs[lane->at + n];
        if (!heap_is_before(&key, &other))
            break;
    }
    return n;
}

/* The earliest pCPU has used its batch up: false if the script must end here. */
static bool go_on(struct steps *s, struct lane *lane, struct script *script)
{
    if (!next_batch(s, lane, script))
        return false;
    if (lane->batch.n) {
        heap_replace(&s->merge, lane->batch.tscs[0]);
        return true;
    }
    heap_remove(&s->merge);
    script->error = g_steal_pointer(&lane->error);
    return !script->error;
}

static void write_script(struct steps *s, struct script *script)
{
    if (!s->started)
        start(s, script);
    while (script->n < SCRIPT_RUNS && s->merge.n && !script->error) {
        uint32_t slot = s->merge.keys[0].who;
        struct lane *lane = &s->lanes[slot];
        if (lane->at == lane->batch.n) {
            if (!go_on(s, lane, script))
                break;
            continue;
        }
        unsigned n = run_length(s, lane);
        script->runs[script->n++] = (struct step_run){ &lane->batch.steps[lane->at], n, slot };
        lane->at += n;
        if (lane->at < lane->batch.n) /* else it stays the earliest until its next batch tells */
            heap_replace(&s->merge, lane->batch.tscs[lane->at]);
    }
    script->last = script->error || !s->merge.n;
}

static gpointer merge(gpointer data)
{
    struct steps *s = data;
    bool last = false;

    g_mutex_lock(&s->lock);
    while (!s->stop && !last) {
        struct script *script = g_queue_pop_head(&s->blank);
        if (!script) {
            make_any_batch_or_await(s);
            continue;
        }
        g_mutex_unlock(&s->lock);
        write_script(s, script);
        last = script->last;
        g_mutex_lock(&s->lock);
        g_queue_push_tail(&s->written, script);
        tell(s);
    }
    g_mutex_unlock(&s->lock);
    return NULL;
}

static gpointer make_batches(gpointer data)
{
    struct steps *s = data;

    g_mutex_lock(&s->lock);
    while (!s->stop)
        make_any_batch_or_await(s);
    g_mutex_unlock(&s->lock);
    return NULL;
}

/* The user has replayed his script. */
static void next_script(struct steps *s)
{
    struct script *done = s->script;

    g_mutex_lock(&s->lock);
    while (done->used->len)
        g_ptr_array_add(s->spare, g_ptr_array_steal_index_fast(done->used, done->used->len - 1));
    done->n = 0;
    if (s->n_helpers) {
        g_queue_push_tail(&s->blank, done);
        tell(s);
        while (!(s->script = g_queue_pop_head(&s->written)))
            make_any_batch_or_await(s);
    }
    g_mutex_unlock(&s->lock);
    if (!s->n_helpers)
        write_script(s, done);
    s->at = 0;
}

bool steps_next(struct steps *s, struct step_run *run, GError **error)
{
    while (s->at == s->script->n) {
        if (s->script->last) {
            if (s->script->error)
                g_propagate_error(error, g_steal_pointer(&s->script->error));
            return false;
        }
        next_script(s);
    }
    *run = s->script->runs[s->at++];
    return true;
}

static void init_lane(struct steps *s, const struct xt_trace *trace, uint32_t slot)
{
    struct lane *lane = &s->lanes[slot];

    decider_init(&lane->decider, trace, &s->options, slot, xt_cursor_capacity(s->n_lanes));
    for (int i = 0; i < 3; i++) /* in use, made ahead, not replayed to its end yet */
        g_ptr_array_add(s->spare, g_malloc((sizeof(struct step) + sizeof(uint64_t)) * s->capacity));
    queue_batch(s, lane);
}

struct steps *steps_new(const struct xt_trace *trace, const struct step_options *options)
{
    struct steps *s = g_new0(struct steps, 1);
    uint32_t n = xt_trace_survey(trace)->n_pcpus;

    s->options = *options;
    s->n_lanes = n;
    s->capacity = CLAMP(ALL_STEPS / 3 / MAX(n, 1), MIN_BATCH, MAX_BATCH);
    s->lanes = g_new0(struct lane, n + 1);
    g_mutex_init(&s->lock);
    g_cond_init(&s->changed);
    g_queue_init(&s->queue);
    g_queue_init(&s->written);
    g_queue_init(&s->blank);
    s->spare = g_ptr_array_new_with_free_func(g_free);
    for (unsigned i = 0; i < N_SCRIPTS; i++) {
        s->scripts[i].used = g_ptr_array_new_with_free_func(g_free);
        if (i)
            g_queue_push_tail(&s->blank, &s->scripts[i]);
    }
    s->script = &s->scripts[0];
    for (uint32_t i = 0; i < n; i++)
        init_lane(s, trace, i);
    s->n_helpers = xt_parallel_helpers(MAX_HELPERS);
    for (unsigned i = 0; i < s->n_helpers; i++)
        s->helpers[i] = i ? g_thread_new("xentrail-decide", make_batches, s) : g_thread_new("xentrail-merge", merge, s);
    return s;
}

void steps_free(struct steps *s)
{
    if (!s)
        return;
    g_mutex_lock(&s->lock);
    s->stop = true;
    g_cond_broadcast(&s->changed);
    g_mutex_unlock(&s->lock);
    for (unsigned i = 0; i < s->n_helpers; i++)
        g_thread_join(s->helpers[i]);
    for (uint32_t i = 0; i < s->n_lanes; i++) {
        decider_clear(&s->lanes[i].decider);
        g_free(s->lanes[i].batch.steps);
        g_free(s->lanes[i].next.steps);
        g_clear_error(&s->lanes[i].error);
    }
    for (unsigned i = 0; i < N_SCRIPTS; i++) {
        g_ptr_array_unref(s->scripts[i].used);
        g_clear_error(&s->scripts[i].error);
    }
    g_ptr_array_unref(s->spare);
    g_queue_clear(&s->queue);
    g_queue_clear(&s->written);
    g_queue_clear(&s->blank);
    g_cond_clear(&s->changed);
    g_mutex_clear(&s->lock);
    heap_clear(&s->merge);
    g_free(s->lanes);
    g_free(s);
}
