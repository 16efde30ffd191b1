#include "parse/learn.h"

#include <stdlib.h>
#include <string.h>

#include "parse/deque.h"
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

/* What one replenishment promises. */
struct promise {
    int64_t deadline, budget;
};

struct learner {
    uint32_t key;
    struct deque waiting; /* of struct promise, ascending deadline */
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

    if (distance != s->gcd)
        s->gcd = gcd(distance, s->gcd);
    s->n_distances++;
    if (known)
        known->count++;
    else if (s->n_different < MAX_DISTANCES)
        s->distances[s->n_different++] = (struct distance){ distance, 1 };
}

static void take(struct learner *l, const struct promise *promise)
{
    struct stretch *s = &l->stretch;
    int64_t distance = promise->deadline - l->last_deadline;

    if (l->have_last && distance <= 0)
        return;
    if (!l->have_last || s->budget != promise->budget) {
        if (l->have_last)
            end_stretch(l);
        memset(s, 0, sizeof(*s));
        s->from_deadline = promise->deadline;
        s->budget = promise->budget;
    }
    if (l->have_last) {
        count_distance(s, distance);
        count_distance(&l->all, distance);
    }
    l->have_last = true;
    l->last_deadline = promise->deadline;
}

static void take_waiting(struct learner *l, guint keep)
{
    for (; l->waiting.length > keep; deque_pop(&l->waiting))
        take(l, deque_at(&l->waiting, struct promise, 0));
}

static void add_promise(struct learner *l, const struct promise *promise)
{
    struct deque *q = &l->waiting;
    struct promise *place = deque_push(q, struct promise);

    for (guint i = q->length - 1; i && deque_at(q, struct promise, i - 1)->deadline > promise->deadline; i--) {
        struct promise *before = deque_at(q, struct promise, i - 1);
        *place = *before;
        place = before;
    }
    *place = *promise;
    if (q->length >= REORDER)
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
    return l->done;
}

/* Replenishments in one of the equal parts of the run. */
struct part {
    int64_t least; /* delay */
    uint64_t n;
};

/* How system time lies over the TSC by one pCPU's replenishments. */
struct line {
    int64_t least; /* delay; INT64_MAX: no replenishments */
    uint64_t n;    /* how many there are */
    struct part parts[RESIDUAL_PARTS];
};

struct learn {
    struct xt_learned *learned;
    struct xt_run *run;
    const struct xt_survey *survey;
    const struct xt_clock *clock;
    const struct xt_recording *recording;
    struct vcpu_map learners;
    const struct xt_pcpu_survey *pcpu; /* whose samples are read */
    struct line *line;                 /* of that */
    uint64_t near, enough;             /* how many of them are near the line, and up to how many it matters */
    bool only_agreed;                  /* periods that the snapshot contradicts stay out of the mapping */
};

static struct learner *make_learner(struct learn *learn, uint32_t key)
{
    struct learner *l = g_new0(struct learner, 1);

    l->key = key;
    l->done = g_array_new(FALSE, FALSE, sizeof(struct xt_reservation));
    l->host = learn->recording ? xt_recording_vcpu(learn->recording, (uint16_t)(key >> 16), (uint16_t)key) : NULL;
    vcpu_map_add(&learn->learners, key, l);
    return l;
}

static void learn_sample(void *user, const struct xt_replenish_sample *sample)
{
    struct learn *learn = user;
    uint32_t key = key_of(learn->survey, sample);
    struct learner *l = vcpu_map_find(&learn->learners, key);

    if (sample->deadline > INT64_MAX / 4 || sample->budget > INT64_MAX / 4)
        return;
    if (!l && learn->learners.n >= XT_MAX_VCPUS)
        return; /* reconstruction will refuse it */
    if (!l)
        l = make_learner(learn, key);
    add_promise(l, &(struct promise){ (int64_t)sample->deadline, (int64_t)sample->budget });
}

