/* What figures are drawn on. Lengths are points, y grows downwards. The backends are Cairo (PNG, PDF) and our
 * own SVG writer (Cairo's turns text into outlines, and cannot carry data). Same calls, same bytes: nothing
 * depends on the clock. */
#pragma once

#include "render/text.h"
#include "render/theme.h"

struct xt_font_set; /* render/svg-font.h */

struct xt_paint {
    xt_colour fill;   /* XT_NO_COLOUR: not filled */
    xt_colour stroke; /* XT_NO_COLOUR: no outline */
    double width;     /* of the outline */
    double dash;      /* length of a dash, 0 solid */
    double opacity;   /* 0 means 1 */
    enum xt_texture texture;
    xt_colour texture_ink;
};
#define XT_PAINT_FILL(colour) (&(struct xt_paint){.fill = (colour), .stroke = XT_NO_COLOUR})
#define XT_PAINT_LINE(colour, line_width)                                                                    \
    (&(struct xt_paint){.fill = XT_NO_COLOUR, .stroke = (colour), .width = (line_width)})

struct xt_point {
    double x, y;
};

/* What a shape stands for; SVG carries it as class and data-* attributes, so that a reader can check the
 * drawing. */
struct xt_tag {
    const char *kind; /* class, e.g. "box running"; a constant of ours, never a name from a trace */
    int64_t ts, dur;  /* ns */
    int domid, vcpu;  /* -1 none */
    int pcpu;         /* -1 none */
};

enum xt_align { XT_ALIGN_START, XT_ALIGN_MIDDLE, XT_ALIGN_END };
enum xt_picture { XT_PICTURE_PNG, XT_PICTURE_PDF, XT_PICTURE_SVG };

struct xt_canvas_info {
    double width, height;            /* pt */
    double dpi;                      /* PNG only; 0: 200 */
    const char *title, *description; /* metadata, in the clear; may be NULL */
    const char
        *id_prefix; /* SVG inside a page with others: makes ids unique; NULL: none, and a whole document */
    struct xt_font_set *fonts; /* SVG: where to note the letters, for a page that holds the fonts once; NULL:
                                  inside the SVG */
};

struct xt_canvas;
struct xt_canvas *xt_canvas_new(enum xt_picture format, const struct xt_canvas_info *info);
/* Draws nothing; finish gives no bytes. */
struct xt_canvas *xt_canvas_new_blank(void);

/* Ends the drawing and hands over its bytes; frees the canvas in any case. NULL and XT_ERROR_SYSTEM if a
 * backend failed. */
GBytes *xt_canvas_finish(struct xt_canvas *canvas, GError **error);

/* PDF: ends the page, starts one of this size. */
void xt_canvas_page(struct xt_canvas *canvas, double width, double height);

/* tag may be NULL in all of these. */
void xt_canvas_rect(struct xt_canvas *canvas, double x, double y, double width, double height,
                    const struct xt_paint *paint, const struct xt_tag *tag);
void xt_canvas_polyline(struct xt_canvas *canvas, const struct xt_point *points, unsigned n, bool closed,
                        const struct xt_paint *paint, const struct xt_tag *tag);
void xt_canvas_circle(struct xt_canvas *canvas, double x, double y, double radius,
                      const struct xt_paint *paint, const struct xt_tag *tag);
void xt_canvas_line(struct xt_canvas *canvas, double x0, double y0, double x1, double y1,
                    const struct xt_paint *paint, const struct xt_tag *tag);

/* One line; y is the baseline. Cut with "…" to max_width (0: not cut). Returns the width drawn. */
double xt_canvas_text(struct xt_canvas *canvas, double x, double y, enum xt_align align,
                      const struct xt_font *font, const char *text, double max_width);
/* Reads from bottom to top, centred on (x, y). */
void xt_canvas_text_upright(struct xt_canvas *canvas, double x, double y, const struct xt_font *font,
                            const char *text);

/* Everything until the matching pop is moved by (x, y), and clipped to width x height if width > 0. */
void xt_canvas_push(struct xt_canvas *canvas, double x, double y, double width, double height);
void xt_canvas_pop(struct xt_canvas *canvas);

/* Format by the ending of path. XT_ERROR_USAGE if it has another. */
bool xt_picture_of_path(const char *path, enum xt_picture *format, GError **error);
