/* Histograms: one frame per group, bins and axes in common. */
#include <stdio.h>

#include "render/plot-private.h"

static const struct {
    double p;
    const char *name;
    double dash;
} markers[] = {{0.5, "p50", 0}, {0.99, "p99", 3}, {0.999, "p99.9", 1.2}, {1, "max", 0}};

static void draw_bins(const struct plot_panel *panel, const struct plot_frame *f,
                      const struct xt_samples *group, struct xt_canvas *canvas)
{
    uint64_t *counts = xt_bins_count(&panel->bins, group);
    struct xt_look look = plot_look(group);
    double base = f->y + f->height;

    for (unsigned b = 0; b < panel->bins.n; b++) {
        if (counts[b] == 0)
            continue;
        double share = (double)counts[b] / (double)group->n * (panel->sy.logarithmic ? 1 : 100);
        double x0 = plot_x(f, xt_bins_edge(&panel->bins, b)),
               x1 = plot_x(f, xt_bins_edge(&panel->bins, b + 1));
        double y = MIN(plot_y(f, share), base - 0.4); /* a bin that holds anything is seen */
        struct xt_paint paint = {.fill = look.fill,
                                 .stroke = look.line,
                                 .width = XT_LINE_BOX,
                                 .texture = look.texture,
                                 .texture_ink = look.ink};
        struct xt_tag tag = {"bin", (int64_t)xt_bins_edge(&panel->bins, b), (int64_t)counts[b], -1, -1, -1};
        xt_canvas_rect(canvas, x0, y, x1 - x0, base - y, &paint, &tag);
    }
    g_free(counts);
}

/* Vertical lines with labels over the frame, in two lines: the upper one begins where the group's name ends.
 * A label that finds no room in either is left to the table. */
static void draw_markers(const struct plot *plot, const struct plot_frame *f, const struct xt_samples *group,
                         double upper_from, struct xt_canvas *canvas)
{
    struct xt_font font = xt_font_small(&plot->theme);
    double taken[] = {-1e9, upper_from};

    font.colour = XT_COLOUR_INK;
    for (unsigned m = 0; m < G_N_ELEMENTS(markers) && group->n > 0; m++) {
        char text[64], value[32];
        int64_t ns = xt_samples_quantile(group, markers[m].p);
        double x = plot_x(f, (double)ns);
        struct xt_paint paint = {
            .fill = XT_NO_COLOUR, .stroke = XT_COLOUR_INK, .width = XT_LINE_MARK, .dash = markers[m].dash};
        snprintf(text, sizeof(text), "%s %s", markers[m].name,
                 xt_format_duration(value, sizeof(value), (double)ns, 3));
        double half = xt_text_width(&font, text) / 2;
        double at = CLAMP(x, f->x + half, f->x + f->width - half);
        unsigned line = 0;
        while (line < 2 && at - half < taken[line] + font.size * 0.6)
            line++;
        double top = line == 1 ? f->y - font.size * 1.55 : f->y - font.size * 0.35;
        xt_canvas_line(canvas, x, top, x, f->y + f->height, &paint, NULL);
        if (line == 2)
            continue;
        xt_canvas_text(canvas, at, f->y - font.size * (line == 1 ? 1.75 : 0.55), XT_ALIGN_MIDDLE, &font, text,
                       0);
        taken[line] = at + half;
        if (line == 1)
            taken[0] = MAX(taken[0], x); /* its line passes through the lower one */
    }
}

void plot_draw_histogram(const struct plot *plot, const struct plot_panel *panel, struct xt_canvas *canvas)
{
    struct xt_font bold = xt_font_label(&plot->theme), quiet = xt_font_small(&plot->theme);
    bold.bold = true;

    for (unsigned g = 0; g < panel->set->groups->len; g++) {
        const struct xt_samples *group = plot_group(panel, g);
        bool last = g + 1 == panel->set->groups->len;
        struct plot_frame f = {plot->left,  panel->frames_y + g * panel->frame_pitch,
                               plot->width, panel->frame_height,
                               panel->sx,   panel->sy};
        char *label = xt_text_clean(group->label), count[32], text[64];
        double y = f.y - plot->theme.label * 1.75;
        double used = xt_canvas_text(canvas, f.x, y, XT_ALIGN_START, &bold, label, f.width * 0.6);
        snprintf(text, sizeof(text), "n = %s", xt_format_count(count, sizeof(count), group->n));
        used += bold.size * 0.8 +
                xt_canvas_text(canvas, f.x + used + bold.size * 0.8, y, XT_ALIGN_START, &quiet, text, 0);
        g_free(label);

        struct xt_ticks bare = panel->x_ticks;
        for (unsigned i = 0; !last && i < bare.n; i++)
            bare.tick[i].label[0] = '\0';
        plot_frame_draw(&f, &plot->theme, canvas, &bare, &panel->y_ticks, last ? panel->x_name : NULL,
                        panel->y_name);
        draw_bins(panel, &f, group, canvas);
        draw_markers(plot, &f, group, f.x + used + bold.size, canvas);
    }
}
