/* The rectangle with axes in which numbers are drawn. */
#pragma once

#include "render/axis.h"
#include "render/figure.h"

struct plot_scale {
    double lo, hi; /* lo > 0 if logarithmic */
    bool logarithmic;
};

struct plot_frame {
    double x, y, width, height;
    struct plot_scale sx, sy;
};

double plot_scale_at(const struct plot_scale *scale, double value); /* 0 at lo, 1 at hi, clamped */
double plot_x(const struct plot_frame *frame, double value);
double plot_y(const struct plot_frame *frame, double value);

/* Grid, axes, ticks and their labels. x_name and y_name may be NULL; y_ticks belong to the caller. */
void plot_frame_draw(const struct plot_frame *frame, const struct xt_theme *theme, struct xt_canvas *canvas,
                     const struct xt_ticks *x_ticks, const struct xt_ticks *y_ticks, const char *x_name,
                     const char *y_name);
/* Room that labels take: left of the frame for y_ticks and name, below for x_ticks and name. */
double plot_left_room(const struct xt_theme *theme, const struct xt_ticks *y_ticks, bool named);
double plot_below_room(const struct xt_theme *theme, bool named);

/* Ticks at powers of ten for a probability axis from lo to 1. */
void plot_ticks_probability(struct xt_ticks *ticks, double lo);
