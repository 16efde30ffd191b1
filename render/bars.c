/* Horizontal bars: names of any length stand left of them, values right. */
#include <math.h>
#include <stdio.h>

#include "render/axis.h"
#include "render/plot.h"

#define Z_95 1.959963984540054 /* 97.5 % quantile of the normal distribution */

struct bars_figure {
    struct xt_figure figure;
    struct xt_theme theme;
    struct xt_bars **panels;
    unsigned n_panels;
    double label_width, value_width, row, row_pitch, panel_head;
    char *caption;
    double caption_y;
};

void xt_wilson(uint64_t k, uint64_t n, double *low, double *high)
{
    if (n == 0) {
        *low = 0;
        *high = 1;
        return;
    }
    double p = (double)k / (double)n, m = (double)n, z2 = Z_95 * Z_95;
    double middle = (p + z2 / (2 * m)) / (1 + z2 / m);
    double half = Z_95 / (1 + z2 / m) * sqrt(p * (1 - p) / m + z2 / (4 * m * m));
    *low = k == 0 ? 0 : MAX(0, middle - half);
    *high = k == n ? 1 : MIN(1, middle + half);
}

static void clear_bar(gpointer data)
{
    struct xt_bar *bar = data;
    g_free(bar->label);
    g_free(bar->policy);
    g_free(bar->note);
}

struct xt_bars *xt_bars_begin(const char *title, const char *axis, bool percent)
{
    struct xt_bars *bars = g_new0(struct xt_bars, 1);
    bars->title = g_strdup(title);
    bars->axis = g_strdup(axis);
    bars->percent = percent;
    bars->bars = g_array_new(FALSE, TRUE, sizeof(struct xt_bar));
    g_array_set_clear_func(bars->bars, clear_bar);
    return bars;
}

void xt_bars_free(struct xt_bars *bars)
{
    if (!bars)
        return;
    g_free(bars->title);
    g_free(bars->axis);
    g_array_unref(bars->bars);
    g_free(bars);
}

static char *value_text(const struct xt_bars *panel, const struct xt_bar *bar)
{
    if (panel->percent)
        return g_strdup_printf("%.*f %%%s%s", bar->value > 0 && bar->value < 0.01 ? 2 : 1, bar->value * 100,
                               bar->note ? "  " : "", bar->note ? bar->note : "");
    return g_strdup_printf("%.*f%s%s",
                           bar->value < 10     ? 2
                           : bar->value < 1000 ? 1
                                               : 0,
                           bar->value, bar->note ? "  " : "", bar->note ? bar->note : "");
}

static double draw_panel(const struct bars_figure *f, const struct xt_bars *panel, struct xt_canvas *canvas,
                         double y)
{
    struct xt_font title = xt_font_title(&f->theme), label = xt_font_label(&f->theme),
                   small = xt_font_small(&f->theme);
    double margin = f->theme.gap * 0.6, x0 = margin + f->label_width + f->theme.gap * 0.6;
    double width = f->theme.width - x0 - f->value_width - margin - f->theme.gap * 0.6, most = 0;
    struct xt_ticks ticks;

    for (unsigned i = 0; i < panel->bars->len; i++)
        most = MAX(most, g_array_index(panel->bars, struct xt_bar, i).high);
    most = most > 0 ? most * 1.02 : 1;
    double scale = panel->percent ? 100 : 1;
    xt_ticks_number(&ticks, 0, most * scale, MAX(2, (unsigned)(width / (small.size * 5))),
                    panel->percent ? " %" : "");

    xt_canvas_text(canvas, margin, y + title.size, XT_ALIGN_START, &title, panel->title,
                   f->theme.width - 2 * margin);
    y += f->panel_head;
    double bottom = y + panel->bars->len * f->row_pitch;
    small.colour = XT_COLOUR_INK;
    for (unsigned i = 0; i < ticks.n; i++) {
        double x = x0 + ticks.tick[i].at / scale / most * width;
        xt_canvas_line(canvas, x, y, x, bottom, XT_PAINT_LINE(XT_COLOUR_GRID, XT_LINE_GRID), NULL);
        xt_canvas_text(canvas, x, bottom + small.size * 1.4, XT_ALIGN_MIDDLE, &small, ticks.tick[i].label, 0);
    }
    xt_canvas_text(canvas, x0 + width / 2, bottom + small.size * 2.7, XT_ALIGN_MIDDLE, &small, panel->axis,
                   f->theme.width - x0);
    for (unsigned i = 0; i < panel->bars->len; i++) {
        const struct xt_bar *bar = &g_array_index(panel->bars, struct xt_bar, i);
        struct xt_look look = bar->policy ? xt_look_policy(bar->policy, i) : xt_look_group(i);
        struct xt_paint paint = {.fill = look.fill,
                                 .stroke = look.line,
                                 .width = XT_LINE_BOX,
                                 .texture = look.texture,
                                 .texture_ink = look.ink};
        double top = y + i * f->row_pitch + (f->row_pitch - f->row) / 2, middle = top + f->row / 2;
        double baseline = middle + xt_text_cap_height(&label) / 2;
        char *name = xt_text_clean(bar->label), *value = value_text(panel, bar);

        xt_canvas_rect(canvas, x0, top, bar->value / most * width, f->row, &paint, NULL);
        if (bar->high > bar->low) {
            double low = x0 + bar->low / most * width, high = x0 + bar->high / most * width,
                   end = f->row * 0.18;
            const struct xt_paint *halo = XT_PAINT_LINE(XT_COLOUR_PAPER, XT_LINE_MARK * 3);
            const struct xt_paint *line = XT_PAINT_LINE(XT_COLOUR_INK, XT_LINE_MARK);
            xt_canvas_line(canvas, low, middle, high, middle, halo, NULL);
            xt_canvas_line(canvas, low, middle, high, middle, line, NULL);
            xt_canvas_line(canvas, low, middle - end, low, middle + end, line, NULL);
            xt_canvas_line(canvas, high, middle - end, high, middle + end, line, NULL);
        }
        xt_canvas_text(canvas, x0 - f->theme.gap * 0.6, baseline, XT_ALIGN_END, &label, name, f->label_width);
        xt_canvas_text(canvas, f->theme.width - margin, baseline, XT_ALIGN_END, &small, value,
                       f->value_width);
        g_free(name);
        g_free(value);
    }
    xt_canvas_line(canvas, x0, y, x0, bottom, XT_PAINT_LINE(XT_COLOUR_INK, XT_LINE_AXIS), NULL);
    return bottom + small.size * 3.4 + f->theme.gap;
}

