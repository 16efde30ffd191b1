#include "parse/learn.h"

#include <stdlib.h>
#include <string.h>

#include "parse/format.h"

/* "Near its own envelope", and how far a pCPU may precede the reference to share its line. */
#define NEAR_NS 50000
#define REORDER 512          /* deadlines of a VCPU held back: clocks of pCPUs differ, and damaged ones wander */
#define MIN_DISTANCES 3      /* that show a period */
#define TOO_SHORT (-1)
#define MAX_DISTANCES 64     /* different distances of deadlines counted per reservation */
#define RESIDUAL_PARTS 32    /* the run is cut into so many parts for the residual of the mapping */
#define RESIDUAL_MIN_SAMPLES 3

struct distance {
    int64_t ns;
    uint64_t count;
};

/* Replenishments in a row that carry the same budget. */
struct stretch {
    int64_t from_deadline, budget, gcd;
    uint64_t n_distances;
    unsigned n_different;
    struct distance distances[MAX_DISTANCES];
};

struct learner {
    uint32_t key;
    GArray *waiting; /* of struct xt_replenish_sample, ascending deadline */
    bool have_last;
    int64_t last_deadline;
    GArray *done; /* of struct xt_reservation */
    struct stretch stretch, all; /* the present one; whatever the budgets */
    const struct xt_host_vcpu *host;
};

static uint32_t key_of(const struct xt_survey *survey, const struct xt_replenish_sample *sample)
{
    return survey->vd ? sample->domid_vcpu << 16 | sample->domid_vcpu >> 16 : sample->domid_vcpu;
}

