/* Layout and composition of Gantt charts. */
#include "render/gantt.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "render/gantt-private.h"

#define AUTO_HEIGHT 640.0   /* pt that a figure without a fixed height tries to stay below */
#define MOST_HEIGHT 10000.0 /* pt; beyond, rows are left out (a PDF page ends at 14400) */
#define LARGEST_SCALE 1.8   /* of rows where a fixed height leaves room */
#define LEAST_PITCH 5.5     /* pt of a pCPU row: labels stay readable */

/* Heights of lanes, in font sizes. */
struct lanes {
    double arrows, box, marks, budget, gap;
};
static const struct lanes pcpu_lanes = {0, 1.65, 0.75, 0, 0.95};
static const struct lanes pcpu_lanes_density = {0, 2.2, 0, 0, 0.6};
static const struct lanes vcpu_lanes = {1.25, 1.45, 0.75, 1.3, 0.5};
static const struct lanes vcpu_lanes_density = {0.35, 1.7, 0, 0, 0.5};
static const struct lanes job_lanes = {1.0, 0.9, 0, 0, 0.4};

struct xt_look gantt_look(struct gantt *g, int domid, int pcpu)
{
    int owner = g->options.colour_by_pcpu ? pcpu : domid;
    g_hash_table_add(g->owners, GINT_TO_POINTER(owner));
    if (owner < 0)
        return xt_look_domain(0);
    return g->options.colour_by_pcpu ? xt_look_pcpu((unsigned)owner) : xt_look_domain((unsigned)owner);
}

unsigned xt_gantt_columns(const struct xt_theme *theme)
{
    return (unsigned)(theme->width * 0.85);
}

static void clear_row(gpointer data)
{
    struct row *row = data;
    g_free(row->label);
    g_free(row->note);
    g_free(row->params);
    g_clear_pointer(&row->arrows, g_array_unref);
}

static bool has_levels(const struct xt_scene *scene, int vcpu)
{
    for (unsigned n = 0; n < scene->levels->len; n++)
        if (g_array_index(scene->levels, struct xt_scene_level, n).vcpu == vcpu)
            return true;
    return false;
}

static char *vcpu_params(const struct xt_scene_vcpu *vcpu)
{
    char period[24], budget[24];
    if (vcpu->period_ns <= 0)
        return NULL;
    xt_format_duration(period, sizeof(period), (double)vcpu->period_ns, 4);
    xt_format_duration(budget, sizeof(budget), (double)vcpu->budget_ns, 4);
    char *unit = strchr(period, ' '), *other = strchr(budget, ' ');
    if (unit && other && strcmp(unit, other) == 0)
        *unit = '\0'; /* "(10, 4 ms)" */
    return g_strdup_printf("%s(%s, %s)", vcpu->reference ? "ref. " : "", period, budget);
}

static void add_row(struct panel *panel, enum row_kind kind, int index, char *label, char *note, char *params)
{
    struct row row = {.kind = kind, .index = index, .label = label, .note = note, .params = params};
    g_array_append_val(panel->rows, row);
}

static const struct xt_scene_vcpu *scene_vcpu(const struct xt_scene *scene, unsigned v)
{
    return &g_array_index(scene->vcpus, struct xt_scene_vcpu, v);
}

/* Number of the domain's last VCPU that has a row, -1 if none has. */
static int last_vcpu_of(const struct gantt *g, const struct xt_scene *scene, const char *domain)
{
    int last = -1;

    for (unsigned v = 0; (g->options.rows & XT_ROWS_VCPU) && v < scene->vcpus->len; v++)
        if (!scene_vcpu(scene, v)->hidden && g_strcmp0(scene_vcpu(scene, v)->domain, domain) == 0)
            last = (int)v;
    return last;
}

/* A row for each task of the guests whose last VCPU that is (-1: that have none with a row). */
static void add_job_rows(const struct gantt *g, struct panel *panel, int vcpu)
{
    const struct xt_scene *scene = panel->scene;
    const struct xt_scene_job *last = NULL;

    if (!(g->options.rows & XT_ROWS_JOBS) || scene->density)
        return;
    for (unsigned n = 0; n < scene->jobs->len; n++) {
        const struct xt_scene_job *job = &g_array_index(scene->jobs, struct xt_scene_job, n);
        bool again = last && g_strcmp0(last->domain, job->domain) == 0 && g_strcmp0(last->task, job->task) == 0;
        last = job;
        if (again || last_vcpu_of(g, scene, job->domain) != vcpu)
            continue;
        char *task = xt_text_clean(job->task ? job->task : "");
        add_row(panel, ROW_JOBS, (int)n, g_strdup_printf("task %s", task),
                xt_text_clean(job->domain ? job->domain : ""), NULL);
        g_free(task);
    }
}

