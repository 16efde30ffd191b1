#include "parse/wander.h"

#include <stdlib.h>
#include <string.h>

#define STEP_NS 10000
#define N_STATES (2 * XT_WANDER_REACH_NS / STEP_NS + 1)
#define PRICE 0.05f /* of a step, in marks */
#define MAX_MARKS 4000u
#define MIN_MARKS 100u
#define MAX_TRACKS 8u /* with more of them too few marks are left for each */
#define MIN_LEAD 0.02 /* over chance */
#define LEAD_FACTOR 3 /* by so much fewer marks than by chance must lie beside */
#define GOOD_SHARE 0.995 /* below, a clock on each pCPU is tried */
#define NEAR_NS 25000000 /* marks so near to a knot bound it */

struct walk {
    const struct xt_supply *supply;
    uint16_t domid;
    GArray *marks;   /* of struct xt_fit_mark */
    bool *fits;      /* by mark: on any of the tracks so far */
    int16_t *before; /* by mark and state: the best state at the mark before */
};

static bool fits(const struct xt_supply *supply, uint16_t domid, const struct xt_fit_mark *m, int32_t pcpu,
                 int64_t offset_ns)
{
    int64_t from, to;

    return xt_supply_interval(supply, domid, m->vcpu, pcpu, m->ns + offset_ns, XT_FIT_SLACK_NS, &from, &to);
}

static const struct xt_fit_mark *mark(const struct walk *w, guint k)
{
    return &g_array_index(w->marks, struct xt_fit_mark, k);
}

/* Lets a path change its offset before the next mark; before says whence it comes. */
static void relax(float scores[N_STATES], int16_t before[N_STATES])
{
    for (int s = 0; s < N_STATES; s++)
        before[s] = (int16_t)s;
    for (int s = 1; s < N_STATES; s++) {
        if (scores[s - 1] - PRICE <= scores[s])
            continue;
        scores[s] = scores[s - 1] - PRICE;
        before[s] = before[s - 1];
    }
    for (int s = N_STATES - 2; s >= 0; s--) {
        if (scores[s + 1] - PRICE <= scores[s])
            continue;
        scores[s] = scores[s + 1] - PRICE;
        before[s] = before[s + 1];
    }
}

/* Of equally good ends the middle one. */
static int best_end(const float scores[N_STATES])
{
    float best = 0;
    int first = 0, last = 0;

    for (int s = 0; s < N_STATES; s++)
        best = MAX(best, scores[s]);
    for (int s = N_STATES; s--;)
        if (scores[s] == best)
            first = s;
    for (last = first; last + 1 < N_STATES && scores[last + 1] == best;)
        last++;
    return (first + last) / 2;
}

/* Knots of the best path on a pCPU (-1: any), one at each mark; notes which marks fit. */
static GArray *walk(const struct walk *w, int32_t pcpu, int64_t offset_ns)
{
    GArray *knots = g_array_new(FALSE, FALSE, sizeof(struct xt_wander_knot));
    float scores[N_STATES] = { 0 };
    uint8_t there[N_STATES];
    int64_t first_ns = offset_ns - XT_WANDER_REACH_NS;

    for (guint k = 0; k < w->marks->len; k++) {
        relax(scores, w->before + (size_t)k * N_STATES);
        xt_supply_ran_at(w->supply, w->domid, mark(w, k)->vcpu, pcpu, mark(w, k)->ns + first_ns, STEP_NS, N_STATES,
                         XT_FIT_SLACK_NS, there);
        for (int s = 0; s < N_STATES; s++)
            scores[s] += there[s];
    }
    int s = best_end(scores);
    g_array_set_size(knots, w->marks->len);
    for (guint k = w->marks->len; k--;) {
        struct xt_wander_knot knot = { mark(w, k)->ns, first_ns + (int64_t)s * STEP_NS };
        g_array_index(knots, struct xt_wander_knot, k) = knot;
        w->fits[k] |= fits(w->supply, w->domid, mark(w, k), pcpu, knot.offset_ns);
        s = w->before[(size_t)k * N_STATES + (size_t)s];
    }
    return knots;
}

static void free_track(gpointer data)
{
    g_array_unref(((struct xt_wander_track *)data)->knots);
}

static GArray *new_tracks(void)
{
    GArray *tracks = g_array_new(FALSE, FALSE, sizeof(struct xt_wander_track));

    g_array_set_clear_func(tracks, free_track);
    return tracks;
}

