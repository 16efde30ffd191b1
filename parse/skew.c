/* Offsets o of pCPUs, which order proves. A change at TSC s on pCPU a that precedes one at t on b means s + o[a] <= t + o[b],
 * so o[b] - o[a] >= s - t: a bound for each pair of pCPUs, and by going from pCPU to pCPU, bounds for all. */
#include "parse/skew.h"

#include <stdlib.h>
#include <string.h>

#include "parse/format.h"

#define MAX_PCPUS 512 /* bounds are a table of pairs */
#define MAX_HELD 16   /* changes of one VCPU that wait for the one before them */
#define MAX_FRESH 8   /* changes after which what precedes the first one of them must have come */
#define FIRST_LIMIT (INT64_C(1) << 16) /* cycles, some 20 us */
#define LAST_LIMIT (INT64_C(1) << 24)  /* some milliseconds */
#define NO_BOUND INT64_MIN
#define LARGEST (INT64_C(1) << 50) /* cycles, some days: beyond that nothing is learned, and sums stay within 64 bits */

struct change {
    uint64_t tsc; /* corrected as far as known */
    uint32_t slot;
    uint8_t old_state, new_state;
};

/* What one VCPU's changes tell. */
struct chain {
    struct change first, last; /* of those that are in their place */
    bool known;
    uint32_t n;         /* changes in their place */
    uint32_t losses;    /* as they were then: later ones make it unknown */
    uint32_t n_held;
    struct change held[MAX_HELD]; /* came before what must precede them */
};

/* What is seen of a VCPU's moves from and to a pCPU. */
struct moves {
    uint64_t all, wrong; /* those that the TSCs contradict, with the changes that no chain had a place for */
};
#define MANY_WRONG 8 /* one in so many: a few may come from damage, of a pCPU that is far off many are */

struct skew {
    struct xt_survey *survey;
    uint32_t n;
    GHashTable *chains; /* packed id + 1 -> struct chain */
    int64_t *bounds;    /* [a * n + b]: least o[b] - o[a], in cycles */
    uint64_t *latest;   /* by slot: largest TSC so far */
    struct moves *moves; /* by slot */
    uint32_t losses, open_gaps;
    uint64_t contradictions; /* changes that the TSCs put before what must precede them */
    uint64_t unplaced;       /* changes that no chain had a place for */
    uint64_t unplaced_before; /* with no offsets */
    int64_t worst; /* the farthest contradiction, in cycles */
    int64_t limit; /* farther ones are not believed yet: the larger a skew, the more likely is another change taken for
                      the one that comes next */
};

static int64_t *bound(const struct skew *k, uint32_t a, uint32_t b)
{
    return &k->bounds[(size_t)a * k->n + b];
}

static int64_t offset_of(const struct skew *k, uint32_t slot)
{
    return k->survey->pcpus[slot].tsc_offset.cycles;
}

/* later comes after earlier: what that means for the offsets of their pCPUs. */
static void link_changes(struct skew *k, const struct change *earlier, const struct change *later)
{
    if (earlier->slot == later->slot)
        return;
    int64_t distance = (int64_t)(earlier->tsc - later->tsc);
    k->contradictions += distance > 0;
    k->moves[earlier->slot].all++;
    k->moves[later->slot].all++;
    k->moves[earlier->slot].wrong += distance > 0;
    k->moves[later->slot].wrong += distance > 0;
    k->worst = MAX(k->worst, distance);
    if (distance > k->limit || distance < -LARGEST)
        return;
    int64_t least = distance + offset_of(k, later->slot) - offset_of(k, earlier->slot);
    int64_t *b = bound(k, earlier->slot, later->slot);
    *b = MAX(*b, least);
}

/* Can change be the next one of its VCPU? A VCPU stops running where it ran. */
static bool fits(const struct chain *c, const struct change *change)
{
    return !c->known || (change->old_state == c->last.new_state &&
                         (change->old_state != XT_RUNNING || change->slot == c->last.slot));
}

static bool is_held_back(const struct chain *c, uint32_t slot)
{
    for (uint32_t i = 0; i < c->n_held; i++)
        if (c->held[i].slot == slot)
            return true;
    return false;
}

static void accept(struct skew *k, struct chain *c, const struct change *change)
{
    if (c->known)
        link_changes(k, &c->last, change);
    else
        c->first = *change;
    c->last = *change;
    c->known = true;
    c->n++;
}

