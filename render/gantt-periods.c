/* Releases, deadlines, misses, jobs, and where records were lost. */
#include <stdio.h>
#include <string.h>

#include "render/gantt-private.h"

#define LEAST_ARROW_STEP 4.5 /* pt between arrows of a row; below, ticks */
#define LEAST_TICK_STEP 1.2  /* below, nothing but misses */

/* The badge of a row that is not drawn yet; further misses join it where their own would touch it. */
struct badge {
    double first_x, last_x;
    int number, n;
    double size;
};

static void badge_text(const struct badge *b, char *text, size_t size)
{
    if (b->n == 1)
        snprintf(text, size, "%d", b->number);
    else
        snprintf(text, size, "%d +%d", b->number, b->n - 1);
}

static void badge_span(const struct gantt *g, const struct badge *b, double *left, double *right)
{
    char text[48];
    badge_text(b, text, sizeof(text));
    double width = gantt_badge_width(b->size, text), middle = (b->first_x + b->last_x) / 2;
    *left = CLAMP(middle - width / 2, g->left, MAX(g->left, g->left + g->plot_width - width));
    *right = *left + width;
}

static void flush_badge(struct gantt *g, struct xt_canvas *canvas, const struct row *row, struct badge *b)
{
    char text[48];
    if (b->n == 0)
        return;
    badge_text(b, text, sizeof(text));
    gantt_badge(canvas, (b->first_x + b->last_x) / 2, row->arrow_y + b->size * 0.65, g->left,
                g->left + g->plot_width, b->size, text);
    g->used[USED_MORE_MISSES] |= b->n > 1;
    b->n = 0;
}

static void add_badge(struct gantt *g, struct xt_canvas *canvas, const struct row *row, struct badge *b,
                      double x, int number)
{
    struct badge own = {x, x, number, 1, MAX(MIN(g->theme.small, (row->box_y - row->arrow_y) * 0.8), 4)};
    double left, right, own_left, own_right;

    if (b->n > 0) {
        badge_span(g, b, &left, &right);
        badge_span(g, &own, &own_left, &own_right);
        if (own_left < right + 1.5) {
            b->last_x = x;
            b->n++;
            return;
        }
        flush_badge(g, canvas, row, b);
    }
    *b = own;
}

static bool in_window(const struct xt_scene *scene, int64_t ts)
{
    return ts >= scene->from && ts <= scene->to;
}

