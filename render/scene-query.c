#include "render/scene-query.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse/error.h"
#include "render/axis.h"

#define ALWAYS_EXACT_NS 100000000 /* windows up to this show every box */
#define MOST_EXACT 300000         /* intervals; beyond, memory and file would grow without use */
#define MOST_CELLS 40000          /* rows times columns of an overview: bounds its size as a file */
#define LEAST_COLUMNS 150
#define MANY_VCPUS 24 /* from here on, rows in which nothing happens are left out */
#define DEFAULT_WIDTH_NS 100000000
#define LONGEST_LOOKBACK_NS 2000000000 /* for the replenishment before the window */

/* State of one query. */
struct query {
    struct xt_db *db;
    const struct xt_scene_request *request;
    struct xt_db_run *run;
    struct xt_scene *scene;
    GPtrArray *vcpus;    /* struct xt_db_vcpu * */
    GHashTable *index;   /* struct xt_db_vcpu.id -> index in scene->vcpus + 1 */
    GHashTable *all;     /* likewise, every VCPU but idle ones -> struct xt_db_vcpu * */
    GArray *periods;     /* struct xt_db_period that are shown */
    GArray *replenish;   /* struct xt_scene_replenish */
    GArray *before;      /* struct xt_scene_interval before or in the window, for the budgets */
    int64_t lookback;    /* where those begin: the earliest of the servers' last replenishments before the window */
    uint64_t *row_count; /* intervals by VCPU */
};

static int index_of(const struct query *q, int64_t vcpu)
{
    return GPOINTER_TO_INT(g_hash_table_lookup(q->index, &vcpu)) - 1;
}

/* Hidden VCPUs have no row, but what they ran shows in the rows of pCPUs. */
static bool is_hidden(const struct query *q, int index)
{
    return g_array_index(q->scene->vcpus, struct xt_scene_vcpu, index).hidden;
}

static const struct xt_db_vcpu *vcpu_of(const struct query *q, int64_t id)
{
    return g_hash_table_lookup(q->all, &id);
}

static void centre(struct query *q, int64_t middle, int64_t width)
{
    width = q->request->width > 0 ? q->request->width : MIN(width, q->run->duration_ns);
    q->scene->from = MAX(middle - width / 2, 0);
    q->scene->to = MIN(q->scene->from + width, q->run->duration_ns);
    q->scene->from = MAX(MIN(q->scene->from, q->scene->to - width), 0);
}

static bool find_miss(struct query *q, int n, struct xt_db_period *period, GError **error)
{
    GArray *misses = xt_db_misses(q->db, q->run->id, INT64_MIN, INT64_MAX, error);
    if (!misses)
        return false;
    bool ok = false;
    if ((unsigned)n <= misses->len)
        ok = xt_db_period_get(q->db, g_array_index(misses, struct xt_db_miss, n - 1).id, period, error);
    else
        g_set_error(error, XT_ERROR, XT_ERROR_USAGE,
                    misses->len > 0 ? "run %s has no miss %d: it has misses 1 to %u"
                                    : "run %s has no miss %d: no server period was missed",
                    q->run->name, n, misses->len);
    g_array_unref(misses);
    return ok;
}

static bool window_of_miss(struct query *q, GError **error)
{
    int n = q->request->miss;
    struct xt_db_period period, *m = &period;
    if (!find_miss(q, n, &period, error))
        return false;
    const struct xt_db_vcpu *vcpu = vcpu_of(q, m->vcpu);
    static const char *const causes[XT_N_BLAMES] = {[XT_BLAME_OVERLOAD] = "work with an earlier deadline",
                                                    [XT_BLAME_INVERSION] = "work with a later deadline",
                                                    [XT_BLAME_LATENCY] = "an idle pCPU",
                                                    [XT_BLAME_UNKNOWN] = "unknown"};
    GString *note = g_string_new(NULL);
    char a[32], b[32], c[32], d[32];

    centre(q, m->deadline - m->period_ns / 2, MAX(m->period_ns * 6, 1000000));
    g_string_append_printf(note,
                           "Miss %d: d%dv%d got %s of %s by its deadline at %s, %s short; its waiting is due "
                           "to",
                           n, vcpu ? vcpu->domid : 0, vcpu ? vcpu->vcpu : 0,
                           xt_format_duration(a, sizeof(a), (double)m->supplied_ns, 4),
                           xt_format_duration(b, sizeof(b), (double)m->budget_ns, 4),
                           xt_format_duration(c, sizeof(c), (double)m->deadline, 7),
                           xt_format_duration(d, sizeof(d), (double)m->short_ns, 4));
    bool any = false;
    for (unsigned i = 0; i < XT_N_BLAMES; i++) {
        if (m->blame_ns[i] <= 0)
            continue;
        g_string_append_printf(note, "%s %s (%s)", any ? "," : "", causes[i],
                               xt_format_duration(a, sizeof(a), (double)m->blame_ns[i], 4));
        any = true;
    }
    if (!any)
        g_string_append(note, " no recorded cause");
    q->scene->note = g_string_free(note, FALSE);
    return true;
}