/* pCPUs, then VCPUs, those of a domain with its tasks under them. */
static void make_rows(struct gantt *g, struct panel *panel)
{
    const struct xt_scene *scene = panel->scene;

    panel->rows = g_array_new(FALSE, FALSE, sizeof(struct row));
    g_array_set_clear_func(panel->rows, clear_row);
    bool pcpus = (g->options.rows & XT_ROWS_PCPU) && !scene->core_scheduling;
    for (unsigned p = 0; pcpus && p < scene->pcpus->len; p++)
        add_row(panel, ROW_PCPU, (int)p, g_strdup_printf("pCPU %d", g_array_index(scene->pcpus, int, p)),
                NULL, NULL);
    for (unsigned v = 0; (g->options.rows & XT_ROWS_VCPU) && v < scene->vcpus->len; v++) {
        const struct xt_scene_vcpu *vcpu = scene_vcpu(scene, v);
        if (vcpu->hidden)
            continue;
        add_row(panel, ROW_VCPU, (int)v, g_strdup_printf("d%dv%d", vcpu->domid, vcpu->vcpu),
                vcpu->domain ? xt_text_clean(vcpu->domain) : NULL, vcpu_params(vcpu));
        add_job_rows(g, panel, (int)v);
    }
    add_job_rows(g, panel, -1);
}

static const struct lanes *lanes_of(const struct panel *panel, const struct row *row)
{
    if (row->kind == ROW_JOBS)
        return &job_lanes;
    if (row->kind == ROW_PCPU)
        return panel->scene->density ? &pcpu_lanes_density : &pcpu_lanes;
    return panel->scene->density ? &vcpu_lanes_density : &vcpu_lanes;
}

/* Sets the lanes of a row below y for a font size unit; returns its pitch. */
static double place_row(const struct gantt *g, const struct panel *panel, struct row *row, double y,
                        double unit, bool budgets)
{
    const struct lanes *lanes = lanes_of(panel, row);
    bool own_marks = row->kind != ROW_PCPU || !(g->options.rows & XT_ROWS_VCPU);

    bool marks_between = row->kind == ROW_PCPU && own_marks; /* then migrations need room of their own */
    double gap = lanes->gap * unit * (marks_between ? 1.5 : 1);

    row->y = y;
    row->arrow_y = y + gap / 2;
    row->box_y = row->arrow_y + lanes->arrows * unit;
    row->box_height = lanes->box * unit;
    row->mark_y = row->box_y + row->box_height + unit * 0.08;
    row->mark_height = own_marks ? lanes->marks * unit : 0;
    row->budget_y = row->mark_y + row->mark_height + unit * 0.12;
    row->budget_height =
        budgets && row->kind == ROW_VCPU && has_levels(panel->scene, row->index) ? lanes->budget * unit : 0;
    row->pitch = row->box_y + row->box_height + row->mark_height + row->budget_height + gap / 2 - y;
    return row->pitch;
}

static double place_rows(struct gantt *g, struct panel *panel, double y, double unit, bool budgets)
{
    double top = y;
    for (unsigned r = 0; r < panel->rows->len; r++)
        y += place_row(g, panel, gantt_row(panel, r), y, unit, budgets);
    return y - top;
}

static double rows_height(struct gantt *g, double unit, bool budgets)
{
    double height = 0;
    for (unsigned p = 0; p < g->n_panels; p++)
        height += place_rows(g, &g->panels[p], 0, unit, budgets);
    return height;
}

/* The row that tells least: of the VCPUs that which ran least, then the last job row, then the last pCPU. */
static unsigned least_row(const struct panel *panel)
{
    unsigned least = panel->rows->len - 1;
    int64_t running = INT64_MAX;

    for (unsigned r = panel->rows->len; r > 0; r--) {
        const struct row *row = gantt_row(panel, r - 1);
        if (row->kind == ROW_JOBS)
            return r - 1;
        if (row->kind != ROW_VCPU)
            continue;
        int64_t ran = g_array_index(panel->scene->vcpus, struct xt_scene_vcpu, row->index).running_ns;
        if (ran < running) {
            running = ran;
            least = r - 1;
        }
    }
    return least;
}

