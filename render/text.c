#include "render/text.h"

#include <string.h>

#define MAX_NAME_CHARS 200
#define FIRST_STRONG_ISOLATE 0x2068
#define POP_ISOLATE 0x2069

/* One context per thread; Pango's objects are not for use by two threads. */
static PangoContext *text_context(void)
{
    static GPrivate cache = G_PRIVATE_INIT(g_object_unref);
    PangoContext *context = g_private_get(&cache);
    if (context)
        return context;

    PangoFontMap *map = pango_cairo_font_map_new();
    pango_cairo_font_map_set_resolution(PANGO_CAIRO_FONT_MAP(map), 72);
    context = pango_font_map_create_context(map);
    g_object_unref(map);

    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    pango_cairo_context_set_font_options(context, options);
    cairo_font_options_destroy(options);
    pango_context_set_base_dir(context, PANGO_DIRECTION_LTR);
    pango_context_set_round_glyph_positions(context, FALSE);
    pango_context_set_language(context, pango_language_from_string("en"));
    g_private_set(&cache, context);
    return context;
}

PangoLayout *xt_text_layout(const struct xt_font *font, const char *text)
{
    PangoLayout *layout = pango_layout_new(text_context());
    PangoFontDescription *description = pango_font_description_new();

    pango_font_description_set_family_static(description, XT_FONT_FAMILY "," XT_FONT_FALLBACK);
    pango_font_description_set_absolute_size(description, font->size * PANGO_SCALE);
    if (font->bold)
        pango_font_description_set_weight(description, PANGO_WEIGHT_BOLD);
    if (font->italic)
        pango_font_description_set_style(description, PANGO_STYLE_ITALIC);
    pango_layout_set_font_description(layout, description);
    pango_font_description_free(description);
    /* Browsers see a subset of the font without its kerning table; every backend gets the same widths. */
    PangoAttrList *attributes = pango_attr_list_new();
    pango_attr_list_insert(attributes, pango_attr_font_features_new("kern=0,liga=0"));
    pango_layout_set_attributes(layout, attributes);
    pango_attr_list_unref(attributes);
    pango_layout_set_auto_dir(layout, FALSE);
    pango_layout_set_single_paragraph_mode(layout, TRUE);
    pango_layout_set_text(layout, text, -1);
    return layout;
}

double xt_text_width(const struct xt_font *font, const char *text)
{
    PangoLayout *layout = xt_text_layout(font, text);
    PangoRectangle logical;
    pango_layout_get_extents(layout, NULL, &logical);
    g_object_unref(layout);
    return (double)logical.width / PANGO_SCALE;
}

/* Of the first family; taken as fractions of the size, so that a label in a fallback font keeps its baseline.
 */
double xt_text_cap_height(const struct xt_font *font)
{
    return font->size * 0.72;
}

double xt_text_line_height(const struct xt_font *font)
{
    return font->size * 1.25;
}

static bool is_right_to_left(gunichar c)
{
    return (c >= 0x590 && c <= 0x8ff) || (c >= 0xfb1d && c <= 0xfdff) || (c >= 0xfe70 && c <= 0xfeff) ||
           (c >= 0x10800 && c <= 0x10fff) || (c >= 0x1e800 && c <= 0x1efff);
}

static bool is_harmful(gunichar c)
{
    return g_unichar_iscntrl(c) || g_unichar_type(c) == G_UNICODE_FORMAT || c == 0x2028 || c == 0x2029 ||
           g_unichar_type(c) == G_UNICODE_SURROGATE || (c & 0xfffe) == 0xfffe;
}

char *xt_text_clean(const char *name)
{
    char *valid = g_utf8_make_valid(name, -1);
    GString *out = g_string_new(NULL);
    bool right_to_left = false;
    unsigned n = 0;

    for (const char *p = valid; *p && n < MAX_NAME_CHARS; p = g_utf8_next_char(p), n++) {
        gunichar c = g_utf8_get_char(p);
        if (is_harmful(c))
            c = c == '\n' || c == '\t' || c == '\r' ? ' ' : 0xfffd;
        right_to_left |= is_right_to_left(c);
        g_string_append_unichar(out, c);
    }
    if (n == MAX_NAME_CHARS)
        g_string_append(out, "…");
    g_free(valid);
    if (right_to_left) {
        g_string_prepend_unichar(out, FIRST_STRONG_ISOLATE);
        g_string_append_unichar(out, POP_ISOLATE);
    }
    return g_string_free(out, FALSE);
}

/* The beginning of text up to end, with "…" and every isolate closed. */
static char *cut_at(const char *text, const char *end)
{
    GString *cut = g_string_new(NULL);
    int open = 0;
    while (end > text && end[-1] == ' ')
        end--;
    g_string_append_len(cut, text, end - text);
    for (const char *p = text; p < end; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        open += c == FIRST_STRONG_ISOLATE ? 1 : c == POP_ISOLATE ? -1 : 0;
    }
    g_string_append(cut, "…");
    for (; open > 0; open--)
        g_string_append_unichar(cut, POP_ISOLATE);
    return g_string_free(cut, FALSE);
}

char *xt_text_fit(const struct xt_font *font, const char *text, double max_width)
{
    max_width += 0.01; /* room that was measured from this very text must do */
    if (xt_text_width(font, text) <= max_width)
        return g_strdup(text);

    /* Cut only where a cursor may stand, so that no combining mark is torn off. */
    PangoLayout *layout = xt_text_layout(font, text);
    int n_attrs;
    const PangoLogAttr *attrs = pango_layout_get_log_attrs_readonly(layout, &n_attrs);
    GPtrArray *stops = g_ptr_array_new();
    const char *p = text;
    for (int i = 0; i < n_attrs && *p; i++, p = g_utf8_next_char(p))
        if (attrs[i].is_cursor_position)
            g_ptr_array_add(stops, (char *)p);

    char *best = g_strdup("");
    unsigned low = 1, high = stops->len;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        char *candidate = cut_at(text, stops->pdata[middle]);
        if (xt_text_width(font, candidate) <= max_width) {
            g_free(best);
            best = candidate;
            low = middle + 1;
        } else {
            g_free(candidate);
            high = middle;
        }
    }
    g_ptr_array_unref(stops);
    g_object_unref(layout);
    return best;
}

char **xt_text_wrap(const struct xt_font *font, const char *text, double max_width)
{
    char **words = g_strsplit(text, " ", -1);
    GPtrArray *lines = g_ptr_array_new();
    char *line = NULL;

    for (char **word = words; *word; word++) {
        char *longer = line ? g_strconcat(line, " ", *word, NULL) : g_strdup(*word);
        if (!line || xt_text_width(font, longer) <= max_width) {
            g_free(line);
            line = longer;
            continue;
        }
        g_free(longer);
        g_ptr_array_add(lines, line);
        line = g_strdup(*word);
    }
    if (line)
        g_ptr_array_add(lines, line);
    for (unsigned i = 0; i < lines->len; i++) {
        char *fitted = xt_text_fit(font, lines->pdata[i], max_width);
        g_free(lines->pdata[i]);
        lines->pdata[i] = fitted;
    }
    g_ptr_array_add(lines, NULL);
    g_strfreev(words);
    return (char **)g_ptr_array_free(lines, FALSE);
}

void xt_text_escape_xml(GString *out, const char *text)
{
    static const char *const entities[128] = {
        ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\''] = "&#39;"};

    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c < 128 && entities[c])
            g_string_append(out, entities[c]);
        else if (c >= 0x20 || c == '\n' || c == '\t')
            g_string_append_c(out, *p);
    }
}
