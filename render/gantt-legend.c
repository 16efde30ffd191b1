/* What the marks of a Gantt chart mean, and where its numbers come from. */
#include <stdio.h>
#include <string.h>

#include "render/gantt-private.h"

#define MOST_OWNERS 24

static void swatch_used(struct xt_canvas *canvas, double x, double y, double width, double height,
                        const struct xt_paint *paint, int what)
{
    double top = y - height * 0.5, bottom = y + height * 0.5;

    switch (what) {
    case USED_RUNNABLE:
        xt_canvas_rect(canvas, x - width * 0.45, y - height * 0.1, width * 0.9, height * 0.2,
                       XT_PAINT_FILL(XT_COLOUR_WAIT), NULL);
        break;
    case USED_WAIT_SHARE:
        xt_swatch_box(canvas, x, y, width, height, XT_PAINT_FILL(XT_COLOUR_WAIT_SHARE), what);
        break;
    case USED_RELEASE:
        gantt_arrow_up(canvas, x, top, bottom, height * 0.4, XT_COLOUR_INK, NULL);
        break;
    case USED_DEADLINE:
        gantt_arrow_down(canvas, x, top, bottom, height * 0.4, XT_LINE_MARK, XT_COLOUR_INK, NULL);
        break;
    case USED_PERIOD_TICK:
        xt_canvas_line(canvas, x, top, x, y, XT_PAINT_LINE(XT_COLOUR_QUIET, XT_LINE_GRID), NULL);
        break;
    case USED_COMPLETION:
        gantt_completion(canvas, x, top, bottom, height * 0.6, XT_COLOUR_INK, NULL);
        break;
    case USED_RESPONSE:
        xt_canvas_rect(
            canvas, x - width * 0.45, y - height * 0.2, width * 0.9, height * 0.4,
            &(struct xt_paint){.fill = XT_COLOUR_GRID, .stroke = XT_COLOUR_QUIET, .width = XT_LINE_BOX},
            NULL);
        break;
    case USED_JOB_MISS:
        xt_canvas_rect(canvas, x - width * 0.45, y - height * 0.2, width * 0.9, height * 0.4,
                       XT_PAINT_FILL(XT_COLOUR_MISS), NULL);
        break;
    case USED_BUDGET: {
        struct xt_point saw[] = {
            {x - width / 2, bottom},   {x - width / 2, top},   {x - width * 0.3, top}, {x, bottom},
            {x + width * 0.2, bottom}, {x + width * 0.2, top}, {x + width / 2, y}};
        xt_canvas_polyline(canvas, saw, G_N_ELEMENTS(saw), false,
                           XT_PAINT_LINE(XT_COLOUR_QUIET, XT_LINE_MARK), NULL);
        break;
    }
    case USED_DEPLETION:
    case USED_PREEMPTION:
    case USED_MIGRATION:
    case USED_CROWDED:
        gantt_mark(canvas, (enum used)what, x, y, height * 0.65, NULL);
        break;
    case USED_MIGRATION_ARROW:
        gantt_arrow_between(canvas, x - width * 0.4, top, x + width * 0.4, bottom, height * 0.45, NULL);
        break;
    case USED_MISS:
        gantt_arrow_down(canvas, x - width * 0.3, top, bottom, height * 0.45, XT_LINE_MARK * 2,
                         XT_COLOUR_MISS, NULL);
        gantt_badge(canvas, x + width * 0.15, y, x - width, x + width, height * 0.55, "1");
        break;
    case USED_MISS_COLUMN:
        xt_canvas_rect(canvas, x - 0.75, top, 1.5, height, XT_PAINT_FILL(XT_COLOUR_MISS), NULL);
        break;
    case USED_COLUMN: {
        xt_canvas_rect(canvas, x - width * 0.4, y, width * 0.4, height / 2, XT_PAINT_FILL(XT_COLOUR_QUIET),
                       NULL);
        xt_canvas_rect(canvas, x, y - height * 0.3, width * 0.4, height * 0.8, XT_PAINT_FILL(XT_COLOUR_QUIET),
                       NULL);
        break;
    }
    default:
        xt_swatch_box(canvas, x, y, width, height, paint, what);
    }
}

static const char *domain_name(const struct gantt *g, int domid)
{
    for (unsigned p = 0; p < g->n_panels; p++)
        for (unsigned v = 0; v < g->scenes[p]->vcpus->len; v++) {
            const struct xt_scene_vcpu *vcpu = &g_array_index(g->scenes[p]->vcpus, struct xt_scene_vcpu, v);
            if (vcpu->domid == domid && vcpu->domain)
                return vcpu->domain;
        }
    return NULL;
}