static double drop_row(struct panel *panel)
{
    unsigned r = least_row(panel);
    double pitch = gantt_row(panel, r)->pitch;
    panel->left_out += gantt_row(panel, r)->kind == ROW_VCPU;
    panel->pcpus_left_out += gantt_row(panel, r)->kind == ROW_PCPU;
    g_array_remove_index(panel->rows, r);
    return pitch;
}

/* Finds a scale at which the rows fit into room: full, without budgets, smaller; else fewer rows. */
static void fit_rows(struct gantt *g, double room, double most, bool *budgets)
{
    double unit = g->theme.label, least = MIN(unit, LEAST_PITCH / (pcpu_lanes.box + pcpu_lanes.gap));

    *budgets = rows_height(g, unit, true) <= room;
    if (!*budgets) {
        unit = CLAMP(unit * room / rows_height(g, unit, false), least, unit);
    } else if (g->theme.height > 0) {
        unit = CLAMP(unit * room / rows_height(g, unit, true), unit, unit * LARGEST_SCALE);
    }
    g->unit = unit;

    double height = rows_height(g, unit, *budgets);
    while (height > most + 0.5) { /* half a point: rounding of the scale is no reason */
        struct panel *largest = &g->panels[0];

        for (unsigned i = 1; i < g->n_panels; i++)
            if (g->panels[i].rows->len > largest->rows->len)
                largest = &g->panels[i];
        if (largest->rows->len <= 1)
            break;
        height -= drop_row(largest);
    }
}

static void index_rows(struct panel *panel)
{
    panel->vcpu_row = g_new(int, panel->scene->vcpus->len + 1);
    panel->pcpu_row = g_new(int, panel->scene->pcpus->len + 1);
    memset(panel->vcpu_row, -1, (panel->scene->vcpus->len + 1) * sizeof(int));
    memset(panel->pcpu_row, -1, (panel->scene->pcpus->len + 1) * sizeof(int));
    for (unsigned r = 0; r < panel->rows->len; r++) {
        const struct row *row = gantt_row(panel, r);
        if (row->kind == ROW_VCPU)
            panel->vcpu_row[row->index] = (int)r;
        if (row->kind == ROW_PCPU)
            panel->pcpu_row[row->index] = (int)r;
    }
}

static struct xt_font row_font(const struct gantt *g)
{
    return (struct xt_font){
        .size = MIN(g->theme.label, MAX(g->unit * 1.1, 5)), .bold = true, .colour = XT_COLOUR_INK};
}

static struct xt_font note_font(const struct gantt *g)
{
    return (struct xt_font){.size = MIN(g->theme.small, MAX(g->unit * 0.95, 5)), .colour = XT_COLOUR_QUIET};
}

/* Two lines where the row is high enough, else label and note behind each other. */
static bool two_lines(const struct gantt *g, const struct row *row)
{
    return (row->note || row->params) && row->pitch >= 2.6 * row_font(g).size;
}

/* The gap between words of a row's label. */
static double word_gap(const struct gantt *g)
{
    return note_font(g).size * 0.5;
}

static double note_width(const struct gantt *g, const struct row *row)
{
    struct xt_font quiet = note_font(g);
    double name = row->note ? xt_text_width(&quiet, row->note) : 0;
    double params = row->params ? xt_text_width(&quiet, row->params) : 0;
    return name + params + (name > 0 && params > 0 ? word_gap(g) : 0);
}

static double label_width(const struct gantt *g)
{
    struct xt_font bold = row_font(g);
    double width = 0;

    for (unsigned p = 0; p < g->n_panels; p++)
        for (unsigned r = 0; r < g->panels[p].rows->len; r++) {
            const struct row *row = gantt_row(&g->panels[p], r);
            double label = xt_text_width(&bold, row->label), note = note_width(g, row);
            width = MAX(width,
                        two_lines(g, row) ? MAX(label, note) : label + (note > 0 ? note + word_gap(g) : 0));
        }
    return MIN(width, MAX(g->theme.width * 0.21, MIN(g->theme.label * 11, g->theme.width * 0.3)));
}

/* A name that is too long gives way to period and budget; these are left out where not even they fit. */
static void draw_note(const struct gantt *g, const struct row *row, struct xt_canvas *canvas, double x,
                      double base, double room)
{
    struct xt_font quiet = note_font(g);
    double params = row->params ? xt_text_width(&quiet, row->params) : 0;

    if (params > room + 0.01)
        params = 0;
    double left = params > 0 ? room - params - word_gap(g) : room, used = 0;
    if (row->note && (left > quiet.size * 3 || xt_text_width(&quiet, row->note) <= left + 0.01))
        used = xt_canvas_text(canvas, x, base, XT_ALIGN_START, &quiet, row->note, left);
    if (params > 0)
        xt_canvas_text(canvas, x + (used > 0 ? used + word_gap(g) : 0), base, XT_ALIGN_START, &quiet,
                       row->params, 0);
}

