/* Rows in which every interval is a box of its own. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "render/gantt-private.h"

#define MOST_ARROW_ROWS 4  /* pCPUs; among more, arrows that pass through rows would hide the boxes */
#define LEAST_OUTLINED 1.2 /* pt; below, a light outline would leave little of a box */
#define LEAST_TEXTURED 2.0 /* pt; below, a texture is noise */

/* The widest part of [*x0, *x1] through which no arrow of the row passes. */
static void find_free(const struct row *row, double *x0, double *x1)
{
    double from = *x0, best0 = *x0, best1 = *x0;

    for (unsigned i = 0; row->arrows && i <= row->arrows->len; i++) {
        double to = i < row->arrows->len ? g_array_index(row->arrows, double, i) : *x1;
        if (to < *x0)
            continue;
        to = MIN(to, *x1);
        if (to - from > best1 - best0) {
            best0 = from;
            best1 = to;
        }
        from = to;
    }
    if (!row->arrows)
        return;
    *x0 = best0;
    *x1 = best1;
}

typedef void (*draw_running)(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas,
                             const struct row *row, const struct xt_scene_interval *i, const char *label,
                             const char *kind);

static void draw_box(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas,
                     const struct row *row, const struct xt_scene_interval *i, const char *label,
                     const char *kind)
{
    const struct xt_scene *scene = panel->scene;
    const struct xt_scene_vcpu *vcpu = &g_array_index(scene->vcpus, struct xt_scene_vcpu, i->vcpu);
    struct xt_look look = gantt_look(g, vcpu->domid, i->pcpu);
    double x0 = gantt_x(g, scene, MAX(i->ts, scene->from));
    double x1 = gantt_x(g, scene, MIN(i->end_ts, scene->to));
    struct xt_tag tag = {kind, i->ts, i->end_ts - i->ts, vcpu->domid, vcpu->vcpu, i->pcpu};
    struct xt_paint paint = {
        .fill = look.fill,
        /* dark neighbours of one colour are kept apart by a light line; a short box needs its line to be seen
           at all */
        .stroke = look.ink == XT_COLOUR_PAPER && x1 - x0 > LEAST_OUTLINED ? XT_COLOUR_PAPER : look.line,
        .width = XT_LINE_BOX,
        .texture = x1 - x0 >= LEAST_TEXTURED ? look.texture : XT_TEXTURE_NONE,
        .texture_ink = look.ink,
    };

    xt_canvas_rect(canvas, x0, row->box_y, x1 - x0, row->box_height, &paint, &tag);
    g->used[USED_RUNNING] = true;
}

/* In the box where it fits, on a ground of its own where a texture or an arrow may pass. */
static void draw_label(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas,
                       const struct row *row, const struct xt_scene_interval *i, const char *label,
                       const char *kind)
{
    const struct xt_scene *scene = panel->scene;
    int domid = g_array_index(scene->vcpus, struct xt_scene_vcpu, i->vcpu).domid;
    struct xt_look look = gantt_look(g, domid, i->pcpu);
    struct xt_font font = {.size = MIN(g->theme.small, row->box_height * 0.8), .colour = look.ink};
    double x0 = gantt_x(g, scene, MAX(i->ts, scene->from));
    double x1 = gantt_x(g, scene, MIN(i->end_ts, scene->to));

    if (font.size < 4.5 || x1 - x0 < font.size)
        return;
    double width = xt_text_width(&font, label), y = row->box_y + row->box_height / 2;
    find_free(row, &x0, &x1);
    if (x1 - x0 < width + font.size * 0.8)
        return;
    if (look.texture != XT_TEXTURE_NONE || (row->kind == ROW_PCPU && scene->migrations->len > 0)) {
        double half = width / 2 + font.size * 0.2;
        xt_canvas_rect(canvas, (x0 + x1) / 2 - half, y - font.size * 0.5, half * 2, font.size,
                       XT_PAINT_FILL(look.fill), NULL);
    }
    xt_canvas_text(canvas, (x0 + x1) / 2, y + xt_text_cap_height(&font) / 2, XT_ALIGN_MIDDLE, &font, label,
                   0);
}

