/* Curves over a common axis, a marker at each point: schedulability plots. */
#include "render/plot-frame.h"
#include "render/plot.h"

struct curves_figure {
    struct xt_figure figure;
    struct xt_theme theme;
    struct xt_curve **curves;
    unsigned n_curves;
    struct plot_frame frame;
    struct xt_ticks x_ticks, y_ticks;
    char *x_label, *y_label, *caption;
    struct xt_legend *legend;
    double legend_y, caption_y;
};

/* Shapes, so that curves are told apart without colour. */
static void marker(struct xt_canvas *canvas, unsigned shape, double x, double y, double r, xt_colour colour)
{
    struct xt_paint paint = {
        .fill = shape % 2 ? XT_COLOUR_PAPER : colour, .stroke = colour, .width = XT_LINE_MARK};
    struct xt_point triangle[] = {{x, y - r * 1.2}, {x + r * 1.1, y + r * 0.8}, {x - r * 1.1, y + r * 0.8}};
    struct xt_point diamond[] = {{x, y - r * 1.3}, {x + r * 1.3, y}, {x, y + r * 1.3}, {x - r * 1.3, y}};

    switch (shape % 4) {
    case 0:
        xt_canvas_circle(canvas, x, y, r, &paint, NULL);
        break;
    case 1:
        xt_canvas_rect(canvas, x - r, y - r, 2 * r, 2 * r, &paint, NULL);
        break;
    case 2:
        xt_canvas_polyline(canvas, triangle, 3, true, &paint, NULL);
        break;
    default:
        xt_canvas_polyline(canvas, diamond, 4, true, &paint, NULL);
    }
}

static void swatch(struct xt_canvas *canvas, double x, double y, double width, double height,
                   const struct xt_paint *paint, int index)
{
    xt_canvas_line(canvas, x - width / 2, y, x + width / 2, y, paint, NULL);
    marker(canvas, (unsigned)index, x, y, height * 0.22, paint->stroke);
}

static struct xt_look look_of(const struct xt_curve *curve, unsigned index)
{
    return curve->policy ? xt_look_policy(curve->policy, index) : xt_look_group(index);
}

static void draw(const struct xt_figure *figure, struct xt_canvas *canvas)
{
    const struct curves_figure *f = (const struct curves_figure *)figure;
    double x = f->theme.gap * 0.6, width = f->theme.width - 2 * x;

    plot_frame_draw(&f->frame, &f->theme, canvas, &f->x_ticks, &f->y_ticks, f->x_label, f->y_label);
    for (unsigned c = 0; c < f->n_curves; c++) {
        const struct xt_curve *curve = f->curves[c];
        struct xt_point *points = g_new(struct xt_point, curve->points->len);
        struct xt_look look = look_of(curve, c);
        struct xt_paint paint = {
            .fill = XT_NO_COLOUR, .stroke = look.line, .width = XT_LINE_CURVE, .dash = xt_dash_of(c)};
        for (unsigned i = 0; i < curve->points->len; i++) {
            const struct xt_curve_point *p = &g_array_index(curve->points, struct xt_curve_point, i);
            points[i] = (struct xt_point){plot_x(&f->frame, p->x), plot_y(&f->frame, p->y)};
        }
        xt_canvas_polyline(canvas, points, curve->points->len, false, &paint, NULL);
        for (unsigned i = 0; i < curve->points->len; i++)
            marker(canvas, c, points[i].x, points[i].y, f->theme.label * 0.28, look.line);
        g_free(points);
    }
    xt_legend_draw(f->legend, canvas, x, f->legend_y, width);
    xt_caption_draw(&f->theme, canvas, f->caption, x, f->caption_y, width);
}

static void free_figure(struct xt_figure *figure)
{
    struct curves_figure *f = (struct curves_figure *)figure;
    for (unsigned c = 0; c < f->n_curves; c++) {
        g_free(f->curves[c]->label);
        g_free(f->curves[c]->policy);
        g_array_unref(f->curves[c]->points);
        g_free(f->curves[c]);
    }
    g_free(f->curves);
    g_free(f->x_label);
    g_free(f->y_label);
    g_free(f->caption);
    xt_legend_free(f->legend);
    g_free(f);
}

