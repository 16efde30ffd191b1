#include "render/timeline-json.h"

#include "render/scene-query.h"
#include "render/theme.h"

#define MOST_INTERVALS 600000 /* of all runs together: some 10 MB of HTML */
#define MOST_INTERVALS_OF_RUN 150000
#define OVERVIEW_COLUMNS 1500
#define MOST_MISSES 20000 /* of a run: half a megabyte */

void xt_json_put_string(GString *out, const char *text)
{
    char *valid = g_utf8_make_valid(text, -1);

    g_string_append_c(out, '"');
    for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        if (c < 0x20 || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' || c == 0x2028 ||
            c == 0x2029 || c == 0x7f)
            g_string_append_printf(out, "\\u%04x", c);
        else
            g_string_append_unichar(out, c);
    }
    g_string_append_c(out, '"');
    g_free(valid);
}

static void put_optional(GString *out, const char *key, const char *text)
{
    if (!text)
        return;
    g_string_append_printf(out, ",\"%s\":", key);
    xt_json_put_string(out, text);
}

static void put_vcpus(GString *out, const struct xt_scene *scene)
{
    g_string_append(out, ",\"vcpus\":[");
    for (unsigned v = 0; v < scene->vcpus->len; v++) {
        const struct xt_scene_vcpu *vcpu = &g_array_index(scene->vcpus, struct xt_scene_vcpu, v);
        struct xt_look look = xt_look_domain((unsigned)vcpu->domid);
        g_string_append_printf(out, "%s{\"d\":%d,\"v\":%d,\"c\":\"#%06x\",\"k\":\"#%06x\"", v > 0 ? "," : "",
                               vcpu->domid, vcpu->vcpu, look.fill, look.ink);
        put_optional(out, "n", vcpu->domain);
        if (vcpu->period_ns > 0)
            g_string_append_printf(out, ",\"p\":%" G_GINT64_FORMAT ",\"b\":%" G_GINT64_FORMAT "%s",
                                   vcpu->period_ns, vcpu->budget_ns, vcpu->reference ? ",\"r\":1" : "");
        g_string_append_c(out, '}');
    }
    g_string_append(out, "]");
}

static int compare_ts(const void *a, const void *b)
{
    const struct xt_scene_interval *x = a, *y = b;
    if (x->ts != y->ts)
        return x->ts < y->ts ? -1 : 1;
    return x->vcpu - y->vcpu;
}

/* Four numbers each: ts minus the one before, duration, VCPU, state + 8 * reason + 256 * (pCPU + 1). */
static void put_intervals(GString *out, const struct xt_scene *scene)
{
    int64_t last = 0;
    g_array_sort(scene->intervals, compare_ts);
    g_string_append(out, ",\"iv\":[");
    for (unsigned n = 0; n < scene->intervals->len; n++) {
        const struct xt_scene_interval *i = &g_array_index(scene->intervals, struct xt_scene_interval, n);
        g_string_append_printf(out, "%s%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT ",%d,%d", n > 0 ? "," : "",
                               i->ts - last, i->end_ts - i->ts, i->vcpu,
                               (int)i->state + 8 * (int)i->reason + 256 * (i->pcpu + 1));
        last = i->ts;
    }
    g_string_append(out, "]");
}

static void put_periods(GString *out, const struct xt_scene *scene)
{
    g_string_append(out, ",\"ps\":[");
    for (unsigned n = 0; n < scene->periods->len; n++) {
        const struct xt_scene_period *p = &g_array_index(scene->periods, struct xt_scene_period, n);
        g_string_append_printf(out,
                               "%s%d,%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT
                               ",%" G_GINT64_FORMAT ",%d",
                               n > 0 ? "," : "", p->vcpu, p->release, p->deadline - p->release,
                               p->supplied_ns, p->budget_ns, p->number);
    }
    g_string_append(out, "],\"loss\":[");
    for (unsigned n = 0; n < scene->losses->len; n++) {
        const struct xt_scene_loss *l = &g_array_index(scene->losses, struct xt_scene_loss, n);
        g_string_append_printf(out, "%s%d,%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT ",%" G_GUINT64_FORMAT,
                               n > 0 ? "," : "", l->pcpu, l->ts, l->end_ts - l->ts, l->records);
    }
    g_string_append(out, "]");
}

/* Misses of the whole run, also where the intervals are left to the overview. If they are very many, there only the first
 * of a VCPU in a column. */
static void put_misses(GString *out, const struct xt_scene *overview, int64_t until)
{
    const struct xt_density *d = overview->density;
    bool thinned = overview->misses->len > MOST_MISSES, any = false;
    int64_t *last = g_new(int64_t, overview->vcpus->len + 1); /* column of each VCPU's last miss */

    for (unsigned v = 0; v < overview->vcpus->len; v++)
        last[v] = -1;
    g_string_append_printf(out, "%s,\"misses\":[", thinned ? ",\"thinned\":1" : "");
    for (unsigned n = 0; n < overview->misses->len; n++) {
        const struct xt_scene_miss *m = &g_array_index(overview->misses, struct xt_scene_miss, n);
        int64_t column = (m->deadline - d->origin) / d->column_ns;
        if (thinned && m->deadline > until && last[m->vcpu] == column)
            continue;
        last[m->vcpu] = column;
        g_string_append_printf(out, "%s%d,%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT ",%d", any ? "," : "", m->vcpu, m->release,
                               m->deadline, m->number);
        any = true;
    }
    g_string_append(out, "]");
    g_free(last);
}

/* Rounded up: what there was is seen. */
static int64_t in_255ths(int64_t ns, int64_t of_ns)
{
    return (ns * 255 + of_ns - 1) / of_ns;
}

/* One layer of a row's stack: its height in 255ths of a column, filled being what lies below in ns. It is the tops of layers
 * that are rounded, so that they add up. */
