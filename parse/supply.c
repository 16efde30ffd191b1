#include "parse/supply.h"

#include <string.h>

#define MAX_INTERVALS (8u << 20) /* of all VCPUs together, 288 MB; what comes after them is unknown */

struct interval {
    int64_t ts, end_ts;
};

struct vcpu {
    uint16_t domid, vcpu;
    GArray *ran, *waited; /* of struct interval, in order of time */
    GArray *ran_on;       /* of int32_t: on which pCPU, for each of ran */
    GArray *periods;      /* of struct period, in order of deadlines */
};

struct period {
    int64_t release, deadline;
    bool missed;
};

struct xt_supply {
    struct xt_sink sink;
    uint16_t *domids;
    unsigned n_domids;
    GPtrArray *vcpus; /* of struct vcpu */
    GPtrArray *by_index; /* xt_vcpu.index -> struct vcpu, NULL: not asked for */
    GArray *losses;   /* of struct interval */
    unsigned n_intervals;
    int64_t duration_ns, known_until;
};

static void free_vcpu(gpointer data)
{
    struct vcpu *v = data;

    g_array_unref(v->ran);
    g_array_unref(v->ran_on);
    g_array_unref(v->waited);
    g_array_unref(v->periods);
    g_free(v);
}

static bool on_begin(void *self, const struct xt_run *run, GError **error)
{
    struct xt_supply *s = self;

    s->duration_ns = s->known_until = run->duration_ns;
    return true;
}

static bool on_vcpu(void *self, const struct xt_vcpu *vcpu, GError **error)
{
    struct xt_supply *s = self;
    struct vcpu *v = NULL;

    for (unsigned i = 0; i < s->n_domids && !v; i++) {
        if (s->domids[i] != vcpu->domid)
            continue;
        v = g_new0(struct vcpu, 1);
        v->domid = vcpu->domid;
        v->vcpu = vcpu->vcpu;
        v->ran = g_array_new(FALSE, FALSE, sizeof(struct interval));
        v->ran_on = g_array_new(FALSE, FALSE, sizeof(int32_t));
        v->waited = g_array_new(FALSE, FALSE, sizeof(struct interval));
        v->periods = g_array_new(FALSE, FALSE, sizeof(struct period));
        g_ptr_array_add(s->vcpus, v);
    }
    if (s->by_index->len <= vcpu->index)
        g_ptr_array_set_size(s->by_index, (int)vcpu->index + 1);
    s->by_index->pdata[vcpu->index] = v;
    return true;
}

static struct vcpu *find(const struct xt_supply *s, const struct xt_vcpu *vcpu)
{
    return vcpu->index < s->by_index->len ? s->by_index->pdata[vcpu->index] : NULL;
}

static bool on_dispatch(void *self, const struct xt_dispatch *d, GError **error)
{
    struct xt_supply *s = self;
    struct vcpu *v = find(s, d->vcpu);
    struct interval interval = { d->run_ts, d->end_ts }, wait = { d->ready_ts, d->run_ts };

    if (!v)
        return true;
    if (s->n_intervals == MAX_INTERVALS) {
        s->known_until = MIN(s->known_until, d->ready_ts);
        return true;
    }
    s->n_intervals++;
    if (d->end_ts > d->run_ts) {
        g_array_append_val(v->ran, interval);
        g_array_append_val(v->ran_on, d->pcpu);
    }
    if (d->run_ts > d->ready_ts)
        g_array_append_val(v->waited, wait);
    return true;
}

/* A wait without a dispatch at its end, at the run's or in front of lost records. */
static bool on_interval(void *self, const struct xt_interval *i, GError **error)
{
    struct xt_supply *s = self;
    struct vcpu *v = find(s, i->vcpu);
    struct interval wait = { i->ts, i->end_ts };

    if (!v || i->state != XT_RUNNABLE || s->n_intervals == MAX_INTERVALS)
        return true;
    s->n_intervals++;
    g_array_append_val(v->waited, wait);
    return true;
}

static bool on_period(void *self, const struct xt_period *p, GError **error)
{
    struct vcpu *v = find(self, p->vcpu);
    struct period period = { p->release, p->deadline, p->missed };

    if (v && p->judged)
        g_array_append_val(v->periods, period);
    return true;
}

static bool on_loss(void *self, const struct xt_loss *loss, GError **error)
{
    struct xt_supply *s = self;
    struct interval interval = { loss->ts, loss->end_ts };

    g_array_append_val(s->losses, interval);
    return true;
}

struct xt_supply *xt_supply_new(const uint16_t *domids, unsigned n_domids)
{
    struct xt_supply *s = g_new0(struct xt_supply, 1);