static void draw_row_label(const struct gantt *g, const struct row *row, struct xt_canvas *canvas)
{
    struct xt_font bold = row_font(g);
    double x = g->theme.gap * 0.6, room = g->left - x - g->theme.gap * 0.7;
    double middle = row->kind == ROW_PCPU ? row->box_y + row->box_height / 2 : row->y + row->pitch / 2;
    double base = middle + xt_text_cap_height(&bold) / 2;

    if (two_lines(g, row)) {
        double line = bold.size * 1.2;
        xt_canvas_text(canvas, x, base - line / 2, XT_ALIGN_START, &bold, row->label, room);
        draw_note(g, row, canvas, x, base + line / 2, room);
        return;
    }
    double used = xt_canvas_text(canvas, x, base, XT_ALIGN_START, &bold, row->label, room) + word_gap(g);
    draw_note(g, row, canvas, x + used, base, room - used);
}

static char *panel_title(const struct xt_scene *scene)
{
    char *run = xt_text_clean(scene->run ? scene->run : "");
    char *policy = scene->policy ? xt_text_clean(scene->policy) : NULL;
    char *title;
    if (policy && g_ascii_strcasecmp(policy, run) != 0)
        title = g_strdup_printf("%s – %s%s", policy, run, scene->emulated ? " (emulated host)" : "");
    else
        title = g_strdup_printf("%s%s", policy ? policy : run, scene->emulated ? " (emulated host)" : "");
    g_free(run);
    g_free(policy);
    return title;
}

static bool same_window(const struct gantt *g)
{
    for (unsigned p = 1; p < g->n_panels; p++)
        if (g->scenes[p]->from != g->scenes[0]->from || g->scenes[p]->to != g->scenes[0]->to)
            return false;
    return true;
}

static void time_ticks(const struct gantt *g, const struct xt_scene *scene, struct xt_ticks *ticks)
{
    struct xt_font font = xt_font_small(&g->theme);
    xt_ticks_time(ticks, scene->from, scene->to, MAX(2, (unsigned)(g->plot_width / (font.size * 4.6))));
}

static void draw_axis(const struct gantt *g, const struct panel *panel, struct xt_canvas *canvas)
{
    const struct xt_scene *scene = panel->scene;
    struct xt_font font = xt_font_small(&g->theme);
    struct xt_ticks ticks;
    double y = panel->axis_y, tick = g->theme.gap * 0.35, taken = -1e9;
    char text[128], length[32];

    font.colour = XT_COLOUR_INK;
    time_ticks(g, scene, &ticks);
    xt_canvas_line(canvas, g->left, y, g->left + g->plot_width, y, XT_PAINT_LINE(XT_COLOUR_INK, XT_LINE_AXIS),
                   NULL);
    for (unsigned i = 0; i < ticks.n; i++) {
        double x = gantt_x(g, scene, (int64_t)ticks.tick[i].at),
               half = xt_text_width(&font, ticks.tick[i].label) / 2;
        xt_canvas_line(canvas, x, y, x, y + tick, XT_PAINT_LINE(XT_COLOUR_INK, XT_LINE_AXIS), NULL);
        double at = MIN(x, g->theme.width - g->theme.gap * 0.4 - half);
        if (at - half < taken + font.size * 0.4)
            continue;
        xt_canvas_text(canvas, at, y + tick + font.size, XT_ALIGN_MIDDLE, &font, ticks.tick[i].label, 0);
        taken = at + half;
    }

    double base = y + tick + font.size * 2.35;
    snprintf(text, sizeof(text), "time since the run's start (%s)", ticks.unit);
    char *after = strstr(ticks.unit, " after ");
    if (after)
        snprintf(text, sizeof(text), "time since %s of the run (%.*s)", after + strlen(" after "),
                 (int)(after - ticks.unit), ticks.unit);
    xt_format_duration(length, sizeof(length), ticks.step, 4);
    double bar = ticks.step / (double)(scene->to - scene->from) * g->plot_width;
    double bar_text = xt_text_width(&font, length);
    double right = g->left + g->plot_width;
    xt_canvas_text(canvas, g->left, base, XT_ALIGN_START, &font, text,
                   g->plot_width - bar - bar_text - font.size * 2);

    double middle = base - xt_text_cap_height(&font) / 2, end = font.size * 0.3;
    xt_canvas_text(canvas, right, base, XT_ALIGN_END, &font, length, 0);
    right -= bar_text + font.size * 0.5;
    const struct xt_paint *ink = XT_PAINT_LINE(XT_COLOUR_INK, XT_LINE_AXIS * 1.4);
    xt_canvas_line(canvas, right - bar, middle, right, middle, ink, NULL);
    xt_canvas_line(canvas, right - bar, middle - end, right - bar, middle + end, ink, NULL);
    xt_canvas_line(canvas, right, middle - end, right, middle + end, ink, NULL);
}