static void fill_legend(struct curves_figure *f)
{
    f->legend = xt_legend_new(&f->theme);
    for (unsigned c = 0; c < f->n_curves; c++) {
        struct xt_look look = look_of(f->curves[c], c);
        struct xt_paint paint = {
            .fill = XT_NO_COLOUR, .stroke = look.line, .width = XT_LINE_CURVE, .dash = xt_dash_of(c)};
        uint64_t n = 0;
        for (unsigned i = 0; i < f->curves[c]->points->len; i++)
            n += g_array_index(f->curves[c]->points, struct xt_curve_point, i).n;
        char *clean = xt_text_clean(f->curves[c]->label);
        char *label = g_strdup_printf("%s (n = %" G_GUINT64_FORMAT ")", clean, n);
        xt_legend_add(f->legend, swatch, &paint, (int)c, label);
        g_free(label);
        g_free(clean);
    }
}

struct xt_figure *xt_curves_new(const struct xt_theme *theme, struct xt_curve *const *curves,
                                unsigned n_curves, const char *x_label, const char *y_label,
                                const char *caption)
{
    struct curves_figure *f = g_new0(struct curves_figure, 1);
    double lo = G_MAXDOUBLE, hi = 0, margin = theme->gap * 0.6, text_width = theme->width - 2 * margin;

    f->theme = *theme;
    f->curves = g_memdup2(curves, n_curves * sizeof(*curves));
    f->n_curves = n_curves;
    f->x_label = g_strdup(x_label);
    f->y_label = g_strdup(y_label);
    f->caption = g_strdup_printf("%s xentrail " XT_VERSION ".", caption);
    for (unsigned c = 0; c < n_curves; c++)
        for (unsigned i = 0; i < curves[c]->points->len; i++) {
            lo = MIN(lo, g_array_index(curves[c]->points, struct xt_curve_point, i).x);
            hi = MAX(hi, g_array_index(curves[c]->points, struct xt_curve_point, i).x);
        }
    if (lo > hi)
        lo = hi = 0;
    double spread = MAX((hi - lo) * 0.06, 0.1);
    f->frame.sx = (struct plot_scale){MAX(0, lo - spread), hi + spread, false};
    f->frame.sy = (struct plot_scale){-0.04, 1.04, false};
    xt_ticks_number(&f->y_ticks, 0, 1, 5, "");
    f->frame.x = margin + plot_left_room(theme, &f->y_ticks, true);
    f->frame.width = theme->width - f->frame.x - theme->gap * 1.4;
    f->frame.y = theme->gap;
    fill_legend(f);
    double rest = plot_below_room(theme, true) + theme->gap + xt_legend_height(f->legend, text_width) +
                  xt_caption_height(theme, f->caption, text_width) + theme->gap * 1.2;
    f->frame.height =
        theme->height > 0 ? MAX(theme->height - rest - f->frame.y, theme->label * 6) : theme->width * 0.45;
    xt_ticks_number(&f->x_ticks, f->frame.sx.lo, f->frame.sx.hi,
                    MAX(3, (unsigned)(f->frame.width / (theme->small * 5))), "");
    f->legend_y = f->frame.y + f->frame.height + plot_below_room(theme, true) + theme->gap * 0.5;
    f->caption_y = f->legend_y + xt_legend_height(f->legend, text_width) + theme->gap * 0.4;
    double end = f->caption_y + xt_caption_height(theme, f->caption, text_width) + margin;
    f->figure = (struct xt_figure){
        .width = theme->width,
        .height = MAX(theme->height, end),
        .title = f->y_label,
        .description = f->caption,
        .draw = draw,
        .free = free_figure,
    };
    return &f->figure;
}
