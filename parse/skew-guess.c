/* Where TSCs are far off, nobody knows any more which change of a VCPU follows which. Two things still tell. xentrace writes
 * the windows of all pCPUs in turn, so their order in the file gives each offset a range. And a VCPU that becomes able to run,
 * or leaves one pCPU, often starts on another one within microseconds: of all the distances between such moments on two
 * pCPUs, those that occur far more often than others may be how far their TSCs are apart. Periodic VCPUs have several of that
 * kind; the right one does not let a VCPU run in two places at once. */
#include <stdlib.h>

#include "parse/cursor.h"
#include "parse/heap.h"
#include "parse/skew.h"

#define MAX_MOMENTS (1u << 19) /* 8 MiB */
#define FAR (INT64_C(1) << 50)  /* cycles: no bound, yet sums stay within 64 bits */
#define N_BINS (1u << 16)
#define USUAL_HZ 2.5e9  /* where the trace does not tell */
#define NARROW_S 1.5e-6 /* less than what follows from an offset takes */
#define SLACK 8         /* times that, by which offsets may be off, one added to the other: a VCPU that stops within is not doubled */
#define LEAST_VOTES 2  /* for a distance */
#define ALIGN_WORK (1u << 24) /* moments to look at for one pCPU, some tenths of a second */
#define VOTE_WORK (1u << 22)  /* for one VCPU on two pCPUs */
#define WORK_PER_PCPU (UINT64_C(1) << 23)
#define LEAST_WORK (UINT64_C(1) << 27) /* in all, half a second */
#define MOST_WORK (UINT64_C(1) << 29)  /* then what was found must do */
#define MAX_CANDIDATES 4096
#define MAX_DOUBTS 8    /* pCPUs put off since nothing fits yet */
#define FEW_DOUBLED 50  /* at most one in so many of the moments that tell */
#define MAX_ROUNDS 4    /* of aligning anew */
#define MAX_STARTS 6    /* pCPUs that are taken to be right */

/* A change of a VCPU, written by a pCPU. */
struct moment {
    uint64_t tsc;
    uint32_t id;
    uint32_t slot : 29;
    uint32_t starts : 1, stops : 1, able : 1; /* it begins to run there, ends to; becomes runnable */
};

struct pcpu {
    struct xt_cursor cursor;
    uint64_t latest;     /* its largest TSC so far; 0: none yet */
    uint64_t reference_at_read; /* that of the reference when this pCPU's last window was read; 0: none was */
    uint64_t at_reference_read; /* that of this pCPU when the reference's last window was read */
    int64_t min, max;    /* range of its offset beside the reference, by the order of windows */
    int64_t offset;      /* in cycles */
    bool aligned;        /* with all others that are */
};

/* All moments of one VCPU on one pCPU. */
struct stretch {
    uint32_t id, slot;
    guint first, end;
};

struct guess {
    const struct xt_survey *survey;
    uint32_t n, reference; /* slot: the one that wrote most */
    struct pcpu *pcpus;
    GArray *moments;   /* of struct moment, by VCPU, pCPU and time */
    GArray *stretches; /* of struct stretch */
    uint32_t *votes;   /* by bin */
    int64_t narrow;    /* cycles: how well offsets are to be known */
    uint64_t work, most_work; /* moments looked at; when to stop */
};

/* The pCPU wrote records from first to last while its last window was waited for. */
static void bound_by_window(struct guess *g, uint32_t slot, uint64_t first, uint64_t last)
{
    struct pcpu *p = &g->pcpus[slot], *reference = &g->pcpus[g->reference];

    p->latest = MAX(p->latest, last);
    if (slot != g->reference) {
        if (p->reference_at_read)
            p->min = MAX(p->min, (int64_t)(p->reference_at_read - first));
        p->reference_at_read = reference->latest;
        return;
    }
    for (uint32_t i = 0; i < g->n; i++) {
        struct pcpu *other = &g->pcpus[i];
        if (other->at_reference_read)
            other->max = MIN(other->max, (int64_t)(first - other->at_reference_read));
        other->at_reference_read = other->latest;
    }
}