static int64_t gcd(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static const struct distance *find_distance(const struct stretch *s, int64_t ns)
{
    for (unsigned i = 0; i < s->n_different; i++)
        if (s->distances[i].ns == ns)
            return &s->distances[i];
    return NULL;
}

/* The rule: what the snapshot says, unless half of the deadlines' distances say otherwise. Without it the gcd of the
 * distances if it occurs as one; else the most frequent if it is half of them; else the gcd, uncertain. */
static struct xt_reservation conclude(const struct learner *l, const struct stretch *s, int64_t budget)
{
    struct xt_reservation r = { .from_deadline = s->from_deadline, .budget_ns = budget };
    const struct distance *most = NULL;
    int64_t promised = l->host && l->host->budget_ns == budget ? l->host->period_ns : 0;

    if (promised > 0 && (s->gcd % promised == 0 || s->n_distances < MIN_DISTANCES)) {
        r.period_ns = promised;
        return r;
    }
    for (unsigned i = 0; i < s->n_different; i++)
        if (!most || s->distances[i].count > most->count ||
            (s->distances[i].count == most->count && s->distances[i].ns < most->ns))
            most = &s->distances[i];
    r.uncertain = !most;
    r.contradicted = l->host && l->host->period_ns > 0;
    r.period_ns = most ? s->gcd : l->host ? l->host->period_ns : 0;
    if (!most)
        return r;
    bool usual = 2 * most->count >= s->n_distances;
    if (promised > 0) { /* changed while it was traced; or a sporadic server, whose deadlines follow no grid */
        r.period_ns = usual ? most->ns : promised;
        r.contradicted = usual;
    } else if (!find_distance(s, s->gcd)) {
        r.period_ns = usual ? most->ns : s->gcd;
        r.uncertain = !usual;
    }
    if (r.uncertain && r.period_ns < budget) /* no server is that: its deadlines follow no grid */
        r.period_ns = 0;
    return r;
}

static void end_stretch(struct learner *l)
{
    const struct stretch *s = &l->stretch;
    struct xt_reservation r = { .from_deadline = s->from_deadline, .period_ns = TOO_SHORT, .budget_ns = s->budget };

    if (s->n_distances >= MIN_DISTANCES)
        r = conclude(l, s, s->budget);
    g_array_append_val(l->done, r);
}

static void count_distance(struct stretch *s, int64_t distance)
{
    struct distance *known = (struct distance *)find_distance(s, distance);

    s->gcd = gcd(distance, s->gcd);
    s->n_distances++;
    if (known)
        known->count++;
    else if (s->n_different < MAX_DISTANCES)
        s->distances[s->n_different++] = (struct distance){ distance, 1 };
}

static void take(struct learner *l, const struct xt_replenish_sample *sample)
{
    struct stretch *s = &l->stretch;
    int64_t deadline = (int64_t)sample->deadline, distance = deadline - l->last_deadline;

    if (l->have_last && distance <= 0)
        return;
    if (!l->have_last || s->budget != (int64_t)sample->budget) {
        if (l->have_last)
            end_stretch(l);
        memset(s, 0, sizeof(*s));
        s->from_deadline = deadline;
        s->budget = (int64_t)sample->budget;
    }
    if (l->have_last) {
        count_distance(s, distance);
        count_distance(&l->all, distance);
    }
    l->have_last = true;
    l->last_deadline = deadline;
}

static void take_waiting(struct learner *l, guint keep)
{
    if (l->waiting->len <= keep)
        return;
    guint n = l->waiting->len - keep;
    for (guint i = 0; i < n; i++)
        take(l, &g_array_index(l->waiting, struct xt_replenish_sample, i));
    g_array_remove_range(l->waiting, 0, n);
}

static void add_sample(struct learner *l, const struct xt_replenish_sample *sample)
{
    guint at = l->waiting->len;

    while (at && g_array_index(l->waiting, struct xt_replenish_sample, at - 1).deadline > sample->deadline)
        at--;
    g_array_insert_val(l->waiting, at, *sample);
    if (l->waiting->len >= REORDER)
        take_waiting(l, REORDER / 2);
}

/* A stretch too short to show a period by itself is judged by all deadlines of the VCPU. */
static GArray *finish(struct learner *l)
{
    take_waiting(l, 0);
    end_stretch(l);
    for (guint i = 0; i < l->done->len; i++) {
        struct xt_reservation *r = &g_array_index(l->done, struct xt_reservation, i);
        int64_t from_deadline = r->from_deadline;
        if (r->period_ns != TOO_SHORT)
            continue;
        *r = conclude(l, &l->all, r->budget_ns);
        r->from_deadline = from_deadline;
    }
    GArray *done = l->done;
    l->done = NULL;
    return done;
}

static void free_learner(gpointer data)
{
    struct learner *l = data;

    g_array_unref(l->waiting);
    if (l->done)
        g_array_unref(l->done);
    g_free(l);
}

struct learn {
    struct xt_learned *learned;
    struct xt_run *run;
    const struct xt_survey *survey;
    const struct xt_clock *clock;
    const struct xt_recording *recording;
    GHashTable *learners;
    uint32_t slot;                  /* of the pCPU whose samples are read */
    bool only_agreed;               /* periods that the snapshot contradicts stay out of the mapping */
    int64_t *least, *near;          /* by slot: envelope of the pCPU, how many samples are near it */
    int64_t part_least[RESIDUAL_PARTS];
    uint64_t part_samples[RESIDUAL_PARTS];
};

static void learn_sample(void *user, const struct xt_replenish_sample *sample)
{
    struct learn *learn = user;
    uint32_t key = key_of(learn->survey, sample);
    struct learner *l = g_hash_table_lookup(learn->learners, GSIZE_TO_POINTER((gsize)key + 1));

    if (sample->deadline > INT64_MAX / 4 || sample->budget > INT64_MAX / 4)
        return;
    if (!l && g_hash_table_size(learn->learners) >= XT_MAX_VCPUS)
        return; /* reconstruction will refuse it */
    if (!l) {
        l = g_new0(struct learner, 1);
        l->key = key;
        l->waiting = g_array_new(FALSE, FALSE, sizeof(struct xt_replenish_sample));
        l->done = g_array_new(FALSE, FALSE, sizeof(struct xt_reservation));
        l->host = learn->recording ? xt_recording_vcpu(learn->recording, (uint16_t)(key >> 16), (uint16_t)key) : NULL;
        g_hash_table_insert(learn->learners, GSIZE_TO_POINTER((gsize)key + 1), l);
    }
    add_sample(l, sample);
}

static bool agrees(const struct xt_reservation *r)
{
    return r->period_ns > 0 && !r->contradicted;
}

static bool any_agrees(const struct xt_learned *learned)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, learned->servers);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        for (guint i = 0; i < ((GArray *)value)->len; i++)
            if (agrees(&g_array_index((GArray *)value, struct xt_reservation, i)))
                return true;
    return false;
}

