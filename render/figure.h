/* A figure: laid out for a width, so of a known height, then drawn on any canvas. */
#pragma once

#include "render/canvas.h"

struct xt_figure {
    double width, height;            /* pt */
    const char *title, *description; /* metadata; belong to the figure */
    void (*draw)(const struct xt_figure *figure, struct xt_canvas *canvas);
    void (*free)(struct xt_figure *figure);
};
void xt_figure_free(struct xt_figure *figure);

/* The figure's bytes, a file of its own. dpi is for PNG (0: 200). */
GBytes *xt_figure_render(const struct xt_figure *figure, enum xt_picture format, double dpi, GError **error);

/* As SVG inside a page: ids begin with id_prefix, the letters are noted in fonts, which the page writes once.
 */
GBytes *xt_figure_render_inline(const struct xt_figure *figure, const char *id_prefix,
                                struct xt_font_set *fonts, GError **error);

/* Renders by the ending of path and puts the file in place whole or not at all. */
bool xt_figure_write(const struct xt_figure *figure, const char *path, double dpi, GError **error);

/* Puts a file in place whole or not at all. */
bool xt_write_file(const char *path, GBytes *bytes, GError **error);

struct xt_font xt_font_title(const struct xt_theme *theme);
struct xt_font xt_font_label(const struct xt_theme *theme);
struct xt_font xt_font_small(const struct xt_theme *theme);

/* Legend: swatches with labels, set in lines as they fit. */
struct xt_legend;
/* Draws a swatch centred on (x, y) within width x height; index and paint as given to xt_legend_add. */
typedef void (*xt_swatch)(struct xt_canvas *canvas, double x, double y, double width, double height,
                          const struct xt_paint *paint, int index);
struct xt_legend *xt_legend_new(const struct xt_theme *theme);
void xt_legend_free(struct xt_legend *legend);
void xt_legend_add(struct xt_legend *legend, xt_swatch swatch, const struct xt_paint *paint, int index,
                   const char *label);
unsigned xt_legend_length(const struct xt_legend *legend);
/* Height for a width; draw takes the same width. */
double xt_legend_height(const struct xt_legend *legend, double width);
void xt_legend_draw(const struct xt_legend *legend, struct xt_canvas *canvas, double x, double y,
                    double width);
void xt_swatch_box(struct xt_canvas *canvas, double x, double y, double width, double height,
                   const struct xt_paint *paint, int index);
void xt_swatch_line(struct xt_canvas *canvas, double x, double y, double width, double height,
                    const struct xt_paint *paint, int index);

/* Running text under a figure, in small type. */
double xt_caption_height(const struct xt_theme *theme, const char *text, double width);
void xt_caption_draw(const struct xt_theme *theme, struct xt_canvas *canvas, const char *text, double x,
                     double y, double width);