/* What it holds will find no place. */
static void give_up(struct skew *k, const struct chain *c)
{
    k->unplaced += c->n_held;
    for (uint32_t i = 0; i < c->n_held; i++) {
        k->moves[c->held[i].slot].all++;
        k->moves[c->held[i].slot].wrong++;
    }
}

static void begin_anew(struct chain *c)
{
    c->known = false;
    c->n = c->n_held = 0;
}

/* The first change held of some pCPU that fits now; each pCPU's own come in order. */
static bool accept_held(struct skew *k, struct chain *c)
{
    for (uint32_t i = 0; i < c->n_held; i++) {
        bool first = true;
        for (uint32_t j = 0; j < i; j++)
            first &= c->held[j].slot != c->held[i].slot;
        if (!first || !fits(c, &c->held[i]))
            continue;
        accept(k, c, &c->held[i]);
        memmove(&c->held[i], &c->held[i + 1], (--c->n_held - i) * sizeof(c->held[0]));
        return true;
    }
    return false;
}

/* Does it precede the one that seemed to be the first? */
static bool is_before_first(const struct skew *k, const struct chain *c, const struct change *change)
{
    return change->new_state == c->first.old_state &&
           (change->new_state != XT_RUNNING || change->slot == c->first.slot) &&
           (int64_t)(change->tsc - c->first.tsc) <= k->limit;
}

static void see_change(struct skew *k, struct chain *c, const struct change *change)
{
    if (c->losses != k->losses) {
        c->losses = k->losses;
        begin_anew(c);
    }
    if (!is_held_back(c, change->slot) && fits(c, change)) {
        accept(k, c, change);
        while (accept_held(k, c))
            ;
        return;
    }
    if (c->n < MAX_FRESH && is_before_first(k, c, change)) {
        link_changes(k, change, &c->first);
        c->first = *change;
        return;
    }
    if (c->n_held == MAX_HELD) { /* there is no such order */
        give_up(k, c);
        begin_anew(c);
        return;
    }
    c->held[c->n_held++] = *change;
}

static void see_runstate(struct skew *k, const struct xt_record *record)
{
    uint32_t id = record->words[0];
    struct chain *c = g_hash_table_lookup(k->chains, GSIZE_TO_POINTER((gsize)id + 1));
    struct change change = {
        .tsc = record->tsc,
        .slot = record->slot,
        .old_state = record->event >> 8 & 3,
        .new_state = record->event >> 4 & 3,
    };

    if (id >> 16 == XT_IDLE_DOMID) /* only its own pCPU writes of it */
        return;
    if (!c) {
        c = g_new0(struct chain, 1);
        g_hash_table_insert(k->chains, GSIZE_TO_POINTER((gsize)id + 1), c);
    }
    /* a TSC that steps back is no proof of anything */
    change.tsc = k->latest[record->slot] = MAX(k->latest[record->slot], record->tsc);
    see_change(k, c, &change);
}

/* Reads all changes with the offsets known so far. */
static bool read_changes(struct skew *k, struct xt_trace *view, GError **error)
{
    struct xt_record record;
    GError *failed = NULL;
    GHashTableIter chains;
    gpointer chain;

    g_hash_table_remove_all(k->chains);
    for (size_t i = 0; i < (size_t)k->n * k->n; i++)
        k->bounds[i] = NO_BOUND;
    memset(k->latest, 0, k->n * sizeof(k->latest[0]));
    memset(k->moves, 0, k->n * sizeof(k->moves[0]));
    k->losses = k->open_gaps = 0;
    k->contradictions = k->unplaced = 0;
    k->worst = 0;
    xt_trace_rewind(view);
    while (xt_trace_next_or_gap(view, &record, &failed)) {
        if (record.event == XT_ID_LOST_RECORDS && record.n_words == 4) {
            k->losses++; /* what was known does not reach over it */
            k->open_gaps += record.gap ? 1 : -1u;
        } else if (xt_is_runstate(record.event) && record.n_words == 1 && !k->open_gaps) {
            see_runstate(k, &record);
        }
    }
    g_hash_table_iter_init(&chains, k->chains);
    while (g_hash_table_iter_next(&chains, NULL, &chain))
        give_up(k, chain);
    if (failed)
        g_propagate_error(error, failed);
    return !failed;
}

