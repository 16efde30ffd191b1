/* Gantt charts: scenes in, figure out. */
#pragma once

#include "render/figure.h"
#include "render/scene.h"

enum { XT_ROWS_PCPU = 1, XT_ROWS_VCPU = 2, XT_ROWS_JOBS = 4 };

struct xt_gantt_options {
    unsigned rows; /* XT_ROWS_* */
    bool colour_by_pcpu;
};

/* Panels under each other, one per scene, on one time axis if their windows are the same. Takes the scenes
 * over. If the rows do not fit a fixed height, the VCPUs that ran least are left out, and the caption says
 * so. */
struct xt_figure *xt_gantt_new(const struct xt_theme *theme, const struct xt_gantt_options *options,
                               struct xt_scene *const *scenes, unsigned n_scenes);

/* Into how many columns an overview of this theme is divided. */
unsigned xt_gantt_columns(const struct xt_theme *theme);
