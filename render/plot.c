/* Layout of histograms and distribution functions. */
#include "render/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "render/plot-private.h"

#define LONG_TAIL 30 /* max over median: from here on a logarithmic axis shows more */

static void range_of(const struct xt_sample_set *set, double *lo, double *hi, double *median)
{
    int64_t least = INT64_MAX, most = 0;
    *median = 0;
    for (unsigned g = 0; g < set->groups->len; g++) {
        const struct xt_samples *group = set->groups->pdata[g];
        if (group->values->len == 0)
            continue;
        least = MIN(least, g_array_index(group->values, struct xt_sample, 0).ns);
        most = MAX(most, g_array_index(group->values, struct xt_sample, group->values->len - 1).ns);
        *median = MAX(*median, (double)xt_samples_quantile(group, 0.5));
    }
    *lo = least == INT64_MAX ? 0 : (double)least;
    *hi = MAX((double)most, *lo + 1);
}

static void scale_x(const struct plot *plot, struct plot_panel *panel)
{
    double lo, hi, median;
    range_of(panel->set, &lo, &hi, &median);
    bool logarithmic = plot->options.log_x < 0 ? hi > LONG_TAIL * MAX(median, 1) : plot->options.log_x;

    if (plot->options.kind == XT_PLOT_HIST) {
        xt_bins_choose(&panel->bins, panel->set, logarithmic);
        lo = xt_bins_edge(&panel->bins, 0);
        hi = xt_bins_edge(&panel->bins, panel->bins.n);
    } else if (logarithmic) {
        lo = MAX(lo, 1) * 0.95;
        hi = MAX(hi, lo * 2) * 1.05;
    } else {
        double margin = (hi - lo) * 0.02;
        lo = MAX(0, lo - margin);
        hi += margin;
    }
    panel->sx = (struct plot_scale){lo, hi, logarithmic};
}

static double highest_share(const struct plot_panel *panel, double *least)
{
    double highest = 0;
    *least = 1;
    for (unsigned g = 0; g < panel->set->groups->len; g++) {
        const struct xt_samples *group = plot_group(panel, g);
        uint64_t *counts = xt_bins_count(&panel->bins, group);
        for (unsigned b = 0; b < panel->bins.n; b++) {
            double share = group->n > 0 ? (double)counts[b] / (double)group->n : 0;
            highest = MAX(highest, share);
            if (share > 0)
                *least = MIN(*least, share);
        }
        g_free(counts);
    }
    return highest;
}

static void scale_y(const struct plot *plot, struct plot_panel *panel)
{
    bool logarithmic =
        plot->options.log_y > 0 || (plot->options.log_y < 0 && plot->options.kind == XT_PLOT_CCDF);
    double least, highest = 1;

    if (plot->options.kind == XT_PLOT_HIST) {
        highest = MAX(highest_share(panel, &least), 1e-9);
        panel->y_name = g_strdup("share of samples");
    } else {
        uint64_t most = 1;
        for (unsigned g = 0; g < panel->set->groups->len; g++)
            most = MAX(most, plot_group(panel, g)->n);
        least = 1.0 / (double)most;
        panel->y_name = g_strdup(plot->options.kind == XT_PLOT_CDF ? "P(X ≤ x)" : "P(X > x)");
    }
    if (logarithmic) {
        panel->sy = (struct plot_scale){pow(10, floor(log10(least) + 1e-9)), 1, true};
        plot_ticks_probability(&panel->y_ticks, panel->sy.lo);
    } else if (plot->options.kind == XT_PLOT_HIST) {
        panel->sy = (struct plot_scale){0, highest * 100 * 1.04, false};
        xt_ticks_number(&panel->y_ticks, 0, panel->sy.hi, 4, " %");
    } else {
        panel->sy = (struct plot_scale){0, 1, false};
        xt_ticks_number(&panel->y_ticks, 0, 1, 5, "");
    }
}