/* From pair to pair: bounds that several together imply. False if no offsets satisfy them all. */
static bool close_bounds(struct skew *k)
{
    for (uint32_t via = 0; via < k->n; via++) {
        for (uint32_t a = 0; a < k->n; a++) {
            int64_t first = *bound(k, a, via);
            if (first == NO_BOUND)
                continue;
            for (uint32_t b = 0; b < k->n; b++) {
                int64_t second = *bound(k, via, b);
                if (second != NO_BOUND)
                    *bound(k, a, b) = MAX(*bound(k, a, b), first + second);
            }
            if (*bound(k, a, a) > 0)
                return false;
        }
    }
    return true;
}

struct order {
    uint32_t slot, contradicted; /* by how many others, if neither is corrected */
};

static int compare_orders(const void *a, const void *b)
{
    const struct order *x = a, *y = b;

    if (x->contradicted != y->contradicted)
        return x->contradicted < y->contradicted ? -1 : 1;
    return (x->slot > y->slot) - (x->slot < y->slot);
}

/* Those that the fewest others contradict come first: they keep their TSCs. */
static struct order *order_pcpus(const struct skew *k)
{
    struct order *orders = g_new0(struct order, k->n);

    for (uint32_t a = 0; a < k->n; a++) {
        orders[a].slot = a;
        for (uint32_t b = 0; b < k->n; b++)
            orders[a].contradicted += *bound(k, a, b) > 0 || *bound(k, b, a) > 0;
    }
    qsort(orders, k->n, sizeof(*orders), compare_orders);
    return orders;
}

/* Half of the narrowest range that any two pCPUs leave each other: how long it takes at best from one to another. */
static int64_t narrowest(const struct skew *k)
{
    int64_t narrow = LARGEST;

    for (uint32_t a = 0; a < k->n; a++)
        for (uint32_t b = 0; b < a; b++)
            if (*bound(k, a, b) != NO_BOUND && *bound(k, b, a) != NO_BOUND)
                narrow = MIN(narrow, -(*bound(k, a, b) + *bound(k, b, a)) / 2);
    return narrow;
}

/* The offset of a pCPU within what the ones before it leave: none if that is possible, else the smallest, but so that
 * nothing takes no time where there is room. */
static int64_t choose_offset(const struct skew *k, const struct order *orders, uint32_t i, int64_t narrow)
{
    int64_t min = NO_BOUND, max = INT64_MAX;
    uint32_t slot = orders[i].slot;

    for (uint32_t j = 0; j < i; j++) {
        uint32_t fixed = orders[j].slot;
        int64_t offset = offset_of(k, fixed), least = *bound(k, fixed, slot), back = *bound(k, slot, fixed);
        if (least != NO_BOUND)
            min = MAX(min, offset + least);
        if (back != NO_BOUND)
            max = MIN(max, offset - back);
    }
    if (min > 0)
        return max == INT64_MAX ? min : min + MIN((max - min) / 2, narrow);
    if (max < 0)
        return min == NO_BOUND ? max : max - MIN((max - min) / 2, narrow);
    return 0;
}

/* The offsets that what was read asks for. False if there are none, or all was believed and nothing is new. */
static bool solve(struct skew *k)
{
    struct xt_pcpu_survey *pcpus = k->survey->pcpus;
    bool new = k->limit < k->worst;

    if (!close_bounds(k))
        return false;
    struct order *orders = order_pcpus(k);
    int64_t narrow = narrowest(k);
    for (uint32_t i = 0; i < k->n; i++) {
        uint32_t slot = orders[i].slot, first = orders[0].slot;
        int64_t least = *bound(k, first, slot), back = *bound(k, slot, first);
        int64_t cycles = choose_offset(k, orders, i, narrow);
        new |= cycles != pcpus[slot].tsc_offset.cycles;
        pcpus[slot].tsc_offset = (struct xt_tsc_offset){
            .cycles = cycles,
            .min = i && least != NO_BOUND ? least : INT64_MIN,
            .max = i && back != NO_BOUND ? -back : INT64_MAX,
        };
    }
    k->survey->tsc_reference = pcpus[orders[0].slot].pcpu;
    g_free(orders);
    return new;
}

/* With the offsets at hand everything is in an order, and more has its place than without. */
static bool is_clean(const struct skew *k)
{
    return k->contradictions == 0 && k->unplaced <= k->unplaced_before &&
           (k->survey->contradictions || k->unplaced < k->unplaced_before);
}