struct job_search {
    const char *text;
    int64_t release, deadline;
    bool found;
};

static bool match_job(void *user, const struct xt_db_job *job)
{
    struct job_search *search = user;
    char *name = g_strdup_printf("%s/%s/%" G_GINT64_FORMAT, job->domain ? job->domain : "",
                                 job->task ? job->task : "", job->job);
    search->found = strcmp(name, search->text) == 0;
    g_free(name);
    if (!search->found)
        return true;
    search->release = job->release;
    search->deadline = MAX(job->deadline, job->completion);
    return false;
}

static bool window_of_job(struct query *q, GError **error)
{
    struct job_search search = {.text = q->request->job};
    if (!xt_db_each_job(q->db, q->run->id, INT64_MIN, INT64_MAX, -1, match_job, &search, error))
        return false;
    if (!search.found) {
        g_set_error(error, XT_ERROR, XT_ERROR_USAGE,
                    "run %s has no job %s (expected DOMAIN/TASK/NUMBER as in view jobs, e.g. vm1/1/17)",
                    q->run->name, q->request->job);
        return false;
    }
    centre(q, (search.release + search.deadline) / 2, MAX((search.deadline - search.release) * 3, 1000000));
    q->scene->note = g_strdup_printf("Job %s", q->request->job);
    return true;
}

static bool choose_window(struct query *q, GError **error)
{
    const struct xt_scene_request *r = q->request;
    int64_t end = q->run->duration_ns;

    if (r->miss > 0)
        return window_of_miss(q, error);
    if (r->job)
        return window_of_job(q, error);
    if (r->around >= 0) {
        if (r->around > end) {
            g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "run %s ends after %.6f s", q->run->name,
                        (double)end / 1e9);
            return false;
        }
        centre(q, r->around, DEFAULT_WIDTH_NS);
        return true;
    }
    q->scene->from = MAX(r->from, 0);
    q->scene->to = r->to < 0 ? end : MIN(r->to, end);
    if (q->scene->from < q->scene->to)
        return true;
    g_set_error(error, XT_ERROR, XT_ERROR_USAGE,
                "the window from %.6f s to %.6f s is empty; run %s lasts %.6f s",
                (double)q->scene->from / 1e9, (double)(r->to < 0 ? end : r->to) / 1e9, q->run->name,
                (double)end / 1e9);
    return false;
}

/* "d1v0" or "d1". */
static bool matches_text(const struct xt_db_vcpu *vcpu, const char *text)
{
    char full[32], domain[32];
    snprintf(full, sizeof(full), "d%uv%u", vcpu->domid, vcpu->vcpu);
    snprintf(domain, sizeof(domain), "d%u", vcpu->domid);
    return strcmp(text, full) == 0 || strcmp(text, domain) == 0;
}

static bool matches_domain(const struct xt_db_vcpu *vcpu, const char *text)
{
    char number[16], prefixed[16];
    snprintf(number, sizeof(number), "%u", vcpu->domid);
    snprintf(prefixed, sizeof(prefixed), "d%u", vcpu->domid);
    return g_strcmp0(vcpu->domain, text) == 0 || strcmp(number, text) == 0 || strcmp(prefixed, text) == 0;
}

static bool is_selected(const struct query *q, const struct xt_db_vcpu *vcpu)
{
    const struct xt_scene_request *r = q->request;
    if (!r->vcpus && !r->domains)
        return vcpu->in_trace;
    for (unsigned i = 0; r->vcpus && r->vcpus[i]; i++)
        if (matches_text(vcpu, r->vcpus[i]))
            return true;
    for (unsigned i = 0; r->domains && r->domains[i]; i++)
        if (matches_domain(vcpu, r->domains[i]))
            return true;
    return false;
}