/* Follows the clock on each of the pCPUs; *share is how much of the marks fits on one of them. */
static GArray *follow(struct walk *w, const GArray *pcpus, int64_t offset_ns, double *share)
{
    GArray *tracks = new_tracks();
    guint n = 0;

    memset(w->fits, 0, w->marks->len * sizeof(*w->fits));
    for (guint i = 0; i < pcpus->len; i++) {
        struct xt_wander_track track = { .pcpu = g_array_index(pcpus, int32_t, i) };
        track.knots = walk(w, track.pcpu, offset_ns);
        g_array_append_val(tracks, track);
    }
    for (guint k = 0; k < w->marks->len; k++)
        n += w->fits[k];
    *share = w->marks->len ? (double)n / w->marks->len : 0;
    return tracks;
}

/* Some of the marks that lie in the run if the offset is offset_ns. */
static void choose_marks(struct walk *w, const GArray *marks, int64_t offset_ns)
{
    guint step = marks->len / (MAX_MARKS * 3 / 4) + 1;

    g_array_set_size(w->marks, 0);
    for (guint i = 0; i < marks->len && w->marks->len < MAX_MARKS; i++) {
        const struct xt_fit_mark *m = &g_array_index(marks, struct xt_fit_mark, i);
        if (xt_fit_samples(i, step) && m->ns + offset_ns >= 0 && m->ns + offset_ns <= xt_supply_duration_ns(w->supply))
            g_array_append_val(w->marks, *m);
    }
}

/* What marks reach that have nothing to do with where they are laid. */
static double chance_of(struct walk *w, const GArray *marks, const GArray *pcpus, int64_t offset_ns, int64_t elsewhere_ns)
{
    /* farther than the reach, and no multiples of what systems like to have as periods */
    static const int64_t away_ns[] = { -43100000, -29900000, -17300000, -13100000, 13100000, 17300000, 29900000, 43100000 };
    double chance = 0, share;

    for (unsigned i = 0; i <= G_N_ELEMENTS(away_ns); i++) {
        int64_t there = i < G_N_ELEMENTS(away_ns) ? offset_ns + away_ns[i] : elsewhere_ns;
        choose_marks(w, marks, there);
        if (!there || w->marks->len < MIN_MARKS / 2)
            continue;
        g_array_unref(follow(w, pcpus, there, &share));
        chance = MAX(chance, share);
    }
    return chance;
}

static bool moves_with(const struct xt_wander_knot *knots, guint i, guint k)
{
    return knots[i].offset_ns == knots[k].offset_ns || llabs(knots[i].ns - knots[k].ns) <= NEAR_NS;
}

/* How far a mark can be moved up and down in the interval that it lies in; INT64_MAX: it lies in none. */
struct play {
    int64_t up, down;
};

static struct play play_of(const struct walk *w, const struct xt_wander_track *track, guint k)
{
    int64_t ts = mark(w, k)->ns + g_array_index(track->knots, struct xt_wander_knot, k).offset_ns, from, to;

    if (!xt_supply_interval(w->supply, w->domid, mark(w, k)->vcpu, track->pcpu, ts, XT_FIT_SLACK_NS, &from, &to))
        return (struct play){ INT64_MAX, INT64_MAX };
    return (struct play){ to + XT_FIT_SLACK_NS - ts, ts - from + XT_FIT_SLACK_NS };
}

/* Adds how far each knot of the track can be moved, with the stretch that has the same offset and with what is near. */
static void add_plays(const struct walk *w, const struct xt_wander_track *track, GArray *plays)
{
    const struct xt_wander_knot *knots = (const struct xt_wander_knot *)(const void *)track->knots->data;
    guint n = track->knots->len;
    struct play *own = g_new(struct play, n + 1);

    for (guint k = 0; k < n; k++)
        own[k] = play_of(w, track, k);
    for (guint k = 0; k < n; k++) {
        struct play all = own[k];
        for (guint i = k; i-- && moves_with(knots, i, k);)
            all = (struct play){ MIN(all.up, own[i].up), MIN(all.down, own[i].down) };
        for (guint i = k + 1; i < n && moves_with(knots, i, k); i++)
            all = (struct play){ MIN(all.up, own[i].up), MIN(all.down, own[i].down) };
        int64_t play = MAX(all.up, all.down);
        if (play != INT64_MAX)
            g_array_append_val(plays, play);
    }
    g_free(own);
}