static void draw(const struct xt_figure *figure, struct xt_canvas *canvas)
{
    const struct bars_figure *f = (const struct bars_figure *)figure;
    double y = f->theme.gap * 0.6, x = f->theme.gap * 0.6;
    for (unsigned p = 0; p < f->n_panels; p++)
        y = draw_panel(f, f->panels[p], canvas, y);
    xt_caption_draw(&f->theme, canvas, f->caption, x, f->caption_y, f->theme.width - 2 * x);
}

static void free_figure(struct xt_figure *figure)
{
    struct bars_figure *f = (struct bars_figure *)figure;
    for (unsigned p = 0; p < f->n_panels; p++)
        xt_bars_free(f->panels[p]);
    g_free(f->panels);
    g_free(f->caption);
    g_free(f);
}

static void measure(struct bars_figure *f)
{
    struct xt_font label = xt_font_label(&f->theme), small = xt_font_small(&f->theme);
    for (unsigned p = 0; p < f->n_panels; p++)
        for (unsigned i = 0; i < f->panels[p]->bars->len; i++) {
            const struct xt_bar *bar = &g_array_index(f->panels[p]->bars, struct xt_bar, i);
            char *name = xt_text_clean(bar->label), *value = value_text(f->panels[p], bar);
            f->label_width = MAX(f->label_width, xt_text_width(&label, name));
            f->value_width = MAX(f->value_width, xt_text_width(&small, value));
            g_free(name);
            g_free(value);
        }
    f->label_width = MIN(f->label_width, f->theme.width * 0.25);
    f->value_width = MIN(f->value_width, f->theme.width * 0.35);
}

struct xt_figure *xt_bars_new(const struct xt_theme *theme, struct xt_bars *const *panels, unsigned n_panels,
                              const char *caption)
{
    struct bars_figure *f = g_new0(struct bars_figure, 1);
    double y = theme->gap * 0.6;

    f->theme = *theme;
    f->panels = g_memdup2(panels, n_panels * sizeof(*panels));
    f->n_panels = n_panels;
    f->caption = g_strdup_printf("%s xentrail " XT_VERSION ".", caption);
    f->row = theme->label * 1.3;
    f->row_pitch = theme->label * 1.9;
    f->panel_head = theme->title + theme->gap * 0.7;
    measure(f);
    for (unsigned p = 0; p < n_panels; p++)
        y += f->panel_head + panels[p]->bars->len * f->row_pitch + theme->small * 3.4 + theme->gap;
    f->caption_y = y;
    y += xt_caption_height(theme, f->caption, theme->width - 1.2 * theme->gap) + theme->gap * 0.6;
    f->figure = (struct xt_figure){
        .width = theme->width,
        .height = MAX(theme->height, y),
        .title = n_panels > 0 ? f->panels[0]->title : NULL,
        .description = f->caption,
        .draw = draw,
        .free = free_figure,
    };
    return &f->figure;
}