static void see_record(struct guess *g, uint32_t slot, const char *record, uint32_t header)
{
    uint32_t copy[7], event = XT_EVENT(header);

    if (!xt_is_runstate(event) || XT_N_WORDS(header) != 1)
        return;
    struct moment moment = {
        .tsc = xt_load_tsc(record),
        .id = xt_load_words(record, header, copy)[0],
        .slot = slot,
        .starts = (event >> 4 & 3) == XT_RUNNING,
        .stops = (event >> 8 & 3) == XT_RUNNING,
        .able = (event >> 4 & 3) == XT_RUNNABLE,
    };
    if (moment.id >> 16 != XT_IDLE_DOMID)
        g_array_append_val(g->moments, moment);
}

static bool read_window(struct guess *g, uint32_t slot, GError **error)
{
    struct xt_cursor *c = &g->pcpus[slot].cursor;
    uint64_t first = 0, last = 0;

    for (bool entered = false; !entered || c->at < c->safe_end || xt_cursor_offset(c) < c->window_end; entered = true) {
        int loaded = c->at < c->safe_end ? 1 : xt_cursor_load(c, error);
        if (loaded < 0)
            return false;
        if (!loaded)
            break;
        uint32_t header = xt_load_word(c->at);
        if (XT_HAS_TSC(header)) {
            last = MAX(last, xt_load_tsc(c->at));
            first = first ? first : last;
            see_record(g, slot, c->at, header);
        }
        c->at += xt_record_bytes(header);
    }
    if (first)
        bound_by_window(g, slot, first, last);
    return true;
}

/* As much of the file as it takes. */
static bool read_moments(struct guess *g, GError **error)
{
    struct heap next = { 0 };
    struct xt_window window;
    int found = 0;

    for (uint32_t i = 0; i < g->n && found >= 0; i++)
        if ((found = xt_cursor_peek(&g->pcpus[i].cursor, &window, error)) > 0)
            heap_add(&next, window.offset, i);
    heap_order(&next);
    while (found >= 0 && next.n && g->moments->len < MAX_MOMENTS) {
        struct xt_cursor *c = &g->pcpus[next.keys[0].who].cursor;
        if (!read_window(g, next.keys[0].who, error))
            found = -1;
        else if ((found = xt_cursor_peek(c, &window, error)) > 0)
            heap_replace(&next, window.offset);
        else if (!found)
            heap_remove(&next);
    }
    heap_clear(&next);
    return found >= 0;
}

static int compare_moments(const void *a, const void *b)
{
    const struct moment *x = a, *y = b;

    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    if (x->slot != y->slot)
        return x->slot < y->slot ? -1 : 1;
    return (x->tsc > y->tsc) - (x->tsc < y->tsc);
}

static void find_stretches(struct guess *g)
{
    g_array_sort(g->moments, compare_moments);
    for (guint i = 0; i < g->moments->len; i++) {
        const struct moment *moment = &g_array_index(g->moments, struct moment, i);
        struct stretch *s = g->stretches->len ? &g_array_index(g->stretches, struct stretch, g->stretches->len - 1) : NULL;
        if (!s || s->id != moment->id || s->slot != moment->slot)
            g_array_append_val(g->stretches, ((struct stretch){ moment->id, moment->slot, i, i }));
        g_array_index(g->stretches, struct stretch, g->stretches->len - 1).end = i + 1;
    }
}

/* The stretches of all VCPUs, and the first behind them. */
static const struct stretch *all_stretches(const struct guess *g, const struct stretch **end)
{
    const struct stretch *all = (const struct stretch *)(const void *)g->stretches->data;

    *end = all + g->stretches->len;
    return all;
}