static gint compare_ns(gconstpointer a, gconstpointer b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static int64_t error_of(const struct walk *w, const GArray *tracks)
{
    GArray *plays = g_array_new(FALSE, FALSE, sizeof(int64_t));

    for (guint t = 0; t < tracks->len; t++)
        add_plays(w, &g_array_index(tracks, struct xt_wander_track, t), plays);
    g_array_sort(plays, compare_ns);
    int64_t error_ns = plays->len ? MAX(g_array_index(plays, int64_t, plays->len * 19 / 20), STEP_NS) : STEP_NS;
    g_array_unref(plays);
    return error_ns;
}

/* One model of the clock: the same on all pCPUs (pcpus is -1 alone), or one on each. */
static struct xt_wander *try_model(struct walk *w, const GArray *marks, const GArray *pcpus, int64_t offset_ns,
                                   int64_t elsewhere_ns)
{
    double share, chance = chance_of(w, marks, pcpus, offset_ns, elsewhere_ns);

    choose_marks(w, marks, offset_ns);
    if (w->marks->len < MIN_MARKS)
        return NULL;
    GArray *tracks = follow(w, pcpus, offset_ns, &share);
    if (share < chance + MIN_LEAD || LEAD_FACTOR * (1 - share) > 1 - chance) {
        g_array_unref(tracks);
        return NULL;
    }
    struct xt_wander *wander = g_new0(struct xt_wander, 1);
    wander->tracks = tracks;
    wander->share = share;
    wander->chance = chance;
    wander->error_ns = error_of(w, tracks);
    return wander;
}

struct xt_wander *xt_wander_follow(const GArray *marks, const struct xt_supply *supply, uint16_t domid, int64_t offset_ns,
                                   int64_t elsewhere_ns)
{
    struct walk w = { .supply = supply, .domid = domid, .marks = g_array_new(FALSE, FALSE, sizeof(struct xt_fit_mark)) };
    GArray *any = g_array_new(FALSE, FALSE, sizeof(int32_t)), *each = xt_supply_pcpus(supply, domid);
    size_t n = MIN(marks->len, MAX_MARKS);
    int32_t all = -1;

    g_array_append_val(any, all);
    w.before = g_new(int16_t, n * N_STATES + 1);
    w.fits = g_new(bool, n + 1);
    struct xt_wander *wander = try_model(&w, marks, any, offset_ns, elsewhere_ns);
    if ((!wander || wander->share < GOOD_SHARE) && each->len > 1 && each->len <= MAX_TRACKS) {
        struct xt_wander *finer = try_model(&w, marks, each, offset_ns, elsewhere_ns);
        if (finer) {
            xt_wander_free(wander);
            wander = finer;
        }
    }
    g_free(w.before);
    g_free(w.fits);
    g_array_unref(w.marks);
    g_array_unref(any);
    g_array_unref(each);
    return wander;
}

void xt_wander_free(struct xt_wander *wander)
{
    if (!wander)
        return;
    g_array_unref(wander->tracks);
    g_free(wander);
}

int64_t xt_wander_at(const struct xt_wander *wander, guint track, int64_t ns)
{
    const GArray *knots = g_array_index(wander->tracks, struct xt_wander_track, track).knots;
    guint lo = 0, hi = knots->len; /* the first knot behind ns */

    while (lo < hi) {
        guint mid = lo + (hi - lo) / 2;
        if (g_array_index(knots, struct xt_wander_knot, mid).ns > ns)
            hi = mid;
        else
            lo = mid + 1;
    }
    const struct xt_wander_knot *behind = &g_array_index(knots, struct xt_wander_knot, MIN(lo, knots->len - 1));
    const struct xt_wander_knot *before = lo ? &g_array_index(knots, struct xt_wander_knot, lo - 1) : behind;
    if (behind->ns == before->ns)
        return before->offset_ns;
    double part = (double)(ns - before->ns) / (double)(behind->ns - before->ns);
    return before->offset_ns + (int64_t)(part * (double)(behind->offset_ns - before->offset_ns));
}

guint xt_wander_choose(const struct xt_wander *wander, const struct xt_fit_mark *marks, unsigned n_marks,
                       const struct xt_supply *supply, uint16_t domid, int64_t *ambiguous_ns)
{
    guint best = 0, best_fit = 0;

    *ambiguous_ns = 0;
    for (guint t = 0; t < wander->tracks->len; t++) {
        int32_t pcpu = g_array_index(wander->tracks, struct xt_wander_track, t).pcpu;
        guint fit = 0;
        for (unsigned i = 0; i < n_marks; i++)
            fit += fits(supply, domid, &marks[i], pcpu, xt_wander_at(wander, t, marks[i].ns));
        if (fit > best_fit) {
            best = t;
            best_fit = fit;
            *ambiguous_ns = 0;
        } else if (fit && fit == best_fit) {
            int64_t apart = llabs(xt_wander_at(wander, t, marks[0].ns) - xt_wander_at(wander, best, marks[0].ns));
            *ambiguous_ns = MAX(*ambiguous_ns, apart);
        }
    }
    return best;
}