static void put_layer(GString *out, const struct xt_density *d, const char *name, int index, const char *colour,
                      const int64_t *share, int64_t *filled)
{
    if (!share)
        return;
    g_string_append_printf(out, "%s{\"%s\":%d,\"c\":\"%s\",\"of255\":[",
                           out->str[out->len - 1] == '[' ? "" : ",", name, index, colour);
    for (unsigned c = 0; c < d->n_columns; c++) {
        int64_t length = MAX(xt_density_column_ts(d, c + 1) - xt_density_column_ts(d, c), 1), below = filled[c];
        filled[c] += share[c];
        g_string_append_printf(out, "%s%d", c > 0 ? "," : "",
                               (int)(in_255ths(filled[c], length) - in_255ths(below, length)));
    }
    g_string_append(out, "]}");
}

/* Who ran, then who waited, then what is unknown, as in the figures. */
static void put_row(GString *out, const struct xt_density *d, const char *name, int index, int row, int domid)
{
    int64_t *filled = g_new0(int64_t, d->n_columns);
    unsigned n_first;
    GArray *ranked = xt_density_ranked(d, row, &n_first);

    for (unsigned i = 0; i < n_first; i++) {
        int owner = g_array_index(ranked, struct xt_owner, i).owner;
        char colour[16];
        g_snprintf(colour, sizeof(colour), "#%06x", xt_look_domain((unsigned)(domid < 0 ? owner : domid)).fill);
        put_layer(out, d, name, index, colour, xt_density_share(d, row, owner), filled);
    }
    if (n_first < ranked->len) {
        int64_t *others = xt_density_pool(d, row, ranked, n_first);
        put_layer(out, d, name, index, "others", others, filled);
        g_free(others);
    }
    put_layer(out, d, name, index, "wait", xt_density_share(d, row, XT_SHARE_RUNNABLE), filled);
    put_layer(out, d, name, index, "lost", xt_density_share(d, row, XT_SHARE_UNKNOWN), filled);
    g_array_unref(ranked);
    g_free(filled);
}

static void put_overview(GString *out, const struct xt_scene *scene)
{
    const struct xt_density *d = scene->density;

    g_string_append_printf(out, ",\"column\":%" G_GINT64_FORMAT ",\"overview\":[", d->column_ns);
    for (unsigned p = 0; p < scene->pcpus->len; p++) {
        int pcpu = g_array_index(scene->pcpus, int, p);
        put_row(out, d, "pcpu", pcpu, xt_density_row_pcpu(pcpu), -1);
    }
    for (unsigned v = 0; v < scene->vcpus->len; v++)
        put_row(out, d, "vcpu", (int)v, xt_density_row_vcpu((int)v),
                g_array_index(scene->vcpus, struct xt_scene_vcpu, v).domid);
    g_string_append(out, "]");
}

static struct xt_scene *query(struct xt_db *db, const char *run, int64_t to, enum xt_detail detail,
                              GError **error)
{
    struct xt_scene_request request = {
        .run = run, .from = -1, .to = to, .around = -1, .detail = detail, .n_columns = OVERVIEW_COLUMNS};
    return xt_scene_query(db, &request, error);
}

static bool put_run(GString *out, struct xt_db *db, const struct xt_db_run *run, uint64_t most,
                    GError **error)
{
    struct xt_scene *overview = query(db, run->name, -1, XT_DETAIL_OVERVIEW, error);
    if (!overview)
        return false;

    bool whole = overview->n_intervals <= most;
    int64_t until = run->duration_ns;
    if (!whole)
        until = MAX(1, (int64_t)((double)run->duration_ns * (double)most / (double)overview->n_intervals));
    struct xt_scene *scene = query(db, run->name, until, XT_DETAIL_EXACT, error);
    if (!scene) {
        xt_scene_free(overview);
        return false;
    }
    g_string_append(out, "{\"name\":");
    xt_json_put_string(out, run->name);
    put_optional(out, "policy", run->policy ? run->group : NULL);
    g_string_append_printf(out, ",\"ns\":%" G_GINT64_FORMAT ",\"until\":%" G_GINT64_FORMAT ",\"pcpus\":[",
                           run->duration_ns, until);
    for (unsigned p = 0; p < scene->pcpus->len; p++)
        g_string_append_printf(out, "%s%d", p > 0 ? "," : "", g_array_index(scene->pcpus, int, p));
    g_string_append(out, "]");
    put_vcpus(out, scene);
    put_intervals(out, scene);
    put_periods(out, scene);
    put_misses(out, overview, until);
    if (!whole)
        put_overview(out, overview);
    g_string_append(out, "}");
    xt_scene_free(scene);
    xt_scene_free(overview);
    return true;
}

char *xt_timeline_json(struct xt_db *db, GError **error)
{
    GPtrArray *runs = xt_db_runs(db, error);
    if (!runs)
        return NULL;
    GString *out = g_string_new("{\"reasons\":[");
    uint64_t most = MIN(MOST_INTERVALS_OF_RUN, MOST_INTERVALS / MAX(runs->len, 1u));
    bool ok = true;

    for (int r = 0; r < XT_N_REASONS; r++) {
        g_string_append(out, r > 0 ? "," : "");
        xt_json_put_string(out, r == XT_REASON_NONE ? "" : xt_reason_name((enum xt_reason)r));
    }
    g_string_append(out, "],\"runs\":[");
    for (unsigned i = 0; ok && i < runs->len; i++) {
        g_string_append(out, i > 0 ? ",\n" : "");
        ok = put_run(out, db, runs->pdata[i], most, error);
    }
    g_string_append(out, "]}");
    g_ptr_array_unref(runs);
    return g_string_free(out, !ok);
}
