/* The numbers under a distribution, one row per group, with its swatch. */
#include <stdio.h>

#include "render/plot-private.h"

static const struct {
    const char *name;
    double p; /* 0: not a quantile */
} columns[] = {{"n", 0}, {"min", 0}, {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}};

static double line_height(const struct plot *plot)
{
    return plot->theme.small * 1.5;
}

double plot_table_height(const struct plot *plot, const struct plot_panel *panel)
{
    return line_height(plot) * (panel->set->groups->len + 1) + plot->theme.gap * 0.3;
}

static void cell(char *buffer, size_t size, const struct xt_samples *group, unsigned column, unsigned digits)
{
    if (column == 0) {
        xt_format_count(buffer, size, group->n);
        return;
    }
    if (group->n == 0) {
        g_strlcpy(buffer, "–", size);
        return;
    }
    int64_t ns = columns[column].p > 0 ? xt_samples_quantile(group, columns[column].p)
                                       : g_array_index(group->values, struct xt_sample, 0).ns;
    xt_format_duration(buffer, size, (double)ns, digits);
}

static void draw_swatch(const struct plot *plot, const struct xt_samples *group, unsigned index, double x,
                        double y, struct xt_canvas *canvas)
{
    struct xt_look look = plot_look(group);
    double width = plot->theme.label * 2;

    if (plot->options.kind == XT_PLOT_HIST) {
        struct xt_paint box = {.fill = look.fill,
                               .stroke = look.line,
                               .width = XT_LINE_BOX,
                               .texture = look.texture,
                               .texture_ink = look.ink};
        xt_canvas_rect(canvas, x, y - plot->theme.small * 0.35, width, plot->theme.small * 0.7, &box, NULL);
        return;
    }
    struct xt_paint line = {
        .fill = XT_NO_COLOUR, .stroke = look.line, .width = XT_LINE_CURVE, .dash = xt_dash_of(index)};
    xt_canvas_line(canvas, x, y, x + width, y, &line, NULL);
}

void plot_draw_table(const struct plot *plot, const struct plot_panel *panel, struct xt_canvas *canvas)
{
    struct xt_font font = xt_font_small(&plot->theme), head = font;
    double x = plot->theme.gap * 0.6, width = plot->theme.width - 2 * x, line = line_height(plot);
    double names = x + plot->theme.label * 2.6, first = width * 0.30;
    double pitch = (width - first) / G_N_ELEMENTS(columns);
    char text[48];

    font.colour = XT_COLOUR_INK;
    head.italic = true;
    for (unsigned c = 0; c < G_N_ELEMENTS(columns); c++)
        xt_canvas_text(canvas, x + first + (c + 1) * pitch, panel->table_y + font.size, XT_ALIGN_END, &head,
                       columns[c].name, pitch);
    xt_canvas_line(canvas, x, panel->table_y + line * 0.95, x + width, panel->table_y + line * 0.95,
                   XT_PAINT_LINE(XT_COLOUR_WAIT, XT_LINE_GRID), NULL);
    for (unsigned g = 0; g < panel->set->groups->len; g++) {
        const struct xt_samples *group = plot_group(panel, g);
        double base = panel->table_y + line * (g + 1) + font.size * 1.15;
        char *label = xt_text_clean(group->label);
        draw_swatch(plot, group, g, x, base - xt_text_cap_height(&font) / 2, canvas);
        xt_canvas_text(canvas, names, base, XT_ALIGN_START, &font, label, x + first - names + pitch * 0.3);
        g_free(label);
        for (unsigned c = 0; c < G_N_ELEMENTS(columns); c++) {
            cell(text, sizeof(text), group, c, pitch > font.size * 5.5 ? 4 : 3);
            xt_canvas_text(canvas, x + first + (c + 1) * pitch, base, XT_ALIGN_END, &font, text,
                           pitch * 0.98);
        }
    }
}