/* Every word of a selection must mean something. */
static bool check_selection(const struct query *q, const char *const *texts, const char *what,
                            bool (*matches)(const struct xt_db_vcpu *, const char *), GError **error)
{
    for (unsigned i = 0; texts && texts[i]; i++) {
        bool any = false;
        for (unsigned v = 0; v < q->vcpus->len && !any; v++) {
            const struct xt_db_vcpu *vcpu = q->vcpus->pdata[v];
            any = vcpu->domid != XT_IDLE_DOMID && matches(vcpu, texts[i]);
        }
        if (any)
            continue;
        g_set_error(error, XT_ERROR, XT_ERROR_USAGE,
                    "run %s has no %s \"%s\"; `xentrail stats` lists what it has", q->run->name, what,
                    texts[i]);
        return false;
    }
    return true;
}

static bool choose_vcpus(struct query *q, GError **error)
{
    if (!check_selection(q, q->request->vcpus, "VCPU", matches_text, error) ||
        !check_selection(q, q->request->domains, "domain", matches_domain, error))
        return false;

    for (unsigned i = 0; i < q->vcpus->len; i++) {
        struct xt_db_vcpu *vcpu = q->vcpus->pdata[i];
        if (vcpu->domid == XT_IDLE_DOMID)
            continue;
        g_hash_table_insert(q->all, &vcpu->id, vcpu);
        bool own = vcpu->period_ns > 0, selected = is_selected(q, vcpu);
        if (!selected && !vcpu->in_trace)
            continue;
        struct xt_scene_vcpu v = {
            .domid = vcpu->domid,
            .vcpu = vcpu->vcpu,
            .domain = g_strdup(vcpu->domain),
            .period_ns = own ? vcpu->period_ns : vcpu->ref_period_ns,
            .budget_ns = own ? vcpu->budget_ns : vcpu->ref_budget_ns,
            .reference = !own,
            .hidden = !selected,
        };
        g_array_append_val(q->scene->vcpus, v);
        g_hash_table_insert(q->index, &vcpu->id, GINT_TO_POINTER(q->scene->vcpus->len));
    }
    return true;
}

static void add_to_density(struct query *q, const struct xt_scene_interval *i)
{
    struct xt_density *d = q->scene->density;
    int row = xt_density_row_vcpu(i->vcpu);

    if (i->state == XT_RUNNING) {
        int domid = g_array_index(q->scene->vcpus, struct xt_scene_vcpu, i->vcpu).domid;
        xt_density_add(d, row, q->request->colour_by_pcpu ? MAX(i->pcpu, 0) : 0, i->ts, i->end_ts);
        if (i->pcpu >= 0)
            xt_density_add(d, xt_density_row_pcpu(i->pcpu), domid, i->ts, i->end_ts);
    } else {
        xt_density_add(d, row, i->state == XT_RUNNABLE ? XT_SHARE_RUNNABLE : XT_SHARE_UNKNOWN, i->ts,
                       i->end_ts);
    }
}

/* How many columns an overview should have: less than the figure could show where there are many rows. */
static unsigned columns_wanted(const struct query *q)
{
    unsigned rows = q->scene->vcpus->len + q->scene->pcpus->len, most = q->request->n_columns;
    return CLAMP(MOST_CELLS / MAX(rows, 1u), MIN(LEAST_COLUMNS, most), most);
}

/* What was collected as boxes becomes an overview; further intervals go there at once. */
static void turn_to_density(struct query *q)
{
    int64_t from = q->scene->from, to = q->scene->to, columns = columns_wanted(q);
    q->scene->density = xt_density_new(from, to, from, (to - from + columns - 1) / columns);
    for (unsigned i = 0; i < q->scene->intervals->len; i++)
        add_to_density(q, &g_array_index(q->scene->intervals, struct xt_scene_interval, i));
    g_array_set_size(q->scene->intervals, 0);
    g_array_set_size(q->before, 0);
}

static bool too_many(const struct query *q, uint64_t row_count)
{
    const struct xt_scene *scene = q->scene;
    if (q->request->detail == XT_DETAIL_EXACT)
        return false;
    if (scene->intervals->len >= MOST_EXACT)
        return true;
    return scene->to - scene->from > ALWAYS_EXACT_NS && row_count > q->request->n_columns;
}

/* Of the VCPU in the scene; -1 if the interval is not drawn. */
static int drawn_index(const struct query *q, const struct xt_db_interval *row)
{
    return row->state == XT_BLOCKED || row->state == XT_OFFLINE ? -1 : index_of(q, row->vcpu);
}