/* The first stretch of the next VCPU. */
static const struct stretch *next_vcpu(const struct stretch *vcpu, const struct stretch *end)
{
    const struct stretch *next = vcpu;

    while (next < end && next->id == vcpu->id)
        next++;
    return next;
}

struct candidate {
    int64_t offset;
    uint64_t votes;
    uint64_t doubled; /* starts while the VCPU runs on the other pCPU */
};

/* What a look at the moments of a VCPU on two pCPUs, the second of which is aligned, is to find out. */
struct look {
    void (*at)(struct guess *g, const struct stretch *a, const struct stretch *b, struct look *look);
    int64_t from, to, width; /* of the distances to vote for, the last of a bin */
    struct candidate *candidate;
    uint64_t enough;  /* doubled starts: it need not be known how many more there are */
    uint64_t moments; /* how many there are */
};

/* At all that a pCPU has in common with others that are aligned. */
static void look_at_pairs(struct guess *g, uint32_t slot, struct look *look)
{
    const struct stretch *end, *all = all_stretches(g, &end);

    for (const struct stretch *vcpu = all, *next; vcpu < end; vcpu = next) {
        next = next_vcpu(vcpu, end);
        for (const struct stretch *a = vcpu; a < next; a++)
            for (const struct stretch *b = a->slot == slot ? vcpu : next; b < next; b++)
                if (g->pcpus[b->slot].aligned && b != a)
                    look->at(g, a, b, look);
    }
}

/* How long after from is to, beside the offset of from? Damaged TSCs may be anything. */
static int64_t distance_of(const struct guess *g, const struct moment *from, const struct moment *to, int64_t offset)
{
    return (int64_t)(to->tsc - from->tsc + (uint64_t)g->pcpus[to->slot].offset - (uint64_t)offset);
}

/* Each coincidence votes for the distance that it needs. */
static void vote(struct guess *g, const struct stretch *a, const struct stretch *b, struct look *look)
{
    const struct moment *moments = (const struct moment *)(const void *)g->moments->data;
    double span = (double)(moments[b->end - 1].tsc - moments[b->first].tsc), range = (double)look->to - (double)look->from;
    double pairs = (double)(a->end - a->first) * (b->end - b->first) * (range < span ? range / span : 1);
    guint low = b->first, step = (guint)(pairs / VOTE_WORK) + 1;

    for (guint i = a->first; i < a->end; i += step) {
        while (low < b->end && distance_of(g, &moments[i], &moments[low], 0) < look->from)
            low++;
        for (guint j = low; j < b->end; j++) {
            int64_t distance = distance_of(g, &moments[i], &moments[j], 0);
            g->work++;
            if (distance < look->from || distance >= look->to)
                break;
            if ((moments[i].starts && moments[j].able) || (moments[i].able && moments[j].starts))
                g->votes[(distance - look->from) / look->width]++;
        }
    }
}

/* Does the VCPU run on both at once, if what a tells is shifted? */
static void count_doubled(struct guess *g, const struct stretch *a, const struct stretch *b, struct look *look)
{
    struct candidate *c = look->candidate;
    const struct moment *moments = (const struct moment *)(const void *)g->moments->data;
    int64_t slack = SLACK * g->narrow;
    bool runs_on_a = false, runs_on_b = false;
    guint i = a->first, j = b->first;

    while (i < a->end && j < b->end && c->doubled < look->enough) {
        int64_t ahead = distance_of(g, &moments[i], &moments[j], c->offset); /* by how much a's comes first */
        const struct moment *moment = ahead > 0 ? &moments[i++] : &moments[j++];
        bool *runs_here = ahead > 0 ? &runs_on_a : &runs_on_b, runs_there = ahead > 0 ? runs_on_b : runs_on_a;
        c->doubled += moment->starts && runs_there && (ahead > slack || ahead < -slack);
        if (moment->starts || moment->stops)
            *runs_here = moment->starts;
    }
    g->work += (i - a->first) + (j - b->first);
}