static double axis_height(const struct gantt *g)
{
    return g->theme.gap * 0.35 + g->theme.small * 2.35 + g->theme.gap * 0.5;
}

static void draw_panel(struct gantt *g, struct panel *panel, struct xt_canvas *canvas)
{
    const struct xt_scene *scene = panel->scene;
    struct xt_font title_font = xt_font_title(&g->theme);
    struct xt_ticks ticks;
    struct xt_tag plot = {"plot", scene->from, scene->to - scene->from, -1, -1, -1};

    char *title = panel_title(scene);
    xt_canvas_text(canvas, g->theme.gap * 0.6, panel->title_y, XT_ALIGN_START, &title_font, title,
                   g->theme.width - g->theme.gap);
    g_free(title);

    xt_canvas_rect(canvas, g->left, panel->top, g->plot_width, panel->bottom - panel->top,
                   XT_PAINT_FILL(XT_COLOUR_PAPER), &plot);
    for (unsigned r = 0; r < panel->rows->len; r++) {
        const struct row *row = gantt_row(panel, r);
        if (r % 2 == 0)
            xt_canvas_rect(canvas, 0, row->y, g->left + g->plot_width, row->pitch,
                           XT_PAINT_FILL(XT_COLOUR_BAND), NULL);
        draw_row_label(g, row, canvas);
    }
    gantt_draw_losses(g, panel, canvas);
    time_ticks(g, scene, &ticks);
    for (unsigned i = 0; i < ticks.n; i++) {
        double x = gantt_x(g, scene, (int64_t)ticks.tick[i].at);
        xt_canvas_line(canvas, x, panel->top, x, panel->bottom, XT_PAINT_LINE(XT_COLOUR_GRID, XT_LINE_GRID),
                       NULL);
    }
    if (scene->density)
        gantt_draw_density(g, panel, canvas);
    else
        gantt_draw_exact(g, panel, canvas);
    gantt_draw_periods(g, panel, canvas);
    if (!scene->density)
        gantt_draw_jobs(g, panel, canvas);
    for (unsigned r = 1; r < panel->rows->len; r++)
        if (gantt_row(panel, r)->kind != gantt_row(panel, r - 1)->kind)
            xt_canvas_line(canvas, 0, gantt_row(panel, r)->y, g->left + g->plot_width, gantt_row(panel, r)->y,
                           XT_PAINT_LINE(XT_COLOUR_WAIT, XT_LINE_GRID), NULL);
    if (panel->axis_y >= 0)
        draw_axis(g, panel, canvas);
}

static void draw_panels(struct gantt *g, struct xt_canvas *canvas)
{
    for (unsigned p = 0; p < g->n_panels; p++)
        draw_panel(g, &g->panels[p], canvas);
}

static void draw(const struct xt_figure *figure, struct xt_canvas *canvas)
{
    struct gantt *g = (struct gantt *)figure;
    double x = g->theme.gap * 0.6, width = g->theme.width - 2 * x;

    draw_panels(g, canvas);
    xt_legend_draw(g->legend, canvas, x, g->legend_y, width);
    xt_caption_draw(&g->theme, canvas, g->caption, x, g->caption_y, width);
}

static void forget_layout(struct gantt *g)
{
    for (unsigned p = 0; p < g->n_panels; p++) {
        struct panel *panel = &g->panels[p];
        g_clear_pointer(&panel->rows, g_array_unref);
        g_clear_pointer(&panel->vcpu_row, g_free);
        g_clear_pointer(&panel->pcpu_row, g_free);
        panel->left_out = panel->pcpus_left_out = 0;
    }
    g_hash_table_remove_all(g->owners);
    g_clear_pointer(&g->legend, xt_legend_free);
    g_clear_pointer(&g->caption, g_free);
    memset(g->used, 0, sizeof(g->used));
}