static bool take_interval(void *user, const struct xt_db_interval *row)
{
    struct query *q = user;
    int index = drawn_index(q, row);
    if (index < 0)
        return true;

    struct xt_scene_interval i = {
        .vcpu = index,
        .state = row->state,
        .reason = row->reason,
        .pcpu = row->pcpu,
        .ts = row->ts,
        .end_ts = row->end_ts,
        .no_end = row->reason == XT_REASON_NONE,
    };
    bool inside = row->end_ts > q->scene->from && row->ts < q->scene->to;
    if (!q->scene->density)
        g_array_append_val(q->before, i);
    if (!inside)
        return true;

    struct xt_scene_vcpu *vcpu = &g_array_index(q->scene->vcpus, struct xt_scene_vcpu, index);
    if (row->state == XT_RUNNING)
        vcpu->running_ns += MIN(row->end_ts, q->scene->to) - MAX(row->ts, q->scene->from);
    q->scene->n_intervals++;
    q->row_count[index]++;
    if (q->scene->density)
        add_to_density(q, &i);
    else
        g_array_append_val(q->scene->intervals, i);
    if (!q->scene->density && too_many(q, q->row_count[index]))
        turn_to_density(q);
    return true;
}

/* Bins of shares that lie in the window as a whole. */
struct bins {
    int64_t first, end;
};

static struct bins whole_bins(const struct query *q)
{
    int64_t ns = q->run->share_ns, from = q->scene->from, to = q->scene->to;
    if (ns == 0)
        return (struct bins){0, 0};
    return (struct bins){.first = (from + ns - 1) / ns, .end = to == q->run->duration_ns ? (to + ns - 1) / ns : to / ns};
}

static void add_running_share(struct query *q, const struct xt_db_share *share, int index, int64_t ts)
{
    struct xt_density *d = q->scene->density;
    int row = xt_density_row_vcpu(index), domid = g_array_index(q->scene->vcpus, struct xt_scene_vcpu, index).domid;
    int64_t nowhere = share->running_ns;

    for (unsigned i = 0; i < share->n_places; i++) {
        const struct xt_db_place *place = &share->places[i];
        xt_density_add_at(d, xt_density_row_pcpu(place->pcpu), domid, ts, place->running_ns);
        if (!q->request->colour_by_pcpu)
            continue;
        xt_density_add_at(d, row, place->pcpu, ts, place->running_ns);
        nowhere -= place->running_ns;
    }
    if (nowhere > 0)
        xt_density_add_at(d, row, 0, ts, nowhere);
}

static bool take_share(void *user, const struct xt_db_share *share)
{
    struct query *q = user;
    struct xt_density *d = q->scene->density;
    int index = index_of(q, share->vcpu);
    int64_t ts = share->bin * q->run->share_ns;

    if (index < 0)
        return true;
    add_running_share(q, share, index, ts);
    if (share->runnable_ns > 0)
        xt_density_add_at(d, xt_density_row_vcpu(index), XT_SHARE_RUNNABLE, ts, share->runnable_ns);
    if (share->unknown_ns > 0)
        xt_density_add_at(d, xt_density_row_vcpu(index), XT_SHARE_UNKNOWN, ts, share->unknown_ns);
    g_array_index(q->scene->vcpus, struct xt_scene_vcpu, index).running_ns += share->running_ns;
    q->row_count[index] += share->intervals;
    q->scene->n_intervals += share->intervals;
    return true;
}

/* A part of the window that no whole bin covers. */
struct edge {
    struct query *q;
    int64_t from, to;
};

static bool take_edge(void *user, const struct xt_db_interval *row)
{
    const struct edge *edge = user;
    struct query *q = edge->q;
    int index = drawn_index(q, row);
    if (index < 0)
        return true;

    struct xt_scene_interval i = {
        .vcpu = index,
        .state = row->state,
        .pcpu = row->pcpu,
        .ts = MAX(row->ts, edge->from),
        .end_ts = MIN(row->end_ts, edge->to),
    };
    add_to_density(q, &i);
    if (row->state == XT_RUNNING)
        g_array_index(q->scene->vcpus, struct xt_scene_vcpu, index).running_ns += i.end_ts - i.ts;
    if (row->ts < edge->from && edge->from > q->scene->from)
        return true; /* counted where it began */
    q->row_count[index]++;
    q->scene->n_intervals++;
    return true;
}

static bool read_edge(struct query *q, int64_t from, int64_t to, GError **error)
{
    struct edge edge = {q, from, to};
    return from >= to || xt_db_each_interval(q->db, q->run->id, from, to, 0, take_edge, &edge, error);
}