/* Offsets with which all changes are in order, and their ranges: from those at hand, first by small steps. */
static bool find_offsets(struct skew *k, struct xt_trace *view, bool *found, GError **error)
{
    bool solved = false;

    for (k->limit = FIRST_LIMIT; k->limit <= LAST_LIMIT; k->limit *= 2) {
        if (!read_changes(k, view, error))
            return false;
        *found = is_clean(k);
        if (*found && solved)
            return true;
        solved = true;
        if (!solve(k))
            return true;
    }
    *found = false;
    return true;
}

/* As the TSCs stand. */
static bool count_contradictions(struct skew *k, struct xt_trace *view, GError **error)
{
    k->limit = 0;
    if (!read_changes(k, view, error))
        return false;
    k->survey->contradictions = k->contradictions;
    k->survey->disorder = (uint64_t)k->worst;
    k->unplaced_before = k->unplaced;
    return true;
}

static void set_offsets(struct skew *k, const int64_t *cycles)
{
    for (uint32_t i = 0; i < k->n; i++)
        k->survey->pcpus[i].tsc_offset = (struct xt_tsc_offset){ cycles[i], INT64_MIN, INT64_MAX };
}

/* From no offsets, or from those of a guess. */
static bool search_from(struct skew *k, const struct xt_trace *trace, bool guess, struct xt_trace *view, bool *found,
                        GError **error)
{
    int64_t *offsets = g_new0(int64_t, k->n);
    bool ok = !guess || xt_skew_guess(trace, offsets, error);

    if (ok) {
        set_offsets(k, offsets);
        ok = find_offsets(k, view, found, error);
    }
    g_free(offsets);
    return ok;
}

/* Of some pCPU much is wrong. */
static bool seems_far_off(const struct skew *k)
{
    bool far = false;

    for (uint32_t i = 0; i < k->n; i++)
        far |= k->moves[i].wrong && k->moves[i].wrong * MANY_WRONG >= k->moves[i].all;
    return far;
}

/* Each reading of a long trace takes its time: what seems likelier is tried first. */
static bool look(struct skew *k, const struct xt_trace *trace, struct xt_trace *view, bool *found, GError **error)
{
    if (!count_contradictions(k, view, error))
        return false;
    bool far_off = seems_far_off(k), guess = far_off && k->worst > LAST_LIMIT;
    if (!far_off && !k->contradictions)
        return true;
    if (!search_from(k, trace, guess, view, found, error))
        return false;
    return *found || !far_off || search_from(k, trace, !guess, view, found, error);
}

/* The range of TSCs as corrected. False if one would wrap around. */
static bool correct_range(struct xt_survey *survey)
{
    uint64_t first = UINT64_MAX, last = 0;

    for (uint32_t i = 0; i < survey->n_pcpus; i++) {
        const struct xt_pcpu_survey *p = &survey->pcpus[i];
        __int128 from = (__int128)p->first_tsc + p->tsc_offset.cycles, to = (__int128)p->last_tsc + p->tsc_offset.cycles;
        if (!p->has_tsc)
            continue;
        if (from < 0 || to > UINT64_MAX)
            return false;
        first = MIN(first, (uint64_t)from);
        last = MAX(last, (uint64_t)to);
    }
    survey->first_tsc = first;
    survey->last_tsc = last;
    return true;
}

bool xt_skew_look(struct xt_trace *trace, GError **error)
{
    struct xt_survey *survey = (struct xt_survey *)xt_trace_survey(trace);
    struct skew k = { .survey = survey, .n = survey->n_pcpus };
    bool found = false;

    if (survey->skew_looked)
        return true;
    survey->skew_looked = true;
    if (survey->core_scheduling || k.n < 2 || k.n > MAX_PCPUS)
        return true;
    struct xt_trace *view = xt_trace_view_new(trace, -1);
    k.chains = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    k.latest = g_new0(uint64_t, k.n);
    k.moves = g_new0(struct moves, k.n);
    k.bounds = g_new(int64_t, (size_t)k.n * k.n);
    bool ok = look(&k, trace, view, &found, error);
    if (found)
        survey->contradictions += k.unplaced_before - k.unplaced;
    found = found && correct_range(survey);
    for (uint32_t i = 0; !found && i < k.n; i++)
        survey->pcpus[i].tsc_offset = XT_NO_TSC_OFFSET;
    g_hash_table_unref(k.chains);
    g_free(k.latest);
    g_free(k.moves);
    g_free(k.bounds);
    xt_trace_free(view);
    return ok;
}