static int compare_owners(gconstpointer a, gconstpointer b)
{
    int x = GPOINTER_TO_INT(a), y = GPOINTER_TO_INT(b);
    return x < y ? -1 : x > y;
}

static void add_owners(struct gantt *g)
{
    GList *owners = g_list_sort(g_hash_table_get_keys(g->owners), compare_owners);
    unsigned n = 0;

    for (GList *l = owners; l; l = l->next, n++) {
        int owner = GPOINTER_TO_INT(l->data);
        if (n == MOST_OWNERS) {
            char *more = g_strdup_printf("and %u more (numbers in the boxes and rows)", g_list_length(l));
            xt_legend_add(g->legend, xt_swatch_box,
                          &(struct xt_paint){.fill = XT_NO_COLOUR, .stroke = XT_NO_COLOUR}, 0, more);
            g_free(more);
            break;
        }
        struct xt_look look = owner < 0 || !g->options.colour_by_pcpu
                                  ? xt_look_domain((unsigned)MAX(owner, 0))
                                  : xt_look_pcpu((unsigned)owner);
        struct xt_paint paint = {.fill = look.fill,
                                 .stroke = look.line,
                                 .width = XT_LINE_BOX,
                                 .texture = look.texture,
                                 .texture_ink = look.ink};
        char *label;
        const char *name = g->options.colour_by_pcpu ? NULL : domain_name(g, owner);
        if (owner < 0)
            label = g_strdup("pCPU unknown");
        else if (g->options.colour_by_pcpu)
            label = g_strdup_printf("on pCPU %d", owner);
        else if (name) {
            char *clean = xt_text_clean(name);
            label = g_strdup_printf("d%d %s", owner, clean);
            g_free(clean);
        } else
            label = g_strdup_printf("d%d", owner);
        xt_legend_add(g->legend, xt_swatch_box, &paint, 0, label);
        g_free(label);
    }
    g_list_free(owners);
}

void gantt_fill_legend(struct gantt *g)
{
    static const struct {
        enum used what;
        const char *label;
    } entries[] = {
        {USED_COLUMN, "height: share of that time"},
        {USED_RUNNABLE, "runnable, waiting"},
        {USED_WAIT_SHARE, "runnable, waiting"},
        {USED_UNKNOWN, "unknown"},
        {USED_LOSS, "records lost"},
        {USED_RELEASE, "release"},
        {USED_DEADLINE, "deadline"},
        {USED_PERIOD_TICK, "end of a period"},
        {USED_COMPLETION, "completion of a job"},
        {USED_RESPONSE, "job, from start to completion"},
        {USED_BUDGET, "budget left"},
        {USED_DEPLETION, "budget depleted"},
        {USED_PREEMPTION, "preempted"},
        {USED_MIGRATION, "arrived by migration"},
        {USED_MIGRATION_ARROW, "migration between pCPUs"},
        {USED_CROWDED, "further mark, too close to draw"},
        {USED_MISS, "period missed, with its number"},
        {USED_OTHERS, "other domains, together"}, /* or pCPUs */
        {USED_MISS_COLUMN, "periods missed in that time"},
        {USED_JOB_MISS, "job that missed its deadline"},
    };
    static const struct xt_paint unknown = {.fill = XT_COLOUR_PAPER,
                                            .stroke = XT_COLOUR_UNKNOWN,
                                            .width = XT_LINE_BOX,
                                            .texture = XT_TEXTURE_FALLING,
                                            .texture_ink = XT_COLOUR_UNKNOWN};
    static const struct xt_paint lost = {.fill = XT_COLOUR_LOST,
                                         .stroke = XT_NO_COLOUR,
                                         .texture = XT_TEXTURE_CROSSED,
                                         .texture_ink = 0xb9b2c6};

    g->legend = xt_legend_new(&g->theme);
    add_owners(g);
    for (unsigned i = 0; i < G_N_ELEMENTS(entries); i++) {
        enum used what = entries[i].what;
        const struct xt_paint *paint = what == USED_LOSS     ? &lost
                                       : what == USED_OTHERS ? &gantt_paint_others
                                                             : &unknown;
        const char *label = entries[i].label;
        if (what == USED_MISS && g->used[USED_MORE_MISSES])
            label = "period missed, with its number; +n: n more in that row";
        if (what == USED_OTHERS && g->options.colour_by_pcpu)
            label = "other pCPUs, together";
        if (g->used[what])
            xt_legend_add(g->legend, swatch_used, paint, (int)what, label);
    }
}

