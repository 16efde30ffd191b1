/* PNG and PDF by Cairo. */
#include <cairo-pdf.h>
#include <math.h>

#include "parse/error.h"
#include "render/canvas-private.h"
#include "render/canvas-png.h"

#define DEFAULT_DPI 200
#define TEXTURE_STEP 3.0 /* pt between the lines of a texture */
#define TEXTURE_LINE 0.45

struct cairo_canvas {
    struct xt_canvas base;
    cairo_surface_t *surface;
    cairo_t *cr;
    enum xt_picture format;
    double dpi; /* of a PNG */
    GByteArray *bytes;
};

static cairo_status_t take_bytes(void *closure, const unsigned char *data, unsigned length)
{
    g_byte_array_append(closure, data, length);
    return CAIRO_STATUS_SUCCESS;
}

static GBytes *finish(struct xt_canvas *canvas, GError **error)
{
    struct cairo_canvas *c = (struct cairo_canvas *)canvas;
    cairo_status_t status = cairo_status(c->cr);

    cairo_destroy(c->cr);
    if (status == CAIRO_STATUS_SUCCESS)
        status = cairo_surface_status(c->surface);
    if (status == CAIRO_STATUS_SUCCESS && c->format == XT_PICTURE_PNG)
        status = png_write(c->surface, c->dpi, c->bytes) ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_NO_MEMORY;
    cairo_surface_finish(c->surface);
    if (status == CAIRO_STATUS_SUCCESS)
        status = cairo_surface_status(c->surface);
    cairo_surface_destroy(c->surface);

    GBytes *bytes = g_byte_array_free_to_bytes(c->bytes);
    g_free(c);
    if (status == CAIRO_STATUS_SUCCESS)
        return bytes;
    g_bytes_unref(bytes);
    g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "drawing failed: %s%s", cairo_status_to_string(status),
                status == CAIRO_STATUS_INVALID_SIZE ? "; take a smaller --size or --dpi" : "");
    return NULL;
}

static void page(struct xt_canvas *canvas, double width, double height)
{
    struct cairo_canvas *c = (struct cairo_canvas *)canvas;
    cairo_show_page(c->cr);
    if (c->format == XT_PICTURE_PDF)
        cairo_pdf_surface_set_size(c->surface, width, height);
}

static void set_colour(cairo_t *cr, xt_colour colour, double opacity)
{
    cairo_set_source_rgba(cr, (colour >> 16 & 0xff) / 255.0, (colour >> 8 & 0xff) / 255.0,
                          (colour & 0xff) / 255.0, opacity > 0 ? opacity : 1);
}

/* Lines at multiples of the step in the canvas's own frame: neighbouring boxes of one look join without a
 * seam. */
static void draw_texture(cairo_t *cr, const struct xt_paint *paint)
{
    double x0, y0, x1, y1;

    cairo_path_extents(cr, &x0, &y0, &x1, &y1);
    cairo_path_t *path = cairo_copy_path(cr);
    cairo_save(cr);
    cairo_clip(cr);
    double height = y1 - y0, step = TEXTURE_STEP;
    bool rising = paint->texture == XT_TEXTURE_RISING || paint->texture == XT_TEXTURE_CROSSED;
    bool falling = paint->texture == XT_TEXTURE_FALLING || paint->texture == XT_TEXTURE_CROSSED;

    if (rising)
        for (double s = floor((x0 + y0) / step) * step; s <= x1 + y1; s += step) {
            cairo_move_to(cr, s - y0, y0);
            cairo_line_to(cr, s - y1, y1);
        }
    if (falling)
        for (double s = floor((x0 - y1) / step) * step; s <= x1 - y0; s += step) {
            cairo_move_to(cr, s + y0, y0);
            cairo_line_to(cr, s + y0 + height, y1);
        }
    if (paint->texture == XT_TEXTURE_LEVEL)
        for (double y = ceil(y0 / step) * step; y <= y1; y += step) {
            cairo_move_to(cr, x0, y);
            cairo_line_to(cr, x1, y);
        }
    if (paint->texture == XT_TEXTURE_UPRIGHT)
        for (double x = ceil(x0 / step) * step; x <= x1; x += step) {
            cairo_move_to(cr, x, y0);
            cairo_line_to(cr, x, y1);
        }
    set_colour(cr, paint->texture_ink, paint->opacity);
    cairo_set_line_width(cr, TEXTURE_LINE);
    cairo_set_dash(cr, NULL, 0, 0);
    cairo_stroke(cr);
    cairo_restore(cr);
    cairo_new_path(cr);
    cairo_append_path(cr, path);
    cairo_path_destroy(path);
}