/* Fills the density from shares, and from intervals where the window cuts a bin: columns are as many bins wide as it
 * takes, so every sum is exact. */
static bool read_shares(struct query *q, struct bins bins, GError **error)
{
    struct xt_scene *scene = q->scene;
    int64_t ns = q->run->share_ns, most = MAX(columns_wanted(q) * 5 / 4, 1u);
    int64_t column_ns = ns * ((bins.end - bins.first + most - 1) / most);

    scene->density = xt_density_new(scene->from, scene->to, scene->from / column_ns * column_ns, column_ns);
    return read_edge(q, scene->from, bins.first * ns, error) &&
           xt_db_each_share(q->db, q->run->id, bins.first, bins.end, take_share, q, error) &&
           read_edge(q, bins.end * ns, scene->to, error);
}

static bool has_full_row(const struct query *q)
{
    for (unsigned v = 0; v < q->scene->vcpus->len; v++)
        if (too_many(q, q->row_count[v]))
            return true;
    return q->scene->n_intervals >= MOST_EXACT;
}

static void forget_density(struct query *q)
{
    g_clear_pointer(&q->scene->density, xt_density_free);
    q->scene->n_intervals = 0;
    for (unsigned v = 0; v < q->scene->vcpus->len; v++) {
        q->row_count[v] = 0;
        g_array_index(q->scene->vcpus, struct xt_scene_vcpu, v).running_ns = 0;
    }
}

/* An overview from the shares of a long run, if that is what is wanted and they are fine enough; else there is no density
 * afterwards. */
static bool try_shares(struct query *q, GError **error)
{
    struct bins bins = whole_bins(q);
    enum xt_detail detail = q->request->detail;

    if (detail == XT_DETAIL_EXACT || bins.end - bins.first < MAX(columns_wanted(q) / 2, 1u) ||
        (detail == XT_DETAIL_AUTO && q->scene->to - q->scene->from <= ALWAYS_EXACT_NS))
        return true;
    if (!read_shares(q, bins, error))
        return false;
    if (detail == XT_DETAIL_AUTO && !has_full_row(q))
        forget_density(q);
    return true;
}

static bool take_dispatch(void *user, const struct xt_db_dispatch *row)
{
    struct query *q = user;
    int index = index_of(q, row->vcpu);
    if (index < 0 || !(row->flags & XT_D_MIGRATED) || is_hidden(q, index))
        return true;
    bool known = !(row->flags & XT_D_ACROSS_LOSS);
    struct xt_scene_migration m = {
        .vcpu = index,
        .from_pcpu = row->from_pcpu,
        .to_pcpu = row->pcpu,
        .left_ts = !known                          ? -1
                   : row->off_state == XT_NO_STATE ? row->ready_ts
                                                   : row->off_ts,
        .ts = row->run_ts,
    };
    if (m.ts >= q->scene->from && m.ts < q->scene->to)
        g_array_append_val(q->scene->migrations, m);
    return true;
}

static bool take_replenish(void *user, const struct xt_db_replenish *row)
{
    struct query *q = user;
    int index = index_of(q, row->vcpu);
    struct xt_scene_replenish r = {index, row->ts, row->budget_ns};
    if (index >= 0 && !is_hidden(q, index))
        g_array_append_val(q->replenish, r);
    return true;
}

/* false: of a VCPU without a row, or of a reference reservation where the server's own is what it was
 * scheduled by. */
static bool is_shown(const struct query *q, int64_t vcpu, bool reference)
{
    int index = index_of(q, vcpu);
    return index >= 0 && !is_hidden(q, index) && !(reference && vcpu_of(q, vcpu)->period_ns > 0);
}

static bool take_period(void *user, const struct xt_db_period *row)
{
    struct query *q = user;
    if (is_shown(q, row->vcpu, row->reference))
        g_array_append_val(q->periods, *row);
    return true;
}

static int compare_misses(const void *a, const void *b)
{
    const struct xt_db_miss *x = a, *y = b;
    if (x->deadline != y->deadline)
        return x->deadline < y->deadline ? -1 : 1;
    return x->vcpu < y->vcpu ? -1 : x->vcpu > y->vcpu;
}

static int miss_number(const GArray *misses, const struct xt_db_period *period)
{
    struct xt_db_miss key = {.vcpu = period->vcpu, .deadline = period->deadline};
    const struct xt_db_miss *found =
        period->missed ? bsearch(&key, misses->data, misses->len, sizeof(key), compare_misses) : NULL;
    return found ? found->number : 0;
}