static bool agrees(const struct xt_reservation *r)
{
    return r->period_ns > 0 && !r->contradicted;
}

static bool any_agrees(const struct xt_learned *learned)
{
    const GArray *all;

    for (uint32_t at = 0; (all = vcpu_map_next(&learned->servers, &at));)
        for (guint i = 0; i < all->len; i++)
            if (agrees(&g_array_index(all, struct xt_reservation, i)))
                return true;
    return false;
}

/* How long after its release the replenishment came, in ts minus system time; false if the period is unknown. */
static bool delay_of(const struct learn *learn, const struct xt_replenish_sample *sample, int64_t *ts, int64_t *delay)
{
    int64_t deadline = (int64_t)sample->deadline;
    const GArray *all = xt_learned_of(learn->learned, key_of(learn->survey, sample));
    const struct xt_reservation *r = all ? xt_reservation_at(all, deadline) : NULL;

    if (!r || !r->period_ns || sample->deadline > INT64_MAX / 4 || (learn->only_agreed && !agrees(r)))
        return false;
    *ts = xt_clock_ts(learn->clock, xt_corrected_tsc(learn->pcpu, sample->tsc));
    *delay = *ts - (deadline - r->period_ns);
    return true;
}

static bool least_sample(void *user, const struct xt_replenish_sample *sample)
{
    struct learn *learn = user;
    int64_t ts, delay;

    if (!delay_of(learn, sample, &ts, &delay))
        return true;
    unsigned number = (unsigned)((double)ts / ((double)learn->run->duration_ns + 1) * RESIDUAL_PARTS);
    struct part *part = &learn->line->parts[MIN(number, RESIDUAL_PARTS - 1)];
    part->least = part->n++ ? MIN(part->least, delay) : delay;
    learn->line->least = MIN(learn->line->least, delay);
    learn->line->n++;
    return true;
}

static bool near_sample(void *user, const struct xt_replenish_sample *sample)
{
    struct learn *learn = user;
    int64_t ts, delay;

    if (delay_of(learn, sample, &ts, &delay))
        learn->near += delay - learn->line->least <= NEAR_NS;
    return learn->near <= learn->enough;
}