static void draw_waiting(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas,
                         const struct row *row, const struct xt_scene_interval *i)
{
    const struct xt_scene *scene = panel->scene;
    const struct xt_scene_vcpu *vcpu = &g_array_index(scene->vcpus, struct xt_scene_vcpu, i->vcpu);
    double x0 = gantt_x(g, scene, MAX(i->ts, scene->from));
    double x1 = gantt_x(g, scene, MIN(i->end_ts, scene->to));
    struct xt_tag tag = {"waiting", i->ts, i->end_ts - i->ts, vcpu->domid, vcpu->vcpu, -1};
    double height = row->box_height * 0.2;

    if (i->state == XT_RUNNABLE) {
        xt_canvas_rect(canvas, x0, row->box_y + row->box_height - height, x1 - x0, height,
                       XT_PAINT_FILL(XT_COLOUR_WAIT), &tag);
        g->used[USED_RUNNABLE] = true;
        return;
    }
    tag.kind = "unknown";
    struct xt_paint paint = {.fill = XT_COLOUR_PAPER,
                             .stroke = XT_COLOUR_UNKNOWN,
                             .width = XT_LINE_BOX,
                             .texture = XT_TEXTURE_FALLING,
                             .texture_ink = XT_COLOUR_UNKNOWN};
    xt_canvas_rect(canvas, x0, row->box_y, x1 - x0, row->box_height, &paint, &tag);
    g->used[USED_UNKNOWN] = true;
}

static int pcpu_row_of(const struct panel *panel, int pcpu)
{
    for (unsigned p = 0; p < panel->scene->pcpus->len; p++)
        if (g_array_index(panel->scene->pcpus, int, p) == pcpu)
            return panel->pcpu_row[p];
    return -1;
}

/* Every running interval in the window, in each row that shows it. */
static void each_running(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas,
                         draw_running draw)
{
    const struct xt_scene *scene = panel->scene;
    char label[48];

    for (unsigned n = 0; n < scene->intervals->len; n++) {
        const struct xt_scene_interval *i = &g_array_index(scene->intervals, struct xt_scene_interval, n);
        const struct xt_scene_vcpu *vcpu = &g_array_index(scene->vcpus, struct xt_scene_vcpu, i->vcpu);
        int vcpu_row = panel->vcpu_row[i->vcpu], pcpu_row = pcpu_row_of(panel, i->pcpu);
        if (i->state != XT_RUNNING || i->end_ts <= scene->from || i->ts >= scene->to)
            continue;
        snprintf(label, sizeof(label), "p%d", i->pcpu);
        if (vcpu_row >= 0)
            draw(g, panel, canvas, gantt_row(panel, (unsigned)vcpu_row), i, i->pcpu >= 0 ? label : "",
                 "running by-vcpu");
        snprintf(label, sizeof(label), "d%dv%d", vcpu->domid, vcpu->vcpu);
        if (pcpu_row >= 0)
            draw(g, panel, canvas, gantt_row(panel, (unsigned)pcpu_row), i, label, "running by-pcpu");
    }
}

static void draw_others(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas)
{
    const struct xt_scene *scene = panel->scene;

    for (unsigned n = 0; n < scene->intervals->len; n++) {
        const struct xt_scene_interval *i = &g_array_index(scene->intervals, struct xt_scene_interval, n);
        int row = panel->vcpu_row[i->vcpu];
        if (i->state != XT_RUNNING && row >= 0 && i->end_ts > scene->from && i->ts < scene->to)
            draw_waiting(g, panel, canvas, gantt_row(panel, (unsigned)row), i);
    }
}

/* Marks under the boxes. One that would touch its left neighbour in the row becomes a tick below: none is
 * hidden. */
static void put_mark(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas, int row_number,
                     double *last, enum used what, int64_t ts, const struct xt_scene_vcpu *vcpu, int pcpu)
{
    static const char *const kinds[N_USED] = {
        [USED_PREEMPTION] = "preemption", [USED_DEPLETION] = "depletion", [USED_MIGRATION] = "migration"};
    if (row_number < 0 || ts < panel->scene->from || ts > panel->scene->to)
        return;
    const struct row *row = gantt_row(panel, (unsigned)row_number);
    if (row->mark_height <= 0)
        return;
    double x = gantt_x(g, panel->scene, ts), size = row->mark_height * 0.75;
    struct xt_tag tag = {kinds[what], ts, 0, vcpu->domid, vcpu->vcpu, pcpu};
    bool crowded = x - last[row_number] < size * 1.1;

    if (crowded)
        gantt_mark(canvas, USED_CROWDED, x, row->mark_y + row->mark_height * 0.9, row->mark_height * 0.2,
                   &tag);
    else
        gantt_mark(canvas, what, x, row->mark_y + row->mark_height * 0.4, size, &tag);
    g->used[crowded ? USED_CROWDED : what] = true;
    if (!crowded)
        last[row_number] = x;
}

struct mark {
    int64_t ts;
    enum used what;
    int vcpu, pcpu;
};

static int compare_marks(const void *a, const void *b)
{
    const struct mark *x = a, *y = b;
    return x->ts < y->ts ? -1 : x->ts > y->ts;
}

