/* Between canvas.c and its backends. */
#pragma once

#include "render/canvas.h"

struct xt_canvas_ops {
    GBytes *(*finish)(struct xt_canvas *canvas, GError **error); /* frees canvas */
    void (*page)(struct xt_canvas *canvas, double width, double height);
    void (*rect)(struct xt_canvas *canvas, double x, double y, double width, double height,
                 const struct xt_paint *paint, const struct xt_tag *tag);
    void (*polyline)(struct xt_canvas *canvas, const struct xt_point *points, unsigned n, bool closed,
                     const struct xt_paint *paint, const struct xt_tag *tag);
    void (*circle)(struct xt_canvas *canvas, double x, double y, double radius, const struct xt_paint *paint,
                   const struct xt_tag *tag);
    /* Left end of the baseline at (x, y), then turned by -90 degrees around it if upright. layout holds text.
     */
    void (*text)(struct xt_canvas *canvas, double x, double y, bool upright, const struct xt_font *font,
                 PangoLayout *layout, double text_width);
    void (*push)(struct xt_canvas *canvas, double x, double y, double width, double height);
    void (*pop)(struct xt_canvas *canvas);
};

struct xt_canvas {
    const struct xt_canvas_ops *ops;
};

struct xt_canvas *xt_canvas_cairo_new(enum xt_picture format, const struct xt_canvas_info *info);
struct xt_canvas *xt_canvas_svg_new(const struct xt_canvas_info *info);
