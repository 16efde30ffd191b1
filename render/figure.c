#include "render/figure.h"

#include <math.h>

#include "parse/error.h"

void xt_figure_free(struct xt_figure *figure)
{
    if (figure)
        figure->free(figure);
}

static GBytes *render(const struct xt_figure *figure, enum xt_picture format, struct xt_canvas_info *info,
                      GError **error)
{
    info->width = figure->width;
    info->height = figure->height;
    info->title = figure->title;
    info->description = figure->description;
    struct xt_canvas *canvas = xt_canvas_new(format, info);
    figure->draw(figure, canvas);
    return xt_canvas_finish(canvas, error);
}

GBytes *xt_figure_render(const struct xt_figure *figure, enum xt_picture format, double dpi, GError **error)
{
    struct xt_canvas_info info = {.dpi = dpi};
    return render(figure, format, &info, error);
}

GBytes *xt_figure_render_inline(const struct xt_figure *figure, const char *id_prefix,
                                struct xt_font_set *fonts, GError **error)
{
    struct xt_canvas_info info = {.id_prefix = id_prefix, .fonts = fonts};
    return render(figure, XT_PICTURE_SVG, &info, error);
}

bool xt_figure_write(const struct xt_figure *figure, const char *path, double dpi, GError **error)
{
    enum xt_picture format;
    if (!xt_picture_of_path(path, &format, error))
        return false;

    GBytes *bytes = xt_figure_render(figure, format, dpi, error);
    if (!bytes)
        return false;

    bool ok = xt_write_file(path, bytes, error);
    g_bytes_unref(bytes);
    return ok;
}

bool xt_write_file(const char *path, GBytes *bytes, GError **error)
{
    gsize size;
    const char *data = g_bytes_get_data(bytes, &size);
    GError *cause = NULL;

    if (g_file_set_contents_full(path, data, (gssize)size, G_FILE_SET_CONTENTS_CONSISTENT, 0644, &cause))
        return true;
    g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "cannot write %s: %s", path, cause->message);
    g_error_free(cause);
    return false;
}

struct xt_font xt_font_title(const struct xt_theme *theme)
{
    return (struct xt_font){.size = theme->title, .bold = true, .colour = XT_COLOUR_INK};
}

struct xt_font xt_font_label(const struct xt_theme *theme)
{
    return (struct xt_font){.size = theme->label, .colour = XT_COLOUR_INK};
}

struct xt_font xt_font_small(const struct xt_theme *theme)
{
    return (struct xt_font){.size = theme->small, .colour = XT_COLOUR_QUIET};
}

struct legend_entry {
    xt_swatch swatch;
    struct xt_paint paint;
    int index;
    char *label;
};

struct xt_legend {
    struct xt_font font;
    double swatch_width, line;
    GArray *entries;
};

static void clear_entry(gpointer data)
{
    g_free(((struct legend_entry *)data)->label);
}

struct xt_legend *xt_legend_new(const struct xt_theme *theme)
{
    struct xt_legend *legend = g_new0(struct xt_legend, 1);
    legend->font = xt_font_small(theme);
    legend->font.colour = XT_COLOUR_INK;
    legend->swatch_width = theme->label * 2;
    legend->line = theme->label * 1.75;
    legend->entries = g_array_new(FALSE, FALSE, sizeof(struct legend_entry));
    g_array_set_clear_func(legend->entries, clear_entry);
    return legend;
}

void xt_legend_free(struct xt_legend *legend)
{
    if (!legend)
        return;
    g_array_unref(legend->entries);
    g_free(legend);
}

void xt_legend_add(struct xt_legend *legend, xt_swatch swatch, const struct xt_paint *paint, int index,
                   const char *label)
{
    struct legend_entry entry = {swatch, *paint, index, g_strdup(label)};
    g_array_append_val(legend->entries, entry);
}

unsigned xt_legend_length(const struct xt_legend *legend)
{
    return legend->entries->len;
}

/* Sets the entries in lines; canvas NULL only measures. */
static double flow(const struct xt_legend *legend, struct xt_canvas *canvas, double x, double y, double width)
{
    double at = 0, line = 0, gap = legend->font.size * 0.5;

    for (unsigned i = 0; i < legend->entries->len; i++) {
        const struct legend_entry *entry = &g_array_index(legend->entries, struct legend_entry, i);
        double room = width - legend->swatch_width - gap;
        double need = legend->swatch_width + gap + MIN(room, xt_text_width(&legend->font, entry->label));
        if (at > 0 && at + need > width) {
            at = 0;
            line += legend->line;
        }
        if (canvas) {
            double middle = y + line + legend->line / 2;
            entry->swatch(canvas, x + at + legend->swatch_width / 2, middle, legend->swatch_width,
                          legend->line * 0.66, &entry->paint, entry->index);
            xt_canvas_text(canvas, x + at + legend->swatch_width + gap,
                           middle + xt_text_cap_height(&legend->font) / 2, XT_ALIGN_START, &legend->font,
                           entry->label, room);
        }
        at += need + legend->font.size * 1.6;
    }
    return legend->entries->len > 0 ? line + legend->line : 0;
}

double xt_legend_height(const struct xt_legend *legend, double width)
{
    return flow(legend, NULL, 0, 0, width);
}

void xt_legend_draw(const struct xt_legend *legend, struct xt_canvas *canvas, double x, double y,
                    double width)
{
    flow(legend, canvas, x, y, width);
}

void xt_swatch_box(struct xt_canvas *canvas, double x, double y, double width, double height,
                   const struct xt_paint *paint, int index)
{
    xt_canvas_rect(canvas, x - width * 0.45, y - height * 0.42, width * 0.9, height * 0.84, paint, NULL);
}

void xt_swatch_line(struct xt_canvas *canvas, double x, double y, double width, double height,
                    const struct xt_paint *paint, int index)
{
    xt_canvas_line(canvas, x - width / 2, y, x + width / 2, y, paint, NULL);
}

double xt_caption_height(const struct xt_theme *theme, const char *text, double width)
{
    struct xt_font font = xt_font_small(theme);
    char **lines = xt_text_wrap(&font, text, width);
    double height = g_strv_length(lines) * xt_text_line_height(&font);
    g_strfreev(lines);
    return height;
}

void xt_caption_draw(const struct xt_theme *theme, struct xt_canvas *canvas, const char *text, double x,
                     double y, double width)
{
    struct xt_font font = xt_font_small(theme);
    char **lines = xt_text_wrap(&font, text, width);
    for (unsigned i = 0; lines[i]; i++)
        xt_canvas_text(canvas, x, y + font.size + i * xt_text_line_height(&font), XT_ALIGN_START, &font,
                       lines[i], 0);
    g_strfreev(lines);
}
