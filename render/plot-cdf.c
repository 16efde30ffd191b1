/* Distribution functions, drawn as the steps they are. */
#include "render/plot-private.h"

#define LEAST_STEP 0.08 /* pt: steps closer than this are drawn as one */

static void add_point(GArray *points, double x, double y)
{
    struct xt_point point = {x, y};
    g_array_append_val(points, point);
}

static double value_at(const struct plot *plot, const struct xt_samples *group, uint64_t below)
{
    double p = (double)below / (double)group->n;
    return plot->options.kind == XT_PLOT_CCDF ? 1 - p : p;
}

static void draw_curve(const struct plot *plot, const struct plot_frame *f, const struct xt_samples *group,
                       unsigned index, struct xt_canvas *canvas)
{
    GArray *points = g_array_new(FALSE, FALSE, sizeof(struct xt_point));
    bool survivors = plot->options.kind == XT_PLOT_CCDF;
    struct xt_look look = plot_look(group);
    uint64_t below = 0;
    double y = plot_y(f, survivors ? 1 : f->sy.lo);

    add_point(points, f->x, y);
    for (unsigned i = 0; i < group->values->len; i++) {
        const struct xt_sample *s = &g_array_index(group->values, struct xt_sample, i);
        double x = plot_x(f, (double)s->ns);
        bool end = i + 1 == group->values->len;
        below += s->count;
        if (!end && points->len > 1 &&
            x - g_array_index(points, struct xt_point, points->len - 1).x < LEAST_STEP) {
            y = plot_y(f, value_at(plot, group, below));
            g_array_index(points, struct xt_point, points->len - 1).y = y;
            continue;
        }
        add_point(points, x, y);
        if (end && survivors && f->sy.logarithmic)
            break; /* P(X > max) = 0 has no place on this axis */
        y = plot_y(f, value_at(plot, group, below));
        add_point(points, x, y);
    }
    if (!survivors)
        add_point(points, f->x + f->width, y);
    struct xt_paint paint = {
        .fill = XT_NO_COLOUR, .stroke = look.line, .width = XT_LINE_CURVE, .dash = xt_dash_of(index)};
    xt_canvas_polyline(canvas, (struct xt_point *)points->data, points->len, false, &paint, NULL);
    g_array_unref(points);
}

static void draw_quantiles(const struct plot *plot, const struct plot_frame *f,
                           const struct xt_samples *group, struct xt_canvas *canvas)
{
    static const double ps[] = {0.5, 0.9, 0.99, 0.999};
    struct xt_look look = plot_look(group);

    for (unsigned i = 0; i < G_N_ELEMENTS(ps); i++) {
        if ((double)group->n * (1 - ps[i]) < 1)
            continue; /* it is the maximum */
        double y = plot->options.kind == XT_PLOT_CCDF ? 1 - ps[i] : ps[i];
        double x = plot_x(f, (double)xt_samples_quantile(group, ps[i]));
        struct xt_paint paint = {.fill = XT_COLOUR_PAPER, .stroke = look.line, .width = XT_LINE_MARK};
        xt_canvas_circle(canvas, x, plot_y(f, y), plot->theme.label * 0.22, &paint, NULL);
    }
}

void plot_draw_function(const struct plot *plot, const struct plot_panel *panel, struct xt_canvas *canvas)
{
    struct plot_frame f = {plot->left,          panel->frames_y, plot->width,
                           panel->frame_height, panel->sx,       panel->sy};

    plot_frame_draw(&f, &plot->theme, canvas, &panel->x_ticks, &panel->y_ticks, panel->x_name, panel->y_name);
    for (unsigned g = 0; g < panel->set->groups->len; g++)
        if (plot_group(panel, g)->n > 0)
            draw_curve(plot, &f, plot_group(panel, g), g, canvas);
    for (unsigned g = 0; g < panel->set->groups->len; g++)
        if (plot_group(panel, g)->n > 0)
            draw_quantiles(plot, &f, plot_group(panel, g), canvas);
}
