#include "render/plot-frame.h"

#include <math.h>
#include <stdio.h>

double plot_scale_at(const struct plot_scale *scale, double value)
{
    double at;
    if (scale->logarithmic)
        at = value <= 0 ? 0 : log(value / scale->lo) / log(scale->hi / scale->lo);
    else
        at = (value - scale->lo) / (scale->hi - scale->lo);
    return CLAMP(at, 0, 1);
}

double plot_x(const struct plot_frame *frame, double value)
{
    return frame->x + plot_scale_at(&frame->sx, value) * frame->width;
}

double plot_y(const struct plot_frame *frame, double value)
{
    return frame->y + (1 - plot_scale_at(&frame->sy, value)) * frame->height;
}

static struct xt_font tick_font(const struct xt_theme *theme)
{
    struct xt_font font = xt_font_small(theme);
    font.colour = XT_COLOUR_INK;
    return font;
}

static void draw_x(const struct plot_frame *f, const struct xt_theme *theme, struct xt_canvas *canvas,
                   const struct xt_ticks *ticks, const char *name)
{
    struct xt_font font = tick_font(theme);
    double bottom = f->y + f->height, length = theme->gap * 0.35, taken = -1e9;

    for (unsigned i = 0; i < ticks->n; i++) {
        bool minor = !ticks->tick[i].label[0];
        double x = plot_x(f, ticks->tick[i].at), half = xt_text_width(&font, ticks->tick[i].label) / 2;
        xt_canvas_line(canvas, x, bottom, x, bottom + (minor ? length * 0.5 : length),
                       XT_PAINT_LINE(XT_COLOUR_INK, XT_LINE_AXIS), NULL);
        double at = MIN(x, theme->width - half - theme->gap * 0.3);
        if (minor || at - half < taken + font.size * 0.5)
            continue;
        xt_canvas_text(canvas, at, bottom + length + font.size, XT_ALIGN_MIDDLE, &font, ticks->tick[i].label,
                       0);
        taken = at + half;
    }
    if (name)
        xt_canvas_text(canvas, f->x + f->width / 2, bottom + length + font.size * 2.3, XT_ALIGN_MIDDLE, &font,
                       name, theme->width - 2 * theme->gap);
}

static void draw_y(const struct plot_frame *f, const struct xt_theme *theme, struct xt_canvas *canvas,
                   const struct xt_ticks *ticks, const char *name)
{
    struct xt_font font = tick_font(theme);
    double length = theme->gap * 0.35, widest = 0, taken = 1e9;

    for (unsigned i = 0; i < ticks->n; i++) {
        double y = plot_y(f, ticks->tick[i].at), middle = y + xt_text_cap_height(&font) / 2;
        bool minor = !ticks->tick[i].label[0];
        xt_canvas_line(canvas, f->x - (minor ? length * 0.5 : length), y, f->x, y,
                       XT_PAINT_LINE(XT_COLOUR_INK, XT_LINE_AXIS), NULL);
        if (minor || middle > taken - font.size)
            continue;
        taken = middle;
        widest = MAX(widest, xt_canvas_text(canvas, f->x - length - font.size * 0.35, middle, XT_ALIGN_END,
                                            &font, ticks->tick[i].label, 0));
    }
    if (name)
        xt_canvas_text_upright(canvas, f->x - length - font.size * 1.2 - widest, f->y + f->height / 2, &font,
                               name);
}

void plot_frame_draw(const struct plot_frame *f, const struct xt_theme *theme, struct xt_canvas *canvas,
                     const struct xt_ticks *x_ticks, const struct xt_ticks *y_ticks, const char *x_name,
                     const char *y_name)
{
    const struct xt_paint *axis = XT_PAINT_LINE(XT_COLOUR_INK, XT_LINE_AXIS);
    double bottom = f->y + f->height;

    for (unsigned i = 0; i < y_ticks->n; i++)
        if (y_ticks->tick[i].label[0])
            xt_canvas_line(canvas, f->x, plot_y(f, y_ticks->tick[i].at), f->x + f->width,
                           plot_y(f, y_ticks->tick[i].at), XT_PAINT_LINE(XT_COLOUR_GRID, XT_LINE_GRID), NULL);
    for (unsigned i = 0; x_ticks && i < x_ticks->n; i++)
        if (x_ticks->tick[i].label[0])
            xt_canvas_line(canvas, plot_x(f, x_ticks->tick[i].at), f->y, plot_x(f, x_ticks->tick[i].at),
                           bottom, XT_PAINT_LINE(XT_COLOUR_GRID, XT_LINE_GRID), NULL);
    xt_canvas_line(canvas, f->x, f->y, f->x, bottom, axis, NULL);
    xt_canvas_line(canvas, f->x, bottom, f->x + f->width, bottom, axis, NULL);
    if (x_ticks)
        draw_x(f, theme, canvas, x_ticks, x_name);
    draw_y(f, theme, canvas, y_ticks, y_name);
}

double plot_left_room(const struct xt_theme *theme, const struct xt_ticks *y_ticks, bool named)
{
    struct xt_font font = tick_font(theme);
    double widest = 0;
    for (unsigned i = 0; i < y_ticks->n; i++)
        widest = MAX(widest, xt_text_width(&font, y_ticks->tick[i].label));
    return widest + theme->gap * 0.35 + font.size * (named ? 2.2 : 0.7);
}

double plot_below_room(const struct xt_theme *theme, bool named)
{
    return theme->gap * 0.35 + theme->small * (named ? 2.8 : 1.4);
}

void plot_ticks_probability(struct xt_ticks *ticks, double lo)
{
    int last = (int)floor(log10(lo) + 1e-9);
    int every = MAX(1, -last / 6);

    ticks->n = 0;
    ticks->unit[0] = '\0';
    for (int decade = last; decade <= 0 && ticks->n < G_N_ELEMENTS(ticks->tick); decade++) {
        struct xt_tick *tick = &ticks->tick[ticks->n++];
        tick->at = pow(10, decade);
        tick->label[0] = '\0';
        if (-decade % every != 0)
            continue;
        if (decade >= -3)
            g_ascii_formatd(tick->label, sizeof(tick->label), "%g", tick->at);
        else
            snprintf(tick->label, sizeof(tick->label), "1e%d", decade);
    }
}
