/* Between plot.c, which lays out, and the files that draw one kind each. */
#pragma once

#include "render/plot-frame.h"
#include "render/plot.h"

struct plot_panel {
    struct xt_sample_set *set;
    struct xt_bins bins;                        /* histogram only */
    double top;                                 /* of the title */
    double frames_y, frame_height, frame_pitch; /* one frame, or one per group for a histogram */
    unsigned n_frames;
    double table_y;
    struct plot_scale sx, sy;
    struct xt_ticks x_ticks, y_ticks;
    char x_name[128];
    char *y_name;
};

struct plot {
    struct xt_figure figure;
    struct xt_theme theme;
    struct xt_plot_options options;
    struct plot_panel *panels;
    unsigned n_panels;
    double left, width; /* of the frames */
    char *caption;
    double caption_y;
};

static inline struct xt_look plot_look(const struct xt_samples *group)
{
    return group->policy ? xt_look_policy(group->policy, group->index) : xt_look_group(group->index);
}

static inline const struct xt_samples *plot_group(const struct plot_panel *panel, unsigned i)
{
    return panel->set->groups->pdata[i];
}

void plot_draw_histogram(const struct plot *plot, const struct plot_panel *panel, struct xt_canvas *canvas);
void plot_draw_function(const struct plot *plot, const struct plot_panel *panel, struct xt_canvas *canvas);

/* n and quantiles, a row per group; also the legend. */
double plot_table_height(const struct plot *plot, const struct plot_panel *panel);
void plot_draw_table(const struct plot *plot, const struct plot_panel *panel, struct xt_canvas *canvas);
