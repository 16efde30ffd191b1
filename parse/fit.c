#include "parse/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MIN_MARKS 100
#define COARSE_MARKS 2000u  /* looked at in the first pass, spread evenly */
#define FINE_MARKS 2000u
#define MIN_OVERLAP 0.5     /* of the marks must lie in the run */
#define MIN_BINS 4096
#define MAX_BINS 65536
#define N_CANDIDATES 24
#define N_COMBED 3u
#define MIN_SHARE 0.95
#define MIN_LEAD 0.02       /* over the best offset elsewhere */
#define NEAR_STEP_NS (2 * XT_FIT_SLACK_NS)

struct search {
    const struct xt_supply *supply;
    uint16_t domid;
    const struct xt_fit_mark *marks;
    guint n_marks;
    float *occupancy; /* by bin: share of it in which any VCPU of the domain ran, at most 1 */
    int n_bins;
    int64_t bin_ns;
};

struct candidate {
    int64_t offset_ns;
    double score;
};

static gint best_first(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    return (x->score < y->score) - (x->score > y->score);
}

/* By how much of the bins' time the domain ran. */
static double coarse_score(const struct search *s, int64_t offset_ns)
{
    guint step = MAX(s->n_marks / COARSE_MARKS, 1), inside = 0, seen = 0;
    double sum = 0;

    for (guint i = 0; i < s->n_marks; i++) {
        if (!xt_fit_samples(i, step))
            continue;
        int64_t bin = (s->marks[i].ns + offset_ns) / s->bin_ns;
        seen++;
        if (s->marks[i].ns + offset_ns < 0 || bin >= s->n_bins)
            continue;
        sum += s->occupancy[bin];
        inside++;
    }
    return inside < MIN_OVERLAP * seen ? 0 : sum / inside;
}

static double fine_score(const struct search *s, int64_t offset_ns)
{
    guint step = MAX(s->n_marks / FINE_MARKS, 1);
    uint64_t known = 0, running = 0;

    for (guint i = 0; i < s->n_marks; i++) {
        if (!xt_fit_samples(i, step))
            continue;
        enum xt_ran ran = xt_supply_ran(s->supply, s->domid, s->marks[i].vcpu, s->marks[i].ns + offset_ns,
                                         XT_FIT_SLACK_NS);
        known += ran != XT_RAN_UNKNOWN;
        running += ran == XT_RAN_YES;
    }
    return known < MIN_MARKS / 2 ? 0 : (double)running / (double)known;
}

static void fill_bins(struct search *s)
{
    int64_t duration = xt_supply_duration_ns(s->supply);

    s->n_bins = (int)CLAMP(duration / 500000, MIN_BINS, MAX_BINS);
    s->bin_ns = MAX(duration / s->n_bins, 1);
    s->n_bins = (int)(duration / s->bin_ns) + 1;
    s->occupancy = g_new0(float, s->n_bins);
    for (int i = 0; i < s->n_bins; i++) {
        int64_t from = i * s->bin_ns;
        double ran = (double)xt_supply_ns(s->supply, s->domid, -1, from, from + s->bin_ns) / (double)s->bin_ns;
        s->occupancy[i] = (float)MIN(ran, 1);
    }
}

/* The best places of a coarse scan, none beside another. */
static unsigned find_candidates(const struct search *s, struct candidate out[N_CANDIDATES])
{
    /* so that half of the marks can lie in the run, the middle ones bound the offset */
    int64_t to = xt_supply_duration_ns(s->supply) - s->marks[(s->n_marks - 1) / 2].ns, from = -s->marks[s->n_marks / 2].ns;
    GArray *all = g_array_new(FALSE, FALSE, sizeof(struct candidate));
    unsigned n = 0;

    if ((to - from) / s->bin_ns > 2 * s->n_bins) /* marks in two heaps with more than a run between them */
        from = to;
    for (int64_t offset = from; offset <= to; offset += s->bin_ns) {
        struct candidate c = { offset, coarse_score(s, offset) };
        if (c.score > 0)
            g_array_append_val(all, c);
    }
    if (all->len)
        qsort(all->data, all->len, sizeof(struct candidate), best_first);
    for (guint i = 0; i < all->len && n < N_CANDIDATES; i++) {
        const struct candidate *c = &g_array_index(all, struct candidate, i);
        bool beside = false;
        for (unsigned k = 0; k < n; k++)
            beside |= llabs(out[k].offset_ns - c->offset_ns) <= 2 * s->bin_ns;
        if (!beside)
            out[n++] = *c;
    }
    g_array_unref(all);
    return n;
}