static int compare_candidates(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->votes != y->votes)
        return x->votes > y->votes ? -1 : 1;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

/* The offsets in [from, to) that most are for, of two bins side by side. */
static GArray *find_candidates(struct guess *g, uint32_t slot, int64_t from, int64_t to, int64_t width)
{
    GArray *found = g_array_new(FALSE, FALSE, sizeof(struct candidate));

    memset(g->votes, 0, N_BINS * sizeof(*g->votes));
    look_at_pairs(g, slot, &(struct look){ .at = vote, .from = from, .to = to, .width = width });
    for (uint32_t i = 0; i + 1 < N_BINS; i++) {
        struct candidate c = { .offset = from + (int64_t)(i + 1) * width,
                               .votes = (uint64_t)g->votes[i] + g->votes[i + 1] };
        if (c.votes >= LEAST_VOTES)
            g_array_append_val(found, c);
    }
    g_array_sort(found, compare_candidates);
    return found;
}

/* Looks closer until it is known well. */
static void narrow_down(struct guess *g, uint32_t slot, int64_t width, struct candidate *c)
{
    while (width > g->narrow) {
        int64_t from = c->offset - width, to = c->offset + width;
        width = MAX(2 * width / N_BINS + 1, g->narrow);
        GArray *found = find_candidates(g, slot, from, to, width);
        if (found->len)
            *c = g_array_index(found, struct candidate, 0);
        g_array_unref(found);
    }
}

static void count_all_doubled(struct guess *g, uint32_t slot, struct candidate *c, uint64_t enough)
{
    c->doubled = 0;
    look_at_pairs(g, slot, &(struct look){ .at = count_doubled, .candidate = c, .enough = enough });
}

static void count_moments(struct guess *g, const struct stretch *a, const struct stretch *b, struct look *look)
{
    look->moments += (a->end - a->first) + (b->end - b->first);
}

/* The range of its offset by those of the pCPUs that are aligned. */
static void range_of(const struct guess *g, uint32_t slot, int64_t *from, int64_t *to)
{
    const struct pcpu *p = &g->pcpus[slot];

    *from = -FAR;
    *to = FAR;
    for (uint32_t i = 0; i < g->n; i++) {
        const struct pcpu *other = &g->pcpus[i];
        if (!other->aligned)
            continue;
        *from = MAX(*from, other->offset + p->min - other->max);
        *to = MIN(*to, other->offset + p->max - other->min);
    }
    if (*from > *to) { /* clocks that drift */
        *from = p->min - g->pcpus[g->reference].max;
        *to = MAX(p->max, *from);
    }
}

/* Keeps what fits those that are aligned better than best. */
static void try_candidate(struct guess *g, uint32_t slot, struct candidate c, struct candidate *best)
{
    count_all_doubled(g, slot, &c, best->doubled);
    if (c.doubled < best->doubled)
        *best = c;
}

/* The offset that fits those that are aligned best: the one at hand if nothing speaks against it, or none if that will do. */
static struct candidate align(struct guess *g, uint32_t slot)
{
    struct candidate best = { .doubled = UINT64_MAX };
    struct look all = { .at = count_moments };
    int64_t from, to;

    range_of(g, slot, &from, &to);
    if (from <= 0 && to >= 0)
        try_candidate(g, slot, (struct candidate){ 0 }, &best);
    if (g->pcpus[slot].offset)
        try_candidate(g, slot, (struct candidate){ .offset = g->pcpus[slot].offset }, &best);
    if (!best.doubled)
        return best;
    int64_t width = MAX((to - from) / N_BINS + 1, g->narrow);
    GArray *candidates = find_candidates(g, slot, from, to, width);
    look_at_pairs(g, slot, &all);
    guint most = (guint)MIN(candidates->len, CLAMP(ALIGN_WORK / (all.moments + 1), 16, MAX_CANDIDATES));
    for (guint i = 0; i < most && g->work < g->most_work; i++) {
        struct candidate c = g_array_index(candidates, struct candidate, i);
        narrow_down(g, slot, width, &c);
        try_candidate(g, slot, c, &best);
    }
    g_array_unref(candidates);
    return best;
}