static void paint_path(cairo_t *cr, const struct xt_paint *paint)
{
    if (paint->fill != XT_NO_COLOUR) {
        set_colour(cr, paint->fill, paint->opacity);
        cairo_fill_preserve(cr);
    }
    if (paint->texture != XT_TEXTURE_NONE)
        draw_texture(cr, paint);
    if (paint->stroke != XT_NO_COLOUR && paint->width > 0) {
        set_colour(cr, paint->stroke, paint->opacity);
        cairo_set_line_width(cr, paint->width);
        cairo_set_dash(cr, &paint->dash, paint->dash > 0 ? 1 : 0, 0);
        cairo_stroke_preserve(cr);
    }
    cairo_new_path(cr);
}

static void rect(struct xt_canvas *canvas, double x, double y, double width, double height,
                 const struct xt_paint *paint, const struct xt_tag *tag)
{
    struct cairo_canvas *c = (struct cairo_canvas *)canvas;
    cairo_rectangle(c->cr, x, y, width, height);
    paint_path(c->cr, paint);
}

static void polyline(struct xt_canvas *canvas, const struct xt_point *points, unsigned n, bool closed,
                     const struct xt_paint *paint, const struct xt_tag *tag)
{
    struct cairo_canvas *c = (struct cairo_canvas *)canvas;
    cairo_move_to(c->cr, points[0].x, points[0].y);
    for (unsigned i = 1; i < n; i++)
        cairo_line_to(c->cr, points[i].x, points[i].y);
    if (closed)
        cairo_close_path(c->cr);
    paint_path(c->cr, paint);
}

static void circle(struct xt_canvas *canvas, double x, double y, double radius, const struct xt_paint *paint,
                   const struct xt_tag *tag)
{
    struct cairo_canvas *c = (struct cairo_canvas *)canvas;
    cairo_new_sub_path(c->cr);
    cairo_arc(c->cr, x, y, radius, 0, 2 * G_PI);
    cairo_close_path(c->cr);
    paint_path(c->cr, paint);
}

static void text(struct xt_canvas *canvas, double x, double y, bool upright, const struct xt_font *font,
                 PangoLayout *layout, double text_width)
{
    struct cairo_canvas *c = (struct cairo_canvas *)canvas;
    cairo_save(c->cr);
    set_colour(c->cr, font->colour, 1);
    cairo_translate(c->cr, x, y);
    if (upright)
        cairo_rotate(c->cr, -G_PI / 2);
    cairo_move_to(c->cr, 0, 0);
    pango_cairo_update_layout(c->cr, layout);
    pango_cairo_show_layout_line(c->cr, pango_layout_get_line_readonly(layout, 0));
    cairo_new_path(c->cr);
    cairo_restore(c->cr);
    pango_context_set_matrix(pango_layout_get_context(layout), NULL); /* it is shared by every layout */
}

static void push(struct xt_canvas *canvas, double x, double y, double width, double height)
{
    struct cairo_canvas *c = (struct cairo_canvas *)canvas;
    cairo_save(c->cr);
    cairo_translate(c->cr, x, y);
    if (width <= 0)
        return;
    cairo_rectangle(c->cr, 0, 0, width, height);
    cairo_clip(c->cr);
}

static void pop(struct xt_canvas *canvas)
{
    cairo_restore(((struct cairo_canvas *)canvas)->cr);
}

static const struct xt_canvas_ops cairo_ops = {finish, page, rect, polyline, circle, text, push, pop};

static void describe_pdf(cairo_surface_t *surface, const struct xt_canvas_info *info)
{
    /* No dates: the same input gives the same bytes. */
    cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATE_DATE, "");
    cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATOR, "xentrail " XT_VERSION);
    if (info->title)
        cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_TITLE, info->title);
    if (info->description)
        cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_SUBJECT, info->description);
}

struct xt_canvas *xt_canvas_cairo_new(enum xt_picture format, const struct xt_canvas_info *info)
{
    struct cairo_canvas *c = g_new0(struct cairo_canvas, 1);
    c->base.ops = &cairo_ops;
    c->format = format;
    c->bytes = g_byte_array_new();

    if (format == XT_PICTURE_PDF) {
        c->surface = cairo_pdf_surface_create_for_stream(take_bytes, c->bytes, info->width, info->height);
        describe_pdf(c->surface, info);
        c->cr = cairo_create(c->surface);
    } else {
        c->dpi = info->dpi > 0 ? info->dpi : DEFAULT_DPI;
        double scale = c->dpi / 72;
        c->surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)ceil(info->width * scale),
                                                (int)ceil(info->height * scale));
        c->cr = cairo_create(c->surface);
        set_colour(c->cr, XT_COLOUR_PAPER, 1);
        cairo_paint(c->cr);
        cairo_scale(c->cr, scale, scale);
    }
    cairo_set_line_cap(c->cr, CAIRO_LINE_CAP_BUTT);
    cairo_set_line_join(c->cr, CAIRO_LINE_JOIN_MITER);
    return &c->base;
}