static void free_gantt(struct xt_figure *figure)
{
    struct gantt *g = (struct gantt *)figure;
    forget_layout(g);
    for (unsigned p = 0; p < g->n_panels; p++)
        xt_scene_free(g->scenes[p]);
    g_hash_table_unref(g->owners);
    g_free(g->panels);
    g_free(g->scenes);
    g_free(g->title);
    g_free(g);
}

/* Stacks title, rows and axis of each panel from y on; returns where they end. */
static double place_panels(struct gantt *g, double y, bool budgets)
{
    bool one_axis = same_window(g);
    for (unsigned p = 0; p < g->n_panels; p++) {
        struct panel *panel = &g->panels[p];
        panel->title_y = y + g->theme.title;
        panel->top = panel->title_y + g->theme.gap * 0.6;
        panel->bottom = panel->top + place_rows(g, panel, panel->top, g->unit, budgets);
        y = panel->bottom;
        panel->axis_y = !one_axis || p + 1 == g->n_panels ? y : -1;
        y += panel->axis_y >= 0 ? axis_height(g) : 0;
        y += p + 1 < g->n_panels ? g->theme.gap * 0.5 : 0;
    }
    return y;
}

/* A dry run onto a canvas that is thrown away tells which marks there are. */
static void find_used(struct gantt *g)
{
    struct xt_canvas *canvas = xt_canvas_new_blank();
    draw_panels(g, canvas);
    g_bytes_unref(xt_canvas_finish(canvas, NULL));
}

/* Lays out all parts with `below` pt kept for axis, legend and caption; returns the height that came of it.
 */
static double lay_out(struct gantt *g, double below)
{
    const struct xt_theme *theme = &g->theme;
    double margin = theme->gap * 0.6, text_width = theme->width - 2 * margin;
    double titles = g->n_panels * (theme->title + theme->gap * 1.1);
    double room = MAX((theme->height > 0 ? theme->height : AUTO_HEIGHT) - titles - below - margin, 0);
    bool budgets;

    forget_layout(g);
    for (unsigned p = 0; p < g->n_panels; p++)
        make_rows(g, &g->panels[p]);
    fit_rows(g, room, theme->height > 0 ? room : MOST_HEIGHT, &budgets);
    for (unsigned p = 0; p < g->n_panels; p++)
        index_rows(&g->panels[p]);
    rows_height(g, g->unit, budgets);
    g->left = margin + label_width(g) + theme->gap * 0.7;
    g->plot_width = theme->width - g->left - theme->gap;

    double y = place_panels(g, margin, budgets);
    for (unsigned p = 0; p < g->n_panels; p++)
        gantt_find_arrows(g, &g->panels[p]);
    find_used(g);
    gantt_fill_legend(g);
    g->caption = gantt_caption(g);
    g->legend_y = y + theme->gap * 0.3;
    g->caption_y = g->legend_y + xt_legend_height(g->legend, text_width) + theme->gap * 0.3;
    return g->caption_y + xt_caption_height(theme, g->caption, text_width) + margin;
}

struct xt_figure *xt_gantt_new(const struct xt_theme *theme, const struct xt_gantt_options *options,
                               struct xt_scene *const *scenes, unsigned n_scenes)
{
    struct gantt *g = g_new0(struct gantt, 1);

    g->theme = *theme;
    g->options = *options;
    g->n_panels = n_scenes;
    g->scenes = g_memdup2(scenes, n_scenes * sizeof(*scenes));
    g->panels = g_new0(struct panel, n_scenes);
    g->owners = g_hash_table_new(NULL, NULL);
    for (unsigned p = 0; p < n_scenes; p++)
        g->panels[p].scene = g->scenes[p];

    /* How long legend and caption become is known only when the rows are chosen, and these depend on the room
     * that is left. */
    double below = axis_height(g) + theme->label * 4, end = lay_out(g, below);
    for (unsigned attempt = 0; theme->height > 0 && end > theme->height && attempt < 6; attempt++) {
        below += end - theme->height + 0.5; /* that half is what fit_rows lets pass */
        end = lay_out(g, below);
    }

    g->title = panel_title(g->scenes[0]);
    g->figure = (struct xt_figure){
        .width = theme->width,
        .height = MAX(theme->height, end),
        .title = g->title,
        .description = g->caption,
        .draw = draw,
        .free = free_gantt,
    };
    return &g->figure;
}