/* About one run: what it is, and what the picture stands for. */
static void describe_panel(const struct gantt *g, const struct panel *panel, GString *out)
{
    const struct xt_scene *scene = panel->scene;
    char a[32], b[32], c[32];
    char *run = xt_text_clean(scene->run ? scene->run : "?");
    char *version = scene->xen_version ? xt_text_clean(scene->xen_version) : NULL;
    char *policy = scene->policy ? xt_text_clean(scene->policy) : NULL;

    g_string_append_printf(out, "Run %s: policy %s, scheduler %s, Xen %s", run, policy ? policy : "unknown",
                           scene->scheduler ? scene->scheduler : "unknown", version ? version : "unknown");
    if (scene->emulated)
        g_string_append(out, ", emulated host (durations show shape, not hardware speed)");
    if (scene->core_scheduling)
        g_string_append(out, ", core scheduling (on which pCPU a VCPU ran is not in the trace)");
    g_string_append_printf(out, "; %s of %s",
                           xt_format_duration(a, sizeof(a), (double)(scene->to - scene->from), 5),
                           xt_format_duration(b, sizeof(b), (double)scene->run_ns, 5));
    g_string_append_printf(out, ", n = %s intervals", xt_format_count(c, sizeof(c), scene->n_intervals));
    if (scene->run_lost_records > 0)
        g_string_append_printf(out, ", %s records lost in the run",
                               xt_format_count(c, sizeof(c), scene->run_lost_records));
    if (scene->run_misses > 0)
        g_string_append_printf(out, ", %s periods missed in the run",
                               xt_format_count(c, sizeof(c), scene->run_misses));
    unsigned hidden = panel->left_out;
    for (unsigned v = 0; v < scene->vcpus->len; v++)
        hidden += g_array_index(scene->vcpus, struct xt_scene_vcpu, v).hidden;
    unsigned shown = scene->vcpus->len - hidden;
    if ((g->options.rows & XT_ROWS_VCPU) && hidden > 0) {
        g_string_append_printf(out, "; rows and marks for %u of %u VCPUs%s", shown, scene->vcpus->len,
                               panel->left_out > 0 && shown > 0 ? ", those that ran most" : "");
        if (scene->quiet > 0)
            g_string_append_printf(out, " (%u neither ran nor waited)", scene->quiet);
    }
    if ((g->options.rows & XT_ROWS_VCPU) && scene->without_levels > 0)
        g_string_append_printf(out, "; budgets of %u servers are not drawn (they fall while blocked, too)",
                               scene->without_levels);
    if (panel->pcpus_left_out > 0)
        g_string_append_printf(out, "; %u of %u pCPUs shown", scene->pcpus->len - panel->pcpus_left_out,
                               scene->pcpus->len);
    g_string_append(out, ". ");
    if (scene->note) {
        char *note = xt_text_clean(scene->note);
        g_string_append_printf(out, "%s. ", note);
        g_free(note);
    }
    g_free(run);
    g_free(version);
    g_free(policy);
}

char *gantt_caption(const struct gantt *g)
{
    GString *out = g_string_new(NULL);
    char a[32];

    for (unsigned p = 0; p < g->n_panels; p++)
        describe_panel(g, &g->panels[p], out);
    const struct xt_scene *scene = g->scenes[0];
    if (scene->density) {
        g_string_append_printf(out,
                               "Overview: columns of %s, stacked by share of time; no interval is left out. ",
                               xt_format_duration(a, sizeof(a), (double)scene->density->column_ns, 3));
    } else if (g->used[USED_RUNNING]) {
        if (g->used[USED_ARROW_LEFT_OUT])
            g_string_append_printf(out, "Arrows of migrations that would crowd the rows are left out%s. ",
                                   g->used[USED_MIGRATION] ? "; the marks show them all" : "");
        double least = XT_LINE_BOX / g->plot_width * (double)(scene->to - scene->from);
        g_string_append_printf(out, "A box shorter than %s shows as a hairline. ",
                               xt_format_duration(a, sizeof(a), least, 2));
    }
    g_string_append(out, "xentrail " XT_VERSION ".");
    return g_string_free(out, FALSE);
}