static void name_x(const struct plot *plot, struct plot_panel *panel)
{
    unsigned room = MAX(3, (unsigned)(plot->width / (plot->theme.small * 5.5)));
    char *name = g_strdup(panel->set->metric);

    for (char *p = name; *p; p++)
        *p = *p == '_' ? ' ' : *p;
    xt_ticks_duration(&panel->x_ticks, panel->sx.lo, panel->sx.hi, panel->sx.logarithmic, room);
    if (panel->x_ticks.unit[0])
        snprintf(panel->x_name, sizeof(panel->x_name), "%s (%s)", name, panel->x_ticks.unit);
    else
        snprintf(panel->x_name, sizeof(panel->x_name), "%s (logarithmic)", name);
    g_free(name);
}

static double meaning_height(const struct plot *plot, const struct plot_panel *panel)
{
    return xt_caption_height(&plot->theme, panel->set->meaning ? panel->set->meaning : "",
                             plot->theme.width - 1.2 * plot->theme.gap);
}

/* Height of all but the frames. */
static double fixed_height(const struct plot *plot, const struct plot_panel *panel)
{
    return plot->theme.title * 1.3 + meaning_height(plot, panel) + plot->theme.gap * 1.7 +
           plot_below_room(&plot->theme, true) + plot_table_height(plot, panel) + plot->theme.gap;
}

static double place_panel(struct plot *plot, struct plot_panel *panel, double y, double frame_height)
{
    bool histogram = plot->options.kind == XT_PLOT_HIST;
    double over =
        histogram ? plot->theme.label * 3.4 : plot->theme.gap * 1.1; /* group and quantiles stand over it */

    panel->top = y;
    panel->frame_height = frame_height;
    panel->frame_pitch = frame_height + over;
    panel->frames_y = y + plot->theme.title * 1.3 + meaning_height(plot, panel) + over;
    y = panel->frames_y - over + panel->n_frames * panel->frame_pitch + plot_below_room(&plot->theme, true);
    panel->table_y = y + plot->theme.gap;
    return panel->table_y + plot_table_height(plot, panel) + plot->theme.gap;
}

static void draw_panel(const struct plot *plot, const struct plot_panel *panel, struct xt_canvas *canvas)
{
    struct xt_font title = xt_font_title(&plot->theme);
    double x = plot->theme.gap * 0.6, width = plot->theme.width - 2 * x;

    char *name = g_strdup(panel->set->metric);
    for (char *p = name; *p; p++)
        *p = *p == '_' ? ' ' : *p;
    char *text = g_strdup_printf("%s: %s", panel->set->is_latency ? "Latency" : "Overhead", name);
    xt_canvas_text(canvas, x, panel->top + plot->theme.title, XT_ALIGN_START, &title, text, width);
    g_free(text);
    g_free(name);
    if (panel->set->meaning)
        xt_caption_draw(&plot->theme, canvas, panel->set->meaning, x, panel->top + plot->theme.title * 1.3,
                        width);
    if (plot->options.kind == XT_PLOT_HIST)
        plot_draw_histogram(plot, panel, canvas);
    else
        plot_draw_function(plot, panel, canvas);
    plot_draw_table(plot, panel, canvas);
}

static void draw(const struct xt_figure *figure, struct xt_canvas *canvas)
{
    const struct plot *plot = (const struct plot *)figure;
    double x = plot->theme.gap * 0.6;
    for (unsigned p = 0; p < plot->n_panels; p++)
        draw_panel(plot, &plot->panels[p], canvas);
    xt_caption_draw(&plot->theme, canvas, plot->caption, x, plot->caption_y, plot->theme.width - 2 * x);
}

static void free_plot(struct xt_figure *figure)
{
    struct plot *plot = (struct plot *)figure;
    for (unsigned p = 0; p < plot->n_panels; p++) {
        xt_sample_set_free(plot->panels[p].set);
        g_free(plot->panels[p].y_name);
    }
    g_free(plot->panels);
    g_free(plot->caption);
    g_free(plot);
}