static int64_t ts_of(const struct learn *learn, const struct xt_replenish_sample *sample)
{
    return xt_clock_ts(learn->clock, xt_corrected_tsc(&learn->survey->pcpus[learn->slot], sample->tsc));
}

/* How long after its release the replenishment came, in ts minus system time; false if the period is unknown. */
static bool delay_of(const struct learn *learn, const struct xt_replenish_sample *sample, int64_t *delay)
{
    int64_t deadline = (int64_t)sample->deadline;
    const struct xt_reservation *r = xt_learned_find(learn->learned, key_of(learn->survey, sample), deadline);

    if (!r || !r->period_ns || sample->deadline > INT64_MAX / 4 || (learn->only_agreed && !agrees(r)))
        return false;
    *delay = ts_of(learn, sample) - (deadline - r->period_ns);
    return true;
}

static void least_sample(void *user, const struct xt_replenish_sample *sample)
{
    struct learn *learn = user;
    int64_t delay;

    if (delay_of(learn, sample, &delay))
        learn->least[learn->slot] = MIN(learn->least[learn->slot], delay);
}

static void near_sample(void *user, const struct xt_replenish_sample *sample)
{
    struct learn *learn = user;
    int64_t delay;

    if (delay_of(learn, sample, &delay))
        learn->near[learn->slot] += delay - learn->least[learn->slot] <= NEAR_NS;
}

static void residual_sample(void *user, const struct xt_replenish_sample *sample)
{
    struct learn *learn = user;
    int64_t delay;

    if (!delay_of(learn, sample, &delay))
        return;
    int64_t ts = ts_of(learn, sample);
    unsigned part = (unsigned)((double)ts / ((double)learn->run->duration_ns + 1) * RESIDUAL_PARTS);
    part = MIN(part, RESIDUAL_PARTS - 1);
    learn->part_least[part] = learn->part_samples[part]++ ? MIN(learn->part_least[part], delay) : delay;
}