/* Periods become the scene's when the misses among them have their numbers. */
static bool add_periods(struct query *q, GError **error)
{
    int64_t first = INT64_MAX, last = INT64_MIN;
    for (unsigned n = 0; n < q->periods->len; n++) {
        const struct xt_db_period *p = &g_array_index(q->periods, struct xt_db_period, n);
        first = p->missed ? MIN(first, p->deadline) : first;
        last = p->missed ? MAX(last, p->deadline) : last;
    }
    GArray *misses = first <= last ? xt_db_misses(q->db, q->run->id, first, last + 1, error) : NULL;
    if (first <= last && !misses)
        return false;
    for (unsigned n = 0; n < q->periods->len; n++) {
        const struct xt_db_period *row = &g_array_index(q->periods, struct xt_db_period, n);
        struct xt_scene_period p = {
            .vcpu = index_of(q, row->vcpu),
            .release = row->release,
            .deadline = row->deadline,
            .budget_ns = row->budget_ns,
            .supplied_ns = row->supplied_ns,
            .judged = row->judged,
            .missed = row->missed,
            .reference = row->reference,
            .number = miss_number(misses, row),
        };
        g_array_append_val(q->scene->periods, p);
    }
    if (misses)
        g_array_unref(misses);
    return true;
}

/* Of an overview: every miss of the window. */
static bool add_misses(struct query *q, GError **error)
{
    GArray *misses = xt_db_misses(q->db, q->run->id, q->scene->from, q->scene->to, error);
    if (!misses)
        return false;
    for (unsigned i = 0; i < misses->len; i++) {
        const struct xt_db_miss *row = &g_array_index(misses, struct xt_db_miss, i);
        if (!is_shown(q, row->vcpu, row->reference))
            continue;
        struct xt_scene_miss miss = {index_of(q, row->vcpu), row->release, row->deadline, row->number};
        g_array_append_val(q->scene->misses, miss);
        xt_density_add_at(q->scene->density, xt_density_row_vcpu(miss.vcpu), XT_SHARE_MISSES, miss.deadline, 1);
    }
    g_array_unref(misses);
    return true;
}

static bool take_loss(void *user, const struct xt_loss *loss)
{
    struct query *q = user;
    struct xt_scene_loss l = {loss->pcpu, loss->ts, loss->end_ts, loss->lost_records};
    g_array_append_val(q->scene->losses, l);
    if (q->scene->density)
        xt_density_add(q->scene->density, xt_density_row_pcpu(l.pcpu), XT_SHARE_UNKNOWN, l.ts, l.end_ts);
    return true;
}

static bool take_job(void *user, const struct xt_db_job *row)
{
    struct query *q = user;
    bool shown = false;
    for (unsigned v = 0; v < q->scene->vcpus->len && !shown; v++) {
        const struct xt_scene_vcpu *vcpu = &g_array_index(q->scene->vcpus, struct xt_scene_vcpu, v);
        if (vcpu->hidden)
            continue;
        shown = row->domid >= 0 ? vcpu->domid == row->domid : g_strcmp0(vcpu->domain, row->domain) == 0;
    }
    if (!shown)
        return true;
    struct xt_scene_job job = {
        .domain = g_strdup(row->domain),
        .task = g_strdup(row->task),
        .number = row->job,
        .release = row->release,
        .start = row->start == INT64_MIN ? -1 : row->start,
        .completion = row->completion == INT64_MIN ? -1 : row->completion,
        .deadline = row->deadline,
        .missed = row->missed == 1,
    };
    g_array_append_val(q->scene->jobs, job);
    return true;
}

static int compare_jobs(const void *a, const void *b)
{
    const struct xt_scene_job *x = a, *y = b;
    int order = g_strcmp0(x->domain, y->domain);
    if (order == 0 && x->task && y->task && strlen(x->task) != strlen(y->task))
        order = strlen(x->task) < strlen(y->task) ? -1 : 1; /* task 2 before task 10 */
    if (order == 0)
        order = g_strcmp0(x->task, y->task);
    return order != 0 ? order : x->release < y->release ? -1 : x->release > y->release;
}

static int compare_intervals(const void *a, const void *b)
{
    const struct xt_scene_interval *x = a, *y = b;
    if (x->vcpu != y->vcpu)
        return x->vcpu - y->vcpu;
    return x->ts < y->ts ? -1 : x->ts > y->ts;
}

static int compare_replenish(const void *a, const void *b)
{
    const struct xt_scene_replenish *x = a, *y = b;
    if (x->vcpu != y->vcpu)
        return x->vcpu - y->vcpu;
    return x->ts < y->ts ? -1 : x->ts > y->ts;
}

