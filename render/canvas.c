#include "render/canvas.h"

#include <string.h>

#include "parse/error.h"
#include "render/canvas-private.h"

struct xt_canvas *xt_canvas_new(enum xt_picture format, const struct xt_canvas_info *info)
{
    return format == XT_PICTURE_SVG ? xt_canvas_svg_new(info) : xt_canvas_cairo_new(format, info);
}

GBytes *xt_canvas_finish(struct xt_canvas *canvas, GError **error)
{
    return canvas->ops->finish(canvas, error);
}

void xt_canvas_page(struct xt_canvas *canvas, double width, double height)
{
    canvas->ops->page(canvas, width, height);
}

void xt_canvas_rect(struct xt_canvas *canvas, double x, double y, double width, double height,
                    const struct xt_paint *paint, const struct xt_tag *tag)
{
    canvas->ops->rect(canvas, x, y, width, height, paint, tag);
}

void xt_canvas_polyline(struct xt_canvas *canvas, const struct xt_point *points, unsigned n, bool closed,
                        const struct xt_paint *paint, const struct xt_tag *tag)
{
    if (n > 0)
        canvas->ops->polyline(canvas, points, n, closed, paint, tag);
}

void xt_canvas_circle(struct xt_canvas *canvas, double x, double y, double radius,
                      const struct xt_paint *paint, const struct xt_tag *tag)
{
    canvas->ops->circle(canvas, x, y, radius, paint, tag);
}

void xt_canvas_line(struct xt_canvas *canvas, double x0, double y0, double x1, double y1,
                    const struct xt_paint *paint, const struct xt_tag *tag)
{
    struct xt_point points[] = {{x0, y0}, {x1, y1}};
    canvas->ops->polyline(canvas, points, 2, false, paint, tag);
}

double xt_canvas_text(struct xt_canvas *canvas, double x, double y, enum xt_align align,
                      const struct xt_font *font, const char *text, double max_width)
{
    char *fitted = max_width > 0 ? xt_text_fit(font, text, max_width) : g_strdup(text);
    double width = 0;

    if (*fitted) {
        PangoLayout *layout = xt_text_layout(font, fitted);
        PangoRectangle logical;
        pango_layout_get_extents(layout, NULL, &logical);
        width = (double)logical.width / PANGO_SCALE;
        double left = align == XT_ALIGN_START ? x : align == XT_ALIGN_MIDDLE ? x - width / 2 : x - width;
        canvas->ops->text(canvas, left, y, false, font, layout, width);
        g_object_unref(layout);
    }
    g_free(fitted);
    return width;
}

void xt_canvas_text_upright(struct xt_canvas *canvas, double x, double y, const struct xt_font *font,
                            const char *text)
{
    PangoLayout *layout = xt_text_layout(font, text);
    double width = xt_text_width(font, text);
    canvas->ops->text(canvas, x + xt_text_cap_height(font) / 2, y + width / 2, true, font, layout, width);
    g_object_unref(layout);
}

void xt_canvas_push(struct xt_canvas *canvas, double x, double y, double width, double height)
{
    canvas->ops->push(canvas, x, y, width, height);
}

void xt_canvas_pop(struct xt_canvas *canvas)
{
    canvas->ops->pop(canvas);
}

bool xt_picture_of_path(const char *path, enum xt_picture *format, GError **error)
{
    static const struct {
        const char *ending;
        enum xt_picture format;
    } formats[] = {{".png", XT_PICTURE_PNG}, {".pdf", XT_PICTURE_PDF}, {".svg", XT_PICTURE_SVG}};
    char *lower = g_ascii_strdown(path, -1);
    bool found = false;

    for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++) {
        if (!g_str_has_suffix(lower, formats[i].ending))
            continue;
        *format = formats[i].format;
        found = true;
    }
    if (!found)
        g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "%s: the ending tells the format: .png, .pdf or .svg",
                    path);
    g_free(lower);
    return found;
}