static int compare_int64(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* 90 % of the parts of the run come at least this close to the mapping: what wander remains in it. */
static int64_t residual(struct learn *learn, int64_t offset)
{
    unsigned n = 0;

    for (unsigned i = 0; i < RESIDUAL_PARTS; i++)
        if (learn->part_samples[i] >= RESIDUAL_MIN_SAMPLES)
            learn->part_least[n++] = learn->part_least[i] - offset;
    if (!n)
        return 0;
    qsort(learn->part_least, n, sizeof(learn->part_least[0]), compare_int64);
    return learn->part_least[(9 * n + 9) / 10 - 1];
}

/* Replenishments never precede their release, and the timer's come at once: the least delay is the offset. */
static bool map_system_time(struct learn *learn, GError **error)
{
    struct xt_run *run = learn->run;
    struct xt_pcpu *pcpus = (struct xt_pcpu *)run->pcpus;
    uint32_t reference = 0;

    for (learn->slot = 0; learn->slot < run->n_pcpus; learn->slot++) {
        const struct xt_pcpu_survey *p = &learn->survey->pcpus[learn->slot];
        learn->least[learn->slot] = INT64_MAX;
        if (!xt_pcpu_each_replenishment(p, least_sample, learn, error) ||
            !xt_pcpu_each_replenishment(p, near_sample, learn, error))
            return false;
    }
    for (uint32_t i = 1; i < run->n_pcpus; i++)
        if (learn->near[i] > learn->near[reference])
            reference = i;
    if (run->n_pcpus == 0 || learn->near[reference] == 0)
        return true;
    int64_t edge = learn->least[reference], offset = edge;
    for (uint32_t i = 0; i < run->n_pcpus; i++) {
        if (learn->least[i] == INT64_MAX)
            continue;
        pcpus[i].now_offset_ns = -learn->least[i];
        pcpus[i].now_joined = learn->least[i] >= edge - NEAR_NS;
        if (pcpus[i].now_joined)
            offset = MIN(offset, learn->least[i]);
    }
    for (learn->slot = 0; learn->slot < run->n_pcpus; learn->slot++)
        if (pcpus[learn->slot].now_joined &&
            !xt_pcpu_each_replenishment(&learn->survey->pcpus[learn->slot], residual_sample, learn, error))
            return false;
    run->now_offset_ns = -offset;
    run->now_reference_pcpu = pcpus[reference].pcpu;
    run->now_residual_ns = residual(learn, offset);
    learn->learned->have_offset = true;
    return true;
}

static void free_array(gpointer data)
{
    g_array_unref(data);
}

bool xt_learn(struct xt_learned *learned, struct xt_run *run, const struct xt_survey *survey,
              const struct xt_clock *clock, const struct xt_recording *recording, GError **error)
{
    struct learn *learn = g_new0(struct learn, 1);
    GHashTableIter iter;
    gpointer value;

    *learn = (struct learn){ .learned = learned, .run = run, .survey = survey, .clock = clock, .recording = recording };
    learned->servers = g_hash_table_new_full(NULL, NULL, NULL, free_array);
    learned->have_offset = false;
    learn->learners = g_hash_table_new_full(NULL, NULL, NULL, free_learner);
    learn->least = g_new0(int64_t, run->n_pcpus + 1);
    learn->near = g_new0(int64_t, run->n_pcpus + 1);
    bool ok = xt_survey_each_replenishment(survey, learn_sample, learn, error);
    g_hash_table_iter_init(&iter, learn->learners);
    while (ok && g_hash_table_iter_next(&iter, NULL, &value)) {
        struct learner *l = value;
        g_hash_table_insert(learned->servers, GSIZE_TO_POINTER((gsize)l->key + 1), finish(l));
    }
    learn->only_agreed = any_agrees(learned);
    ok = ok && map_system_time(learn, error);
    g_hash_table_unref(learn->learners);
    g_free(learn->least);
    g_free(learn->near);
    g_free(learn);
    return ok;
}

void xt_learned_clear(struct xt_learned *learned)
{
    g_clear_pointer(&learned->servers, g_hash_table_unref);
}

const struct xt_reservation *xt_learned_find(const struct xt_learned *learned, uint32_t domid_vcpu, int64_t deadline)
{
    const GArray *all = g_hash_table_lookup(learned->servers, GSIZE_TO_POINTER((gsize)domid_vcpu + 1));
    guint lo = 0, hi = all ? all->len : 0;

    if (!hi)
        return NULL;
    while (hi - lo > 1) { /* an adaptive controller changes budgets in every period */
        guint mid = lo + (hi - lo) / 2;
        if (g_array_index(all, struct xt_reservation, mid).from_deadline > deadline)
            hi = mid;
        else
            lo = mid;
    }
    return &g_array_index(all, struct xt_reservation, lo);
}

int64_t xt_learned_longest(const struct xt_learned *learned, uint32_t domid_vcpu)
{
    const GArray *all = g_hash_table_lookup(learned->servers, GSIZE_TO_POINTER((gsize)domid_vcpu + 1));
    int64_t longest = all ? 0 : -1;

    for (guint i = 0; all && i < all->len; i++)
        longest = MAX(longest, g_array_index(all, struct xt_reservation, i).period_ns);
    return longest;
}
