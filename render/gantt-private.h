/* Between the files of the Gantt chart: gantt.c lays out and composes, gantt-exact.c and gantt-density.c draw
 * the rows, gantt-marks.c knows the shapes. */
#pragma once

#include "render/axis.h"
#include "render/gantt.h"

enum row_kind { ROW_PCPU, ROW_VCPU, ROW_JOBS };

/* Lanes of a row, from the top: arrows (heads and badges), boxes, marks, budget. Heights are 0 where a lane
 * is left out. */
struct row {
    enum row_kind kind;
    int index;       /* into scene->pcpus or scene->vcpus; for jobs the first of this task in scene->jobs */
    double y, pitch; /* of the whole row */
    double box_y, box_height;
    double arrow_y; /* top of the arrows */
    double mark_y, mark_height;
    double budget_y, budget_height;
    char *label, *note,
        *params;    /* the name, and period and budget; both quieter than the label, may be NULL */
    GArray *arrows; /* of double: where releases and deadlines stand, ascending; NULL none */
};

/* What a drawing used, so that the legend explains this and only this. */
enum used {
    USED_RUNNING,
    USED_RUNNABLE,
    USED_WAIT_SHARE,
    USED_UNKNOWN,
    USED_RELEASE,
    USED_DEADLINE,
    USED_PERIOD_TICK,
    USED_COMPLETION,
    USED_RESPONSE,
    USED_BUDGET,
    USED_DEPLETION,
    USED_PREEMPTION,
    USED_MIGRATION,
    USED_MIGRATION_ARROW,
    USED_ARROW_LEFT_OUT,
    USED_CROWDED,
    USED_MISS,
    USED_MORE_MISSES, /* a badge stands for several */
    USED_OTHERS,      /* domains pooled in a row of an overview */
    USED_JOB_MISS,
    USED_LOSS,
    USED_COLUMN,
    USED_MISS_COLUMN,
    N_USED
};

struct panel {
    const struct xt_scene *scene;
    GArray *rows;                /* struct row */
    double title_y, top, bottom; /* of the rows */
    double axis_y;               /* -1: the axis is drawn by a later panel */
    unsigned left_out;           /* VCPUs that did not fit */
    unsigned pcpus_left_out;
    int *vcpu_row, *pcpu_row; /* row number by index, -1 not shown */
};

struct gantt {
    struct xt_figure figure;
    struct xt_theme theme;
    struct xt_gantt_options options;
    struct xt_scene **scenes;
    struct panel *panels;
    unsigned n_panels;
    double left, plot_width; /* of the time axis, the same in every panel */
    double unit;             /* font size of row labels, pt */
    bool used[N_USED];
    GHashTable *owners; /* domids or pCPUs whose look was used */
    struct xt_legend *legend;
    double legend_y;
    char *caption;
    double caption_y;
    char *title;
};

static inline double gantt_x(const struct gantt *g, const struct xt_scene *scene, int64_t ts)
{
    return g->left + (double)(ts - scene->from) / (double)(scene->to - scene->from) * g->plot_width;
}

static inline struct row *gantt_row(const struct panel *panel, unsigned i)
{
    return &g_array_index(panel->rows, struct row, i);
}

/* The look of a box, noted for the legend. */
struct xt_look gantt_look(struct gantt *g, int domid, int pcpu);

extern const struct xt_paint gantt_paint_others;
void gantt_draw_exact(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas);
void gantt_draw_density(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas);
void gantt_draw_losses(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas);
/* Fills row->arrows. */
void gantt_find_arrows(const struct gantt *g, const struct panel *panel);
/* Marks of periods and jobs, in the rows that show them. */
void gantt_draw_periods(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas);
void gantt_draw_jobs(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas);

/* Shapes. All are centred on x. */
void gantt_arrow_up(struct xt_canvas *canvas, double x, double top, double bottom, double head,
                    xt_colour colour, const struct xt_tag *tag);
void gantt_arrow_down(struct xt_canvas *canvas, double x, double top, double bottom, double head,
                      double width, xt_colour colour, const struct xt_tag *tag);
void gantt_arrow_between(struct xt_canvas *canvas, double x0, double y0, double x1, double y1, double head,
                         const struct xt_tag *tag);
void gantt_mark(struct xt_canvas *canvas, enum used what, double x, double y, double size,
                const struct xt_tag *tag);
void gantt_completion(struct xt_canvas *canvas, double x, double top, double bottom, double size,
                      xt_colour colour, const struct xt_tag *tag);
/* Red, with text in white, centred on (x, y) but kept inside [left, right]. */
void gantt_badge(struct xt_canvas *canvas, double x, double y, double left, double right, double size,
                 const char *text);
double gantt_badge_width(double size, const char *text);

/* Fills the legend from what was used; widths are known then. */
void gantt_fill_legend(struct gantt *g);
char *gantt_caption(const struct gantt *g);