/* Halves the step around the best place until it is below a microsecond. */
static void refine(const struct search *s, struct candidate *c)
{
    c->score = fine_score(s, c->offset_ns);
    for (int64_t step = 2 * s->bin_ns / 8; step >= 1000; step /= 4) {
        struct candidate best = *c;
        for (int i = -8; i <= 8; i++) {
            struct candidate there = { c->offset_ns + i * step, fine_score(s, c->offset_ns + i * step) };
            if (there.score > best.score)
                best = there;
        }
        *c = best;
    }
}

/* Looks at every offset around, in steps that cannot pass over a place where all marks fit. */
static void comb(const struct search *s, struct candidate *c)
{
    int64_t middle = c->offset_ns;

    for (int64_t away = -s->bin_ns; away <= s->bin_ns; away += XT_FIT_SLACK_NS) {
        struct candidate there = { middle + away, fine_score(s, middle + away) };
        if (there.score > c->score)
            *c = there;
    }
}

/* Moves to the middle of the offsets that are as good; half their width is the error. */
static int64_t centre(const struct search *s, struct candidate *c)
{
    int64_t edge[2];

    for (int side = 0; side < 2; side++) {
        int64_t sign = side ? 1 : -1, reach = 1000;
        while (reach < 4 * s->bin_ns && fine_score(s, c->offset_ns + sign * reach) >= c->score - 1e-9)
            reach *= 2;
        edge[side] = sign * reach;
    }
    c->offset_ns += (edge[0] + edge[1]) / 2;
    return (edge[1] - edge[0]) / 2;
}

static bool search(struct search *s, struct xt_fit_offset *found)
{
    struct candidate candidates[N_CANDIDATES];
    unsigned n = find_candidates(s, candidates);

    if (!n)
        return false;
    for (unsigned i = 0; i < n; i++)
        refine(s, &candidates[i]);
    qsort(candidates, n, sizeof(*candidates), best_first);
    for (unsigned i = 0; i < MIN(n, N_COMBED); i++)
        comb(s, &candidates[i]);
    qsort(candidates, n, sizeof(*candidates), best_first);
    for (unsigned i = 1; i < n; i++) {
        bool beside = llabs(candidates[i].offset_ns - candidates[0].offset_ns) <= 4 * s->bin_ns;
        if (beside || candidates[i].score <= found->second)
            continue;
        found->second = candidates[i].score;
        found->second_ns = candidates[i].offset_ns;
    }
    found->share = candidates[0].score;
    found->error_ns = centre(s, &candidates[0]);
    found->offset_ns = candidates[0].offset_ns;
    return found->share >= MIN_SHARE && found->share >= found->second + MIN_LEAD;
}

bool xt_fit_offset(const GArray *marks, const struct xt_supply *supply, uint16_t domid, struct xt_fit_offset *found)
{
    struct search s = { .supply = supply, .domid = domid, .n_marks = marks->len };

    memset(found, 0, sizeof(*found));
    if (marks->len < MIN_MARKS || xt_supply_duration_ns(supply) <= 0)
        return false;
    s.marks = (const struct xt_fit_mark *)(const void *)marks->data;
    fill_bins(&s);
    bool ok = search(&s, found);
    g_free(s.occupancy);
    return ok;
}

bool xt_fit_near(const GArray *marks, const struct xt_supply *supply, uint16_t domid, int64_t reach_ns,
                 struct xt_fit_offset *found)
{
    struct search s = {
        .supply = supply, .domid = domid, .n_marks = marks->len, .bin_ns = 4 * NEAR_STEP_NS,
        .marks = (const struct xt_fit_mark *)(const void *)marks->data,
    };
    struct candidate best = { 0, marks->len >= MIN_MARKS ? fine_score(&s, 0) : 0 };

    memset(found, 0, sizeof(*found));
    for (int64_t away = NEAR_STEP_NS; marks->len >= MIN_MARKS && away <= reach_ns; away += NEAR_STEP_NS) {
        for (int64_t offset = -away; offset <= away; offset += 2 * away) {
            struct candidate there = { offset, fine_score(&s, offset) };
            if (there.score > best.score + 1e-9)
                best = there;
        }
    }
    if (best.score < MIN_SHARE)
        return false;
    refine(&s, &best);
    found->share = best.score;
    found->error_ns = centre(&s, &best);
    found->offset_ns = best.offset_ns;
    return true;
}