static int compare_doubles(gconstpointer a, gconstpointer b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double step_of(const struct gantt *g, const struct xt_scene *scene, const struct xt_scene_period *p)
{
    return (double)(p->deadline - p->release) / (double)(scene->to - scene->from) * g->plot_width;
}

void gantt_find_arrows(const struct gantt *g, const struct panel *panel)
{
    const struct xt_scene *scene = panel->scene;

    for (unsigned r = 0; r < panel->rows->len; r++)
        g_clear_pointer(&gantt_row(panel, r)->arrows, g_array_unref);
    for (unsigned n = 0; n < scene->periods->len; n++) {
        const struct xt_scene_period *p = &g_array_index(scene->periods, struct xt_scene_period, n);
        int r = panel->vcpu_row[p->vcpu];
        if (r < 0 || (step_of(g, scene, p) < LEAST_ARROW_STEP && !p->missed))
            continue;
        struct row *row = gantt_row(panel, (unsigned)r);
        if (!row->arrows)
            row->arrows = g_array_new(FALSE, FALSE, sizeof(double));
        double xs[] = {gantt_x(g, scene, p->release), gantt_x(g, scene, p->deadline)};
        g_array_append_vals(row->arrows, xs, 2);
    }
    for (unsigned r = 0; r < panel->rows->len; r++)
        if (gantt_row(panel, r)->arrows)
            g_array_sort(gantt_row(panel, r)->arrows, compare_doubles);
}

static void draw_row_periods(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas,
                             const struct row *row)
{
    const struct xt_scene *scene = panel->scene;
    const struct xt_scene_vcpu *vcpu = &g_array_index(scene->vcpus, struct xt_scene_vcpu, row->index);
    struct badge badge = {.n = 0};
    double base = row->box_y + row->box_height, size = g->unit * 0.62;

    for (unsigned n = 0; n < scene->periods->len; n++) {
        const struct xt_scene_period *p = &g_array_index(scene->periods, struct xt_scene_period, n);
        if (p->vcpu != row->index)
            continue;
        double step = step_of(g, scene, p);
        struct xt_tag release = {"release", p->release, 0, vcpu->domid, vcpu->vcpu, -1};
        struct xt_tag deadline = {
            p->missed ? "deadline missed" : "deadline", p->deadline, 0, vcpu->domid, vcpu->vcpu, -1};
        if (step >= LEAST_ARROW_STEP) {
            if (in_window(scene, p->release)) {
                gantt_arrow_up(canvas, gantt_x(g, scene, p->release), row->arrow_y, base, size, XT_COLOUR_INK,
                               &release);
                g->used[USED_RELEASE] = true;
            }
            if (in_window(scene, p->deadline) && !p->missed) {
                gantt_arrow_down(canvas, gantt_x(g, scene, p->deadline), row->arrow_y, base, size,
                                 XT_LINE_MARK, XT_COLOUR_INK, &deadline);
                g->used[USED_DEADLINE] = true;
            }
        } else if (step >= LEAST_TICK_STEP && in_window(scene, p->deadline)) {
            double x = gantt_x(g, scene, p->deadline);
            xt_canvas_line(canvas, x, row->arrow_y, x, row->box_y,
                           XT_PAINT_LINE(XT_COLOUR_QUIET, XT_LINE_GRID), &deadline);
            g->used[USED_PERIOD_TICK] = true;
        }
    }
    for (unsigned n = 0; n < scene->periods->len; n++) {
        const struct xt_scene_period *p = &g_array_index(scene->periods, struct xt_scene_period, n);
        if (p->vcpu != row->index || !p->missed || p->deadline < scene->from || p->release > scene->to)
            continue;
        struct xt_tag tag = {"miss", p->release, p->deadline - p->release, vcpu->domid, vcpu->vcpu, -1};
        double x0 = gantt_x(g, scene, MAX(p->release, scene->from));
        double x1 = gantt_x(g, scene, MIN(p->deadline, scene->to));
        xt_canvas_rect(canvas, x0, base, x1 - x0, MAX(1.2, g->unit * 0.16), XT_PAINT_FILL(XT_COLOUR_MISS),
                       &tag);
        g->used[USED_MISS] = true;
        if (p->deadline > scene->to)
            continue;
        tag.kind = "deadline missed";
        gantt_arrow_down(canvas, x1, row->arrow_y, base, size * 1.15, XT_LINE_MARK * 2, XT_COLOUR_MISS, &tag);
        add_badge(g, canvas, row, &badge, x1, p->number);
    }
    flush_badge(g, canvas, row, &badge);
}

/* Overview: how many misses end in a column is told by a bar over it, and by a number at the row's end. */
static void draw_column_misses(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas,
                               const struct row *row)
{
    const struct xt_scene *scene = panel->scene;
    const struct xt_density *d = scene->density;
    const int64_t *misses = xt_density_share(d, xt_density_row_vcpu(row->index), XT_SHARE_MISSES);
    const struct xt_scene_vcpu *vcpu = &g_array_index(scene->vcpus, struct xt_scene_vcpu, row->index);
    double bar = MAX(row->box_y - row->arrow_y, 1.5);

    for (unsigned c = 0; misses && c < d->n_columns; c++) {
        if (misses[c] == 0)
            continue;
        int64_t ts = xt_density_column_ts(d, c), end = xt_density_column_ts(d, c + 1);
        struct xt_tag tag = {"misses", ts, end - ts, vcpu->domid, vcpu->vcpu, -1};
        double x0 = gantt_x(g, scene, ts), x1 = gantt_x(g, scene, end);
        xt_canvas_rect(canvas, x0, row->arrow_y, MAX(x1 - x0, 0.8), bar, XT_PAINT_FILL(XT_COLOUR_MISS), &tag);
        g->used[USED_MISS_COLUMN] = true;
    }
}

void gantt_draw_periods(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas)
{
    for (unsigned r = 0; r < panel->rows->len; r++) {
        const struct row *row = gantt_row(panel, r);
        if (row->kind != ROW_VCPU)
            continue;
        if (panel->scene->density)
            draw_column_misses(g, panel, canvas, row);
        else
            draw_row_periods(g, panel, canvas, row);
    }
}

static bool same_task(const struct xt_scene_job *a, const struct xt_scene_job *b)
{
    return g_strcmp0(a->domain, b->domain) == 0 && g_strcmp0(a->task, b->task) == 0;
}

static void draw_job(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas,
                     const struct row *row, const struct xt_scene_job *job, bool arrows)
{
    const struct xt_scene *scene = panel->scene;
    double base = row->box_y + row->box_height, size = g->unit * 0.55;
    struct xt_tag tag = {
        job->missed ? "job missed" : "job", job->release, job->deadline - job->release, -1, -1, -1};
    int64_t begin = job->start >= 0 ? job->start : job->release;
    int64_t end = job->completion >= 0 ? job->completion : scene->to;

    if (begin < scene->to && end > scene->from) {
        double x0 = gantt_x(g, scene, MAX(begin, scene->from)), x1 = gantt_x(g, scene, MIN(end, scene->to));
        struct xt_paint paint = {.fill = job->missed ? XT_COLOUR_MISS : XT_COLOUR_GRID,
                                 .stroke = job->missed ? XT_COLOUR_MISS : XT_COLOUR_QUIET,
                                 .width = XT_LINE_BOX};
        xt_canvas_rect(canvas, x0, row->box_y + row->box_height * 0.35, x1 - x0, row->box_height * 0.65,
                       &paint, &tag);
        g->used[job->missed ? USED_JOB_MISS : USED_RESPONSE] = true;
    }
    if (!arrows)
        return;
    tag.dur = 0;
    if (in_window(scene, job->release)) {
        gantt_arrow_up(canvas, gantt_x(g, scene, job->release), row->arrow_y, base, size, XT_COLOUR_INK,
                       &tag);
        g->used[USED_RELEASE] = true;
    }
    if (in_window(scene, job->deadline)) {
        tag.ts = job->deadline;
        gantt_arrow_down(canvas, gantt_x(g, scene, job->deadline), row->arrow_y, base, size,
                         job->missed ? XT_LINE_MARK * 2 : XT_LINE_MARK,
                         job->missed ? XT_COLOUR_MISS : XT_COLOUR_INK, &tag);
        g->used[USED_DEADLINE] = true;
    }
    if (job->completion >= 0 && in_window(scene, job->completion)) {
        tag.kind = "completion";
        tag.ts = job->completion;
        gantt_completion(canvas, gantt_x(g, scene, job->completion), (row->arrow_y + row->box_y) / 2, base,
                         size * 0.9, job->missed ? XT_COLOUR_MISS : XT_COLOUR_INK, &tag);
        g->used[USED_COMPLETION] = true;
    }
}

void gantt_draw_jobs(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas)
{
    const struct xt_scene *scene = panel->scene;

    for (unsigned r = 0; r < panel->rows->len; r++) {
        const struct row *row = gantt_row(panel, r);
        if (row->kind != ROW_JOBS)
            continue;
        const struct xt_scene_job *first = &g_array_index(scene->jobs, struct xt_scene_job, row->index);
        for (unsigned n = (unsigned)row->index; n < scene->jobs->len; n++) {
            const struct xt_scene_job *job = &g_array_index(scene->jobs, struct xt_scene_job, n);
            if (!same_task(first, job))
                break;
            double step =
                (double)(job->deadline - job->release) / (double)(scene->to - scene->from) * g->plot_width;
            draw_job(g, panel, canvas, row, job, step >= LEAST_ARROW_STEP);
        }
    }
}

void gantt_draw_losses(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas)
{
    const struct xt_scene *scene = panel->scene;
    struct xt_font font = {.size = MAX(g->theme.small * 0.9, 5), .italic = true, .colour = XT_COLOUR_UNKNOWN};

    for (unsigned n = 0; n < scene->losses->len; n++) {
        const struct xt_scene_loss *loss = &g_array_index(scene->losses, struct xt_scene_loss, n);
        if (loss->end_ts < scene->from || loss->ts > scene->to)
            continue;
        double x0 = gantt_x(g, scene, MAX(loss->ts, scene->from)),
               x1 = gantt_x(g, scene, MIN(loss->end_ts, scene->to));
        struct xt_tag tag = {"lost", loss->ts, loss->end_ts - loss->ts, -1, -1, loss->pcpu};
        g->used[USED_LOSS] = true;
        for (unsigned r = 0; r < panel->rows->len; r++) {
            const struct row *row = gantt_row(panel, r);
            if (row->kind == ROW_JOBS ||
                (row->kind == ROW_PCPU && g_array_index(scene->pcpus, int, row->index) != loss->pcpu))
                continue;
            bool own = row->kind == ROW_PCPU;
            struct xt_paint paint = {.fill = XT_COLOUR_LOST,
                                     .stroke = XT_NO_COLOUR,
                                     .texture = own && x1 - x0 > 2 ? XT_TEXTURE_CROSSED : XT_TEXTURE_NONE,
                                     .texture_ink = 0xb9b2c6};
            xt_canvas_rect(canvas, x0, row->y, MAX(x1 - x0, 0.3), row->pitch, &paint, own ? &tag : NULL);
            char text[64], count[32];
            snprintf(text, sizeof(text), "lost: %s", xt_format_count(count, sizeof(count), loss->records));
            if (own && row->box_height > font.size && x1 - x0 > xt_text_width(&font, text) + 2) {
                double y = row->box_y + row->box_height / 2;
                double half = xt_text_width(&font, text) / 2 + 1.5;
                xt_canvas_rect(canvas, (x0 + x1) / 2 - half, y - font.size * 0.6, half * 2, font.size * 1.2,
                               XT_PAINT_FILL(XT_COLOUR_LOST), NULL);
                xt_canvas_text(canvas, (x0 + x1) / 2, y + xt_text_cap_height(&font) / 2, XT_ALIGN_MIDDLE,
                               &font, text, 0);
            }
        }
    }
}