static int compare_int64(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static struct part part_of_joined(const struct xt_run *run, const struct line *lines, unsigned number)
{
    struct part all = { INT64_MAX, 0 };

    for (uint32_t i = 0; i < run->n_pcpus; i++) {
        const struct part *part = &lines[i].parts[number];
        if (!run->pcpus[i].now_joined || !part->n)
            continue;
        all.least = MIN(all.least, part->least);
        all.n += part->n;
    }
    return all;
}

/* 90 % of the parts of the run come at least this close to the mapping: what wander remains in it. */
static int64_t residual(const struct xt_run *run, const struct line *lines, int64_t offset)
{
    int64_t least[RESIDUAL_PARTS];
    unsigned n = 0;

    for (unsigned i = 0; i < RESIDUAL_PARTS; i++) {
        struct part part = part_of_joined(run, lines, i);
        if (part.n >= RESIDUAL_MIN_SAMPLES)
            least[n++] = part.least - offset;
    }
    if (!n)
        return 0;
    qsort(least, n, sizeof(least[0]), compare_int64);
    return least[(9 * n + 9) / 10 - 1];
}

static bool read_line(struct learn *learn, uint32_t slot, struct line *line,
                      bool (*each)(void *user, const struct xt_replenish_sample *sample), GError **error)
{
    learn->pcpu = &learn->survey->pcpus[slot];
    learn->line = line;
    return xt_pcpu_each_replenishment(learn->pcpu, each, learn, error);
}

/* The pCPU whose line most replenishments are near, the first of several. Nobody counts on who has won, or cannot win. */
static bool find_reference(struct learn *learn, struct line *lines, uint32_t *reference, GError **error)
{
    uint64_t best = 0;

    for (uint32_t i = 0; i < learn->run->n_pcpus; i++) {
        if (lines[i].n <= best)
            continue;
        learn->near = 0;
        learn->enough = best;
        for (uint32_t later = i + 1; later < learn->run->n_pcpus; later++)
            learn->enough = MAX(learn->enough, lines[later].n);
        if (!read_line(learn, i, &lines[i], near_sample, error))
            return false;
        if (learn->near > best)
            *reference = i;
        best = MAX(best, learn->near);
    }
    return true;
}

/* Replenishments never precede their release, and the timer's come at once: the least delay is the offset. True if there
 * is one. */
static bool lay_lines(struct xt_run *run, const struct line *lines, uint32_t reference)
{
    struct xt_pcpu *pcpus = (struct xt_pcpu *)run->pcpus;

    if (run->n_pcpus == 0 || lines[reference].n == 0)
        return false;
    int64_t edge = lines[reference].least, offset = edge;
    for (uint32_t i = 0; i < run->n_pcpus; i++) {
        if (lines[i].least == INT64_MAX)
            continue;
        pcpus[i].now_offset_ns = -lines[i].least;
        pcpus[i].now_joined = lines[i].least >= edge - NEAR_NS;
        if (pcpus[i].now_joined)
            offset = MIN(offset, lines[i].least);
    }
    run->now_offset_ns = -offset;
    run->now_reference_pcpu = pcpus[reference].pcpu;
    run->now_residual_ns = residual(run, lines, offset);
    return true;
}

static bool map_system_time(struct learn *learn, GError **error)
{
    struct line *lines = g_new0(struct line, learn->run->n_pcpus + 1);
    uint32_t reference = 0;
    bool ok = true;

    for (uint32_t i = 0; ok && i < learn->run->n_pcpus; i++) {
        lines[i].least = INT64_MAX;
        ok = read_line(learn, i, &lines[i], least_sample, error);
    }
    ok = ok && find_reference(learn, lines, &reference, error);
    if (ok)
        learn->learned->have_offset = lay_lines(learn->run, lines, reference);
    g_free(lines);
    return ok;
}

bool xt_learn(struct xt_learned *learned, struct xt_run *run, const struct xt_survey *survey,
              const struct xt_clock *clock, const struct xt_recording *recording, GError **error)
{
    struct learn learn = { .learned = learned, .run = run, .survey = survey, .clock = clock, .recording = recording };
    struct learner *l;

    *learned = (struct xt_learned){ .have_offset = false };
    bool ok = xt_survey_each_replenishment(survey, learn_sample, &learn, error);
    for (uint32_t at = 0; (l = vcpu_map_next(&learn.learners, &at));) {
        vcpu_map_add(&learned->servers, l->key, finish(l));
        deque_clear(&l->waiting);
        g_free(l);
    }
    vcpu_map_clear(&learn.learners);
    learn.only_agreed = any_agrees(learned);
    return ok && map_system_time(&learn, error);
}

void xt_learned_clear(struct xt_learned *learned)
{
    GArray *all;

    for (uint32_t at = 0; (all = vcpu_map_next(&learned->servers, &at));)
        g_array_unref(all);
    vcpu_map_clear(&learned->servers);
}

const struct xt_reservation *xt_reservation_at(const GArray *all, int64_t deadline)
{
    guint lo = 0, hi = all->len;

    while (hi - lo > 1) { /* an adaptive controller changes budgets in every period */
        guint mid = lo + (hi - lo) / 2;
        if (g_array_index(all, struct xt_reservation, mid).from_deadline > deadline)
            hi = mid;
        else
            lo = mid;
    }
    return &g_array_index(all, struct xt_reservation, lo);
}

int64_t xt_reservations_longest(const GArray *all)
{
    int64_t longest = 0;

    for (guint i = 0; i < all->len; i++)
        longest = MAX(longest, g_array_index(all, struct xt_reservation, i).period_ns);
    return longest;
}
