/* Draws nothing: for a dry run that only wants to know what would be drawn. */
#include "render/canvas-private.h"

static GBytes *finish(struct xt_canvas *canvas, GError **error)
{
    g_free(canvas);
    return g_bytes_new(NULL, 0);
}

static void page(struct xt_canvas *canvas, double width, double height)
{
}

static void rect(struct xt_canvas *canvas, double x, double y, double width, double height,
                 const struct xt_paint *paint, const struct xt_tag *tag)
{
}

static void polyline(struct xt_canvas *canvas, const struct xt_point *points, unsigned n, bool closed,
                     const struct xt_paint *paint, const struct xt_tag *tag)
{
}

static void circle(struct xt_canvas *canvas, double x, double y, double radius, const struct xt_paint *paint,
                   const struct xt_tag *tag)
{
}

static void text(struct xt_canvas *canvas, double x, double y, bool upright, const struct xt_font *font,
                 PangoLayout *layout, double text_width)
{
}

static void push(struct xt_canvas *canvas, double x, double y, double width, double height)
{
}

static void pop(struct xt_canvas *canvas)
{
}

static const struct xt_canvas_ops blank_ops = {finish, page, rect, polyline, circle, text, push, pop};

struct xt_canvas *xt_canvas_new_blank(void)
{
    struct xt_canvas *canvas = g_new0(struct xt_canvas, 1);
    canvas->ops = &blank_ops;
    return canvas;
}