    s->domids = g_memdup2(domids, n_domids * sizeof(*domids));
    s->n_domids = n_domids;
    s->vcpus = g_ptr_array_new_with_free_func(free_vcpu);
    s->by_index = g_ptr_array_new();
    s->losses = g_array_new(FALSE, FALSE, sizeof(struct interval));
    s->sink = (struct xt_sink){
        .self = s, .begin = on_begin, .vcpu = on_vcpu, .dispatch = on_dispatch, .interval = on_interval,
        .period = on_period, .loss = on_loss,
    };
    return s;
}

void xt_supply_free(struct xt_supply *s)
{
    if (!s)
        return;
    g_free(s->domids);
    g_ptr_array_unref(s->vcpus);
    g_ptr_array_unref(s->by_index);
    g_array_unref(s->losses);
    g_free(s);
}

const struct xt_sink *xt_supply_sink(struct xt_supply *s)
{
    return &s->sink;
}

int64_t xt_supply_duration_ns(const struct xt_supply *s)
{
    return s->duration_ns;
}

static bool is_meant(const struct vcpu *v, uint16_t domid, int vcpu)
{
    return v->domid == domid && (vcpu < 0 || v->vcpu == vcpu);
}

/* Number of the first interval that ends after ts. */
static guint first_after(const GArray *intervals, int64_t ts)
{
    guint lo = 0, hi = intervals->len;

    while (lo < hi) {
        guint mid = lo + (hi - lo) / 2;
        if (g_array_index(intervals, struct interval, mid).end_ts > ts)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

static bool is_lost(const struct xt_supply *s, int64_t ts)
{
    for (guint i = 0; i < s->losses->len; i++) {
        const struct interval *loss = &g_array_index(s->losses, struct interval, i);
        if (ts >= loss->ts && ts <= loss->end_ts)
            return true;
    }
    return false;
}

enum xt_ran xt_supply_ran(const struct xt_supply *s, uint16_t domid, int vcpu, int64_t ts, int64_t slack_ns)
{
    bool seen = false;

    if (ts < 0 || ts > s->known_until)
        return XT_RAN_UNKNOWN;
    for (guint i = 0; i < s->vcpus->len; i++) {
        const struct vcpu *v = s->vcpus->pdata[i];
        if (!is_meant(v, domid, vcpu))
            continue;
        seen = true;
        guint n = first_after(v->ran, ts - slack_ns - 1);
        if (n < v->ran->len && g_array_index(v->ran, struct interval, n).ts <= ts + slack_ns)
            return XT_RAN_YES;
    }
    return !seen || is_lost(s, ts) ? XT_RAN_UNKNOWN : XT_RAN_NO;
}

bool xt_supply_interval(const struct xt_supply *s, uint16_t domid, int vcpu, int32_t pcpu, int64_t ts, int64_t slack_ns,
                        int64_t *from, int64_t *to)
{
    bool found = false;

    for (guint i = 0; i < s->vcpus->len; i++) {
        const struct vcpu *v = s->vcpus->pdata[i];
        guint n = is_meant(v, domid, vcpu) ? first_after(v->ran, ts - slack_ns - 1) : v->ran->len;
        for (; n < v->ran->len && g_array_index(v->ran, struct interval, n).ts <= ts + slack_ns; n++) {
            const struct interval *interval = &g_array_index(v->ran, struct interval, n);
            bool at = interval->ts <= ts && interval->end_ts >= ts;
            if ((pcpu >= 0 && g_array_index(v->ran_on, int32_t, n) != pcpu) || (found && !at))
                continue;
            *from = interval->ts;
            *to = interval->end_ts;
            found = true;
            if (at)
                return true;
        }
    }
    return found;
}

void xt_supply_ran_at(const struct xt_supply *s, uint16_t domid, int vcpu, int32_t pcpu, int64_t ts, int64_t step_ns,
                      unsigned n, int64_t slack_ns, uint8_t ran[])
{
    int64_t end_ts = ts + (int64_t)n * step_ns;

    memset(ran, 0, n);
    for (guint i = 0; i < s->vcpus->len; i++) {
        const struct vcpu *v = s->vcpus->pdata[i];
        guint k = is_meant(v, domid, vcpu) ? first_after(v->ran, ts - slack_ns - 1) : v->ran->len;
        for (; k < v->ran->len; k++) {
            const struct interval *interval = &g_array_index(v->ran, struct interval, k);
            int64_t from = interval->ts - slack_ns, to = interval->end_ts + slack_ns;
            if (from >= end_ts)
                break;
            int64_t first = from <= ts ? 0 : (from - ts + step_ns - 1) / step_ns;
            int64_t last = MIN((to - ts) / step_ns, (int64_t)n - 1);
            if (first <= last && (pcpu < 0 || g_array_index(v->ran_on, int32_t, k) == pcpu))
                memset(ran + first, 1, (size_t)(last - first + 1));
        }
    }
}

static gint compare_pcpus(gconstpointer a, gconstpointer b)
{
    return *(const int32_t *)a - *(const int32_t *)b;
}

GArray *xt_supply_pcpus(const struct xt_supply *s, uint16_t domid)
{
    GHashTable *seen = g_hash_table_new(NULL, NULL);
    GArray *pcpus = g_array_new(FALSE, FALSE, sizeof(int32_t));

    for (guint i = 0; i < s->vcpus->len; i++) {
        const struct vcpu *v = s->vcpus->pdata[i];
        for (guint n = 0; is_meant(v, domid, -1) && n < v->ran_on->len; n++)
            if (g_hash_table_add(seen, GINT_TO_POINTER(g_array_index(v->ran_on, int32_t, n))))
                g_array_append_val(pcpus, g_array_index(v->ran_on, int32_t, n));
    }
    g_array_sort(pcpus, compare_pcpus);
    g_hash_table_unref(seen);
    return pcpus;
}

static int64_t overlap_ns(const GArray *intervals, int64_t from, int64_t to)
{
    int64_t sum = 0;

    for (guint n = first_after(intervals, from); n < intervals->len; n++) {
        const struct interval *interval = &g_array_index(intervals, struct interval, n);
        if (interval->ts >= to)
            break;
        sum += MIN(interval->end_ts, to) - MAX(interval->ts, from);
    }
    return sum;
}

int64_t xt_supply_ns(const struct xt_supply *s, uint16_t domid, int vcpu, int64_t from, int64_t to)
{
    int64_t sum = 0;

    for (guint i = 0; i < s->vcpus->len; i++)
        if (is_meant(s->vcpus->pdata[i], domid, vcpu))
            sum += overlap_ns(((const struct vcpu *)s->vcpus->pdata[i])->ran, from, to);
    return sum;
}

static gint compare_starts(gconstpointer a, gconstpointer b)
{
    const struct interval *x = a, *y = b;

    return (x->ts > y->ts) - (x->ts < y->ts);
}

int64_t xt_supply_waited_ns(const struct xt_supply *s, uint16_t domid, int64_t from, int64_t to)
{
    GArray *waits = g_array_new(FALSE, FALSE, sizeof(struct interval));
    int64_t sum = 0, until = from;

    for (guint i = 0; i < s->vcpus->len; i++) {
        const struct vcpu *v = s->vcpus->pdata[i];
        for (guint n = is_meant(v, domid, -1) ? first_after(v->waited, from) : v->waited->len; n < v->waited->len; n++) {
            const struct interval *wait = &g_array_index(v->waited, struct interval, n);
            if (wait->ts >= to)
                break;
            g_array_append_vals(waits, wait, 1);
        }
    }
    g_array_sort(waits, compare_starts);
    for (guint i = 0; i < waits->len; i++) {
        const struct interval *wait = &g_array_index(waits, struct interval, i);
        sum += MAX(MIN(wait->end_ts, to) - MAX(wait->ts, until), 0);
        until = MAX(until, wait->end_ts);
    }
    g_array_unref(waits);
    return sum;
}

void xt_supply_periods(const struct xt_supply *s, uint16_t domid, int64_t from, int64_t to, unsigned *judged,
                       unsigned *missed)
{
    *judged = *missed = 0;
    for (guint i = 0; i < s->vcpus->len; i++) {
        const struct vcpu *v = s->vcpus->pdata[i];
        guint lo = 0, hi = is_meant(v, domid, -1) ? v->periods->len : 0;
        while (lo < hi) {
            guint mid = lo + (hi - lo) / 2;
            if (g_array_index(v->periods, struct period, mid).deadline > from)
                hi = mid;
            else
                lo = mid + 1;
        }
        for (; is_meant(v, domid, -1) && lo < v->periods->len; lo++) {
            const struct period *p = &g_array_index(v->periods, struct period, lo);
            if (p->release >= to)
                break;
            (*judged)++;
            *missed += p->missed;
        }
    }
}

double xt_supply_share(const struct xt_supply *s, uint16_t domid)
{
    const int samples = 4096; /* evenly spread; the figure is shown to whole percents */
    int known = 0, running = 0;

    for (int i = 0; i < samples; i++) {
        enum xt_ran ran = xt_supply_ran(s, domid, -1, (int64_t)((double)s->duration_ns * i / samples), 0);
        known += ran != XT_RAN_UNKNOWN;
        running += ran == XT_RAN_YES;
    }
    return known ? (double)running / known : 0;
}