/* Servers that lose budget while blocked, by the findings of conformance; for these the sawtooth would lie.
 * NULL with error. */
static GHashTable *find_periodic(const struct query *q, GError **error)
{
    static const char sql[] = "SELECT v.id FROM servers s JOIN vcpu v ON v.run = s.run AND v.domid = s.domid "
                              "AND v.vcpu = s.vcpu "
                              "WHERE s.run = ? AND s.kind = 'periodic'";
    sqlite3 *db = xt_db_sqlite(q->db);
    sqlite3_stmt *stmt;
    int rc = SQLITE_ERROR;
    GHashTable *found = g_hash_table_new(NULL, NULL);

    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK) {
        sqlite3_bind_int64(stmt, 1, q->run->id);
        while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
            g_hash_table_add(found, GINT_TO_POINTER(index_of(q, sqlite3_column_int64(stmt, 0))));
        sqlite3_finalize(stmt);
    }
    if (rc == SQLITE_DONE)
        return found;
    g_set_error(error, XT_ERROR, XT_ERROR_INPUT, "%s: %s", xt_db_path(q->db), sqlite3_errmsg(db));
    g_hash_table_unref(found);
    return NULL;
}

/* Budgets of every server from its last replenishment before the window on. */
static bool add_budgets(struct query *q, GError **error)
{
    unsigned at_r = 0, at_i = 0;
    GHashTable *periodic = find_periodic(q, error);

    if (!periodic)
        return false;

    g_array_sort(q->replenish, compare_replenish);
    g_array_sort(q->before, compare_intervals);
    const struct xt_scene_replenish *r = (const struct xt_scene_replenish *)q->replenish->data;
    const struct xt_scene_interval *i = (const struct xt_scene_interval *)q->before->data;
    for (int v = 0; v < (int)q->scene->vcpus->len; v++) {
        while (at_r < q->replenish->len && r[at_r].vcpu < v)
            at_r++;
        while (at_i < q->before->len && i[at_i].vcpu < v)
            at_i++;
        unsigned first_r = at_r, first_i = at_i;
        while (at_r < q->replenish->len && r[at_r].vcpu == v)
            at_r++;
        while (at_i < q->before->len && i[at_i].vcpu == v)
            at_i++;
        while (first_r + 1 < at_r && r[first_r + 1].ts <= q->scene->from)
            first_r++;
        bool falls = g_hash_table_contains(periodic, GINT_TO_POINTER(v));
        q->scene->without_levels += falls && !is_hidden(q, v);
        if (at_r > first_r && !falls && !is_hidden(q, v))
            xt_scene_add_levels(q->scene, v, r + first_r, at_r - first_r, i + first_i, at_i - first_i);
    }
    g_hash_table_unref(periodic);
    return true;
}

static int64_t lookback_of(const struct query *q)
{
    int64_t longest = 0;
    for (unsigned v = 0; v < q->scene->vcpus->len; v++)
        longest = MAX(longest, g_array_index(q->scene->vcpus, struct xt_scene_vcpu, v).period_ns);
    return MAX(q->scene->from - MIN(longest * 50, LONGEST_LOOKBACK_NS), 0);
}

/* Many VCPUs: those to which nothing happened in the window need no row. */
static void hide_quiet(struct query *q)
{
    struct xt_scene *scene = q->scene;
    unsigned quiet = 0;

    if (scene->vcpus->len <= MANY_VCPUS || q->request->vcpus || q->request->domains)
        return;
    for (unsigned v = 0; v < scene->vcpus->len; v++)
        quiet += q->row_count[v] == 0;
    if (quiet == scene->vcpus->len)
        return;
    for (unsigned v = 0; v < scene->vcpus->len; v++)
        g_array_index(scene->vcpus, struct xt_scene_vcpu, v).hidden = q->row_count[v] == 0;
    scene->quiet = quiet;
}

/* Budgets before the window count from each server's last replenishment there on; nothing earlier need be read. */
static bool look_back(struct query *q, GError **error)
{
    int64_t *last = g_new0(int64_t, q->scene->vcpus->len + 1);
    bool ok = xt_db_each_replenish(q->db, q->run->id, lookback_of(q), q->scene->from, 0, take_replenish, q, error);

    for (unsigned n = 0; n < q->replenish->len; n++) {
        const struct xt_scene_replenish *r = &g_array_index(q->replenish, struct xt_scene_replenish, n);
        last[r->vcpu] = MAX(last[r->vcpu], r->ts);
    }
    for (unsigned n = 0; n < q->replenish->len; n++)
        q->lookback = MIN(q->lookback, last[g_array_index(q->replenish, struct xt_scene_replenish, n).vcpu]);
    g_free(last);
    return ok;
}