static void draw_marks(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas)
{
    const struct xt_scene *scene = panel->scene;
    GArray *marks = g_array_new(FALSE, FALSE, sizeof(struct mark));
    double *last = g_new(double, panel->rows->len);

    for (unsigned n = 0; n < scene->intervals->len; n++) {
        const struct xt_scene_interval *i = &g_array_index(scene->intervals, struct xt_scene_interval, n);
        if (i->state != XT_RUNNING || i->no_end)
            continue;
        bool depleted = i->reason == XT_REASON_DEPLETED;
        bool preempted = i->reason == XT_REASON_PREEMPTED || i->reason == XT_REASON_EXTRATIME ||
                         i->reason == XT_REASON_TIMESLICE || i->reason == XT_REASON_TASKLET ||
                         i->reason == XT_REASON_BLOCK_ABORT;
        struct mark mark = {i->end_ts, depleted ? USED_DEPLETION : USED_PREEMPTION, i->vcpu, i->pcpu};
        if ((depleted || preempted) && !g_array_index(scene->vcpus, struct xt_scene_vcpu, i->vcpu).hidden)
            g_array_append_val(marks, mark);
    }
    for (unsigned n = 0; n < scene->migrations->len; n++) {
        const struct xt_scene_migration *m = &g_array_index(scene->migrations, struct xt_scene_migration, n);
        struct mark mark = {m->ts, USED_MIGRATION, m->vcpu, m->to_pcpu};
        g_array_append_val(marks, mark);
    }
    g_array_sort(marks, compare_marks);

    for (unsigned r = 0; r < panel->rows->len; r++)
        last[r] = -1e9;
    for (unsigned n = 0; n < marks->len; n++) {
        const struct mark *m = &g_array_index(marks, struct mark, n);
        const struct xt_scene_vcpu *vcpu = &g_array_index(scene->vcpus, struct xt_scene_vcpu, m->vcpu);
        put_mark(g, panel, canvas, panel->vcpu_row[m->vcpu], last, m->what, m->ts, vcpu, m->pcpu);
        put_mark(g, panel, canvas, pcpu_row_of(panel, m->pcpu), last, m->what, m->ts, vcpu, m->pcpu);
    }
    g_free(last);
    g_array_unref(marks);
}

static int compare_migrations(const void *a, const void *b)
{
    const struct xt_scene_migration *x = a, *y = b;
    return x->ts < y->ts ? -1 : x->ts > y->ts;
}

/* Where nothing of the row's own stands any more. */
static double below(const struct row *row)
{
    return row->mark_height > 0 ? row->mark_y + row->mark_height : row->box_y + row->box_height;
}

/* Between pCPU rows, from where it left to where it arrived. One whose head would touch the head before is
 * left out: the diamond in the VCPU's row is always there. */
static void draw_migrations(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas)
{
    const struct xt_scene *scene = panel->scene;
    double taken = -1e9, head = g->unit * 0.5;
    bool many_rows = scene->pcpus->len > MOST_ARROW_ROWS;

    g_array_sort(scene->migrations, compare_migrations);
    for (unsigned n = 0; n < scene->migrations->len; n++) {
        const struct xt_scene_migration *m = &g_array_index(scene->migrations, struct xt_scene_migration, n);
        const struct xt_scene_vcpu *vcpu = &g_array_index(scene->vcpus, struct xt_scene_vcpu, m->vcpu);
        int from = pcpu_row_of(panel, m->from_pcpu), to = pcpu_row_of(panel, m->to_pcpu);
        if (from < 0 || to < 0 || m->ts < scene->from || m->ts > scene->to || m->left_ts < 0)
            continue;
        const struct row *a = gantt_row(panel, (unsigned)from), *b = gantt_row(panel, (unsigned)to);
        bool down = b->box_y > a->box_y;
        double x0 = gantt_x(g, scene, MAX(m->left_ts, scene->from)), x1 = gantt_x(g, scene, m->ts);
        if ((many_rows && abs(to - from) > 1) || x1 - taken < head * 1.6) {
            g->used[USED_ARROW_LEFT_OUT] = true;
            continue;
        }
        taken = x1;
        struct xt_tag tag = {"migration-arrow", m->left_ts, m->ts - m->left_ts,
                             vcpu->domid,       vcpu->vcpu, m->to_pcpu};
        gantt_arrow_between(canvas, x0, down ? below(a) : a->box_y, x1, down ? b->box_y : below(b), head,
                            &tag);
        g->used[USED_MIGRATION_ARROW] = true;
    }
}