static char *caption_of(const struct plot *plot)
{
    GString *out = g_string_new(NULL);
    char a[32];

    if (plot->options.kind == XT_PLOT_HIST) {
        const struct xt_bins *bins = &plot->panels[0].bins;
        if (bins->logarithmic)
            g_string_append(out, "Bins: 20 per decade, equal on the logarithmic axis, closed on the left. ");
        else
            g_string_append_printf(
                out, "Bins: %s wide (Freedman–Diaconis over all groups, rounded to 1-2-5, at most 200)%s. ",
                xt_format_duration(a, sizeof(a), bins->width, 4),
                plot->n_panels > 1 ? " in the first panel, by the same rule in the others" : "");
    }
    if (plot->options.kind == XT_PLOT_HIST)
        g_string_append(out, "No bin that holds a sample is drawn lower than 0.4 pt. ");
    if (plot->options.kind == XT_PLOT_CCDF)
        g_string_append(out, "The largest sample has P(X > x) = 0 and ends its curve. ");
    g_string_append(out, "Quantiles are exact, nearest rank. ");
    if (plot->options.equal_n)
        g_string_append_printf(out,
                               "Equal counts: each group is a uniform subsample without replacement of the "
                               "smallest group's "
                               "size, seed %" G_GUINT64_FORMAT ". ",
                               plot->options.seed);
    if (plot->options.source)
        g_string_append_printf(out, "%s ", plot->options.source);
    g_string_append(out, "xentrail " XT_VERSION ".");
    return g_string_free(out, FALSE);
}

struct xt_figure *xt_plot_new(const struct xt_theme *theme, const struct xt_plot_options *options,
                              struct xt_sample_set *const *sets, unsigned n_sets)
{
    struct plot *plot = g_new0(struct plot, 1);
    double margin = theme->gap * 0.6, fixed = 2 * margin;
    unsigned n_frames = 0;

    plot->theme = *theme;
    plot->options = *options;
    plot->n_panels = n_sets;
    plot->panels = g_new0(struct plot_panel, n_sets);
    plot->width = theme->width * 0.85; /* until the labels are known */
    for (unsigned p = 0; p < n_sets; p++) {
        struct plot_panel *panel = &plot->panels[p];
        panel->set = sets[p];
        panel->n_frames = options->kind == XT_PLOT_HIST ? MAX(panel->set->groups->len, 1) : 1;
        n_frames += panel->n_frames;
        scale_x(plot, panel);
        scale_y(plot, panel);
        plot->left = MAX(plot->left, plot_left_room(theme, &panel->y_ticks, true));
        fixed += fixed_height(plot, panel) + panel->n_frames * theme->label * 3.4;
    }
    plot->left += margin;
    plot->width = theme->width - plot->left - theme->gap * 1.4;
    plot->caption = caption_of(plot);
    plot->options.source = NULL;
    fixed += xt_caption_height(theme, plot->caption, theme->width - 2 * margin);

    double frame_height = options->kind == XT_PLOT_HIST
                              ? theme->label * 7
                              : CLAMP(theme->width * 0.42, theme->label * 14, theme->label * 30);
    if (theme->height > 0)
        frame_height = MAX((theme->height - fixed) / MAX(n_frames, 1), theme->label * 3);
    double y = margin;
    for (unsigned p = 0; p < n_sets; p++) {
        name_x(plot, &plot->panels[p]);
        y = place_panel(plot, &plot->panels[p], y, frame_height);
    }
    plot->caption_y = y;
    y += xt_caption_height(theme, plot->caption, theme->width - 2 * margin) + margin;
    plot->figure = (struct xt_figure){
        .width = theme->width,
        .height = MAX(theme->height, y),
        .title = n_sets > 0 ? plot->panels[0].set->metric : NULL,
        .description = plot->caption,
        .draw = draw,
        .free = free_plot,
    };
    return &plot->figure;
}