/* A pCPU, and how much there is of something: of conflict with others (starts of VCPUs, there or elsewhere, that run in both
 * places), or bytes. */
struct ranked {
    uint32_t slot;
    uint64_t much;
};

/* How many moments each pCPU that is not aligned shares with those that are. */
static void count_evidence(const struct guess *g, uint64_t *evidence)
{
    const struct stretch *end, *all = all_stretches(g, &end);

    memset(evidence, 0, g->n * sizeof(*evidence));
    for (const struct stretch *vcpu = all, *next; vcpu < end; vcpu = next) {
        uint64_t aligned = 0;
        next = next_vcpu(vcpu, end);
        for (const struct stretch *s = vcpu; s < next; s++)
            aligned += g->pcpus[s->slot].aligned ? s->end - s->first : 0;
        for (const struct stretch *s = vcpu; s < next; s++)
            evidence[s->slot] += g->pcpus[s->slot].aligned ? 0 : MIN(aligned, s->end - s->first);
    }
}

/* Of those that are not aligned, the one that fits in best: of which most is known, unless it fits nowhere yet. */
static bool align_next(struct guess *g, uint64_t *evidence)
{
    uint32_t best = UINT32_MAX;
    double best_share = 1;

    count_evidence(g, evidence);
    for (int tries = 0; tries < MAX_DOUBTS && g->work < g->most_work && best_share > 1.0 / FEW_DOUBLED; tries++) {
        uint32_t next = 0;
        for (uint32_t i = 1; i < g->n; i++)
            next = evidence[i] > evidence[next] ? i : next;
        if (!evidence[next])
            break;
        struct candidate c = align(g, next);
        double share = (double)c.doubled / (double)evidence[next];
        if (best == UINT32_MAX || share < best_share) {
            best = next;
            best_share = share;
            g->pcpus[next].offset = c.offset;
        }
        evidence[next] = 0;
    }
    if (best != UINT32_MAX)
        g->pcpus[best].aligned = true;
    return best != UINT32_MAX;
}

/* Beside one whose TSC is taken to be right. */
static void align_all(struct guess *g, uint32_t right)
{
    uint64_t *evidence = g_new(uint64_t, g->n);

    for (uint32_t i = 0; i < g->n; i++) {
        g->pcpus[i].aligned = i == right;
        g->pcpus[i].offset = 0;
    }
    while (align_next(g, evidence))
        ;
    g_free(evidence);
}

static int most_first(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    if (x->much != y->much)
        return x->much > y->much ? -1 : 1;
    return (x->slot > y->slot) - (x->slot < y->slot);
}

/* How much conflict remains. */
static uint64_t find_conflicts(struct guess *g, struct ranked *conflicts)
{
    uint64_t all = 0;

    for (uint32_t i = 0; i < g->n; i++) {
        struct candidate as_it_is = { .offset = g->pcpus[i].offset };
        if (g->pcpus[i].aligned)
            count_all_doubled(g, i, &as_it_is, UINT64_MAX);
        conflicts[i] = (struct ranked){ i, as_it_is.doubled };
        all += as_it_is.doubled;
    }
    return all;
}

/* Who came first was aligned when little was known: those in most conflict are aligned anew. True if any has changed. */
static bool align_again(struct guess *g, struct ranked *conflicts)
{
    bool changed = false;

    qsort(conflicts, g->n, sizeof(*conflicts), most_first);
    for (uint32_t i = 0; i < g->n && conflicts[i].much && g->work < g->most_work; i++) {
        struct pcpu *p = &g->pcpus[conflicts[i].slot];
        int64_t before = p->offset;
        p->aligned = false;
        p->offset = align(g, conflicts[i].slot).offset;
        p->aligned = true;
        changed |= p->offset != before;
    }
    return changed;
}