/* The sawtooth between two points, cut at the window. */
static double level_at(const struct xt_scene_level *a, const struct xt_scene_level *b, int64_t ts)
{
    if (b->ts == a->ts)
        return (double)b->left_ns;
    return (double)a->left_ns +
           (double)(b->left_ns - a->left_ns) * (double)(ts - a->ts) / (double)(b->ts - a->ts);
}

static int64_t highest_level(const struct xt_scene *scene, int vcpu)
{
    int64_t highest = g_array_index(scene->vcpus, struct xt_scene_vcpu, vcpu).budget_ns;
    for (unsigned n = 0; n < scene->levels->len; n++) {
        const struct xt_scene_level *level = &g_array_index(scene->levels, struct xt_scene_level, n);
        if (level->vcpu == vcpu)
            highest = MAX(highest, level->left_ns);
    }
    return MAX(highest, 1);
}

static void flush_curve(struct xt_canvas *canvas, GArray *points, const struct row *row,
                        const struct xt_scene_vcpu *vcpu, const struct xt_scene *scene, xt_colour line)
{
    struct xt_point *p = (struct xt_point *)points->data;
    unsigned n = points->len;
    if (n >= 2) {
        struct xt_tag tag = {"budget", scene->from, scene->to - scene->from, vcpu->domid, vcpu->vcpu, -1};
        struct xt_paint area = {.fill = line, .stroke = XT_NO_COLOUR, .opacity = 0.18};
        struct xt_point *closed = g_new(struct xt_point, n + 2);
        memcpy(closed, p, n * sizeof(*p));
        closed[n] = (struct xt_point){p[n - 1].x, row->budget_y + row->budget_height};
        closed[n + 1] = (struct xt_point){p[0].x, row->budget_y + row->budget_height};
        xt_canvas_polyline(canvas, closed, n + 2, true, &area, NULL);
        xt_canvas_polyline(canvas, p, n, false, XT_PAINT_LINE(line, XT_LINE_MARK), &tag);
        g_free(closed);
    }
    g_array_set_size(points, 0);
}

static void draw_budget(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas,
                        const struct row *row)
{
    const struct xt_scene *scene = panel->scene;
    const struct xt_scene_vcpu *vcpu = &g_array_index(scene->vcpus, struct xt_scene_vcpu, row->index);
    double full = (double)highest_level(scene, row->index);
    GArray *points = g_array_new(FALSE, FALSE, sizeof(struct xt_point));
    const struct xt_scene_level *last = NULL;
    xt_colour line = g->options.colour_by_pcpu ? XT_COLOUR_QUIET : xt_look_domain((unsigned)vcpu->domid).line;

    for (unsigned n = 0; n < scene->levels->len; n++) {
        const struct xt_scene_level *level = &g_array_index(scene->levels, struct xt_scene_level, n);
        if (level->vcpu != row->index)
            continue;
        if (level->starts) {
            flush_curve(canvas, points, row, vcpu, scene, line);
            last = NULL;
        }
        if (last && level->ts >= scene->from && last->ts <= scene->to) {
            int64_t ends[] = {MAX(last->ts, scene->from), MIN(level->ts, scene->to)};
            for (unsigned k = points->len > 0 ? 1 : 0; k < 2; k++) {
                double left = level_at(last, level, ends[k]);
                struct xt_point point = {gantt_x(g, scene, ends[k]),
                                         row->budget_y + row->budget_height * (1 - left / full)};
                g_array_append_val(points, point);
            }
            g->used[USED_BUDGET] = true;
        }
        last = level;
    }
    flush_curve(canvas, points, row, vcpu, scene, line);
    g_array_unref(points);
    xt_canvas_line(canvas, g->left, row->budget_y + row->budget_height, g->left + g->plot_width,
                   row->budget_y + row->budget_height, XT_PAINT_LINE(XT_COLOUR_GRID, XT_LINE_GRID), NULL);
}

void gantt_draw_exact(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas)
{
    for (unsigned r = 0; r < panel->rows->len; r++) {
        const struct row *row = gantt_row(panel, r);
        double base = row->box_y + row->box_height;
        xt_canvas_line(canvas, g->left, base, g->left + g->plot_width, base,
                       XT_PAINT_LINE(XT_COLOUR_QUIET, XT_LINE_GRID), NULL);
        if (row->kind == ROW_VCPU && row->budget_height > 0)
            draw_budget(g, panel, canvas, row);
    }
    draw_others(g, panel, canvas);
    each_running(g, panel, canvas, draw_box);
    draw_migrations(g, panel, canvas);
    each_running(g, panel, canvas, draw_label);
    draw_marks(g, panel, canvas);
}