static bool read_intervals(struct query *q, GError **error)
{
    const struct xt_scene *scene = q->scene;

    q->lookback = scene->from;
    if (q->request->detail == XT_DETAIL_OVERVIEW)
        turn_to_density(q);
    else if ((q->request->detail == XT_DETAIL_EXACT || scene->to - scene->from <= ALWAYS_EXACT_NS * 100LL) &&
             !look_back(q, error))
        return false;
    return xt_db_each_interval(q->db, q->run->id, q->lookback, scene->to, 0, take_interval, q, error);
}

static bool collect(struct query *q, GError **error)
{
    struct xt_scene *scene = q->scene;
    int64_t run = q->run->id, from = scene->from, to = scene->to;

    q->row_count = g_new0(uint64_t, scene->vcpus->len + 1);
    if (!try_shares(q, error) || (!scene->density && !read_intervals(q, error)) ||
        !xt_db_each_loss(q->db, run, from, to, take_loss, q, error))
        return false;
    hide_quiet(q);
    if (scene->density)
        return add_misses(q, error);
    if (!xt_db_each_dispatch(q->db, run, from, to, 0, take_dispatch, q, error) ||
        !xt_db_each_replenish(q->db, run, from, to, 0, take_replenish, q, error) ||
        !xt_db_each_period(q->db, run, from, to, 0, take_period, q, error) || !add_periods(q, error))
        return false;
    if (q->request->jobs && !xt_db_each_job(q->db, run, from, to, -1, take_job, q, error))
        return false;
    g_array_sort(scene->jobs, compare_jobs);
    return add_budgets(q, error);
}

static void describe(struct query *q)
{
    struct xt_scene *scene = q->scene;
    scene->run = g_strdup(q->run->name);
    scene->policy = q->run->policy ? g_strdup(q->run->group) : NULL;
    scene->scheduler = g_strdup(q->run->scheduler);
    scene->xen_version = g_strdup(q->run->xen_version);
    scene->emulated = q->run->emulated;
    scene->core_scheduling = q->run->core_scheduling;
    scene->run_ns = q->run->duration_ns;
    scene->run_lost_records = q->run->lost_records;
    for (unsigned v = 0; v < q->vcpus->len; v++)
        scene->run_misses += ((const struct xt_db_vcpu *)q->vcpus->pdata[v])->period_misses;
}

static bool answer(struct query *q, GError **error)
{
    q->run = xt_db_run_find(q->db, q->request->run, error);
    if (!q->run)
        return false;
    q->vcpus = xt_db_vcpus(q->db, q->run->id, error);
    if (!q->vcpus)
        return false;
    GArray *pcpus = xt_db_pcpus(q->db, q->run->id, error);
    if (!pcpus)
        return false;
    for (unsigned i = 0; i < pcpus->len; i++) {
        int pcpu = g_array_index(pcpus, int32_t, i);
        g_array_append_val(q->scene->pcpus, pcpu);
    }
    g_array_unref(pcpus);
    describe(q);
    return choose_vcpus(q, error) && choose_window(q, error) && collect(q, error);
}

struct xt_scene *xt_scene_query(struct xt_db *db, const struct xt_scene_request *request, GError **error)
{
    struct query q = {
        .db = db,
        .request = request,
        .scene = xt_scene_new(0, 0),
        .index = g_hash_table_new(g_int64_hash, g_int64_equal),
        .all = g_hash_table_new(g_int64_hash, g_int64_equal),
        .periods = g_array_new(FALSE, FALSE, sizeof(struct xt_db_period)),
        .replenish = g_array_new(FALSE, FALSE, sizeof(struct xt_scene_replenish)),
        .before = g_array_new(FALSE, FALSE, sizeof(struct xt_scene_interval)),
    };
    bool ok = answer(&q, error);

    g_hash_table_unref(q.index);
    g_hash_table_unref(q.all);
    g_array_unref(q.replenish);
    g_array_unref(q.before);
    g_free(q.row_count);
    g_clear_pointer(&q.vcpus, g_ptr_array_unref);
    g_array_unref(q.periods);
    xt_db_run_free(q.run);
    if (ok)
        return q.scene;
    xt_scene_free(q.scene);
    return NULL;
}