/* The offsets with the least conflict, as found beside several pCPUs: that which is taken to be right may itself be off. */
static void find_offsets(struct guess *g, int64_t offsets[])
{
    struct ranked *conflicts = g_new(struct ranked, g->n), *by_bytes = g_new(struct ranked, g->n);
    uint64_t least = UINT64_MAX;

    for (uint32_t i = 0; i < g->n; i++)
        by_bytes[i] = (struct ranked){ i, g->survey->pcpus[i].bytes };
    qsort(by_bytes, g->n, sizeof(*by_bytes), most_first);
    for (uint32_t i = 0; i < MIN(g->n, MAX_STARTS) && least && g->work < g->most_work; i++) {
        align_all(g, by_bytes[i].slot);
        uint64_t left = find_conflicts(g, conflicts);
        for (int round = 0; left && round < MAX_ROUNDS && align_again(g, conflicts); round++)
            left = find_conflicts(g, conflicts);
        if (left >= least)
            continue;
        least = left;
        for (uint32_t k = 0; k < g->n; k++)
            offsets[k] = g->pcpus[k].offset;
    }
    g_free(by_bytes);
    g_free(conflicts);
}

/* Without a range by windows, any offset by which the pCPU shares some of its time with the reference. */
static void complete_range(const struct guess *g, uint32_t slot)
{
    const struct xt_pcpu_survey *p = &g->survey->pcpus[slot], *reference = &g->survey->pcpus[g->reference];
    struct pcpu *out = &g->pcpus[slot];

    if (slot == g->reference) {
        out->min = out->max = 0;
        return;
    }
    if (out->min > out->max) /* clocks that drift */
        out->min = -FAR;
    if (out->min == -FAR)
        out->min = (int64_t)(reference->first_tsc - p->last_tsc);
    if (out->max == FAR)
        out->max = (int64_t)(reference->last_tsc - p->first_tsc);
    out->min = CLAMP(out->min, -FAR, FAR);
    out->max = CLAMP(out->max, out->min, FAR);
}

bool xt_skew_guess(const struct xt_trace *trace, int64_t offsets[], GError **error)
{
    struct guess g = { .survey = xt_trace_survey(trace), .n = xt_trace_survey(trace)->n_pcpus };

    g.narrow = (int64_t)((g.survey->frequency.hz > 0 ? g.survey->frequency.hz : USUAL_HZ) * NARROW_S) + 1;
    g.most_work = CLAMP(g.n * WORK_PER_PCPU, LEAST_WORK, MOST_WORK);
    g.pcpus = g_new0(struct pcpu, g.n);
    g.moments = g_array_new(FALSE, FALSE, sizeof(struct moment));
    g.stretches = g_array_new(FALSE, FALSE, sizeof(struct stretch));
    g.votes = g_new(uint32_t, N_BINS);
    for (uint32_t i = 0; i < g.n; i++) {
        g.pcpus[i].min = -FAR;
        g.pcpus[i].max = FAR;
        xt_cursor_init(&g.pcpus[i].cursor, xt_trace_source(trace), g.survey, i, xt_cursor_capacity(g.n));
        if (g.survey->pcpus[i].bytes > g.survey->pcpus[g.reference].bytes)
            g.reference = i;
    }
    bool ok = read_moments(&g, error);
    if (ok) {
        find_stretches(&g);
        for (uint32_t i = 0; i < g.n; i++)
            complete_range(&g, i);
        find_offsets(&g, offsets);
    }
    for (uint32_t i = 0; i < g.n; i++)
        xt_cursor_clear(&g.pcpus[i].cursor);
    g_free(g.votes);
    g_array_unref(g.stretches);
    g_array_unref(g.moments);
    g_free(g.pcpus);
    return ok;
}
