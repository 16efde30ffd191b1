#include "render/svg-font.h"

#include <hb-subset.h>
#include <stdbool.h>
#include <string.h>

/* A font in use. key is "family/weight/style". */
struct used_font {
    char *family;
    int weight;
    bool italic;
    hb_face_t *face;
    hb_set_t *letters;
};

struct xt_font_set {
    GTree *fonts; /* key -> struct used_font */
};

static void used_font_free(gpointer data)
{
    struct used_font *font = data;
    hb_face_destroy(font->face);
    hb_set_destroy(font->letters);
    g_free(font->family);
    g_free(font);
}

static int compare_keys(gconstpointer a, gconstpointer b, gpointer user)
{
    return strcmp(a, b);
}

struct xt_font_set *xt_font_set_new(void)
{
    struct xt_font_set *set = g_new0(struct xt_font_set, 1);
    set->fonts = g_tree_new_full(compare_keys, NULL, g_free, used_font_free);
    return set;
}

void xt_font_set_free(struct xt_font_set *set)
{
    g_tree_unref(set->fonts);
    g_free(set);
}

static struct used_font *look_up(struct xt_font_set *set, PangoFont *pango_font)
{
    PangoFontDescription *description = pango_font_describe(pango_font);
    const char *family = pango_font_description_get_family(description);
    int weight = pango_font_description_get_weight(description);
    bool italic = pango_font_description_get_style(description) != PANGO_STYLE_NORMAL;
    char *key = g_strdup_printf("%s/%d/%d", family, weight, italic);
    struct used_font *font = g_tree_lookup(set->fonts, key);

    if (!font) {
        font = g_new0(struct used_font, 1);
        font->family = g_strdup(family);
        font->weight = weight;
        font->italic = italic;
        font->face = hb_face_reference(hb_font_get_face(pango_font_get_hb_font(pango_font)));
        font->letters = hb_set_create();
        g_tree_insert(set->fonts, g_strdup(key), font);
    }
    g_free(key);
    pango_font_description_free(description);
    return font;
}

void xt_font_set_add(struct xt_font_set *set, PangoLayout *layout)
{
    const char *text = pango_layout_get_text(layout);
    PangoLayoutLine *line = pango_layout_get_line_readonly(layout, 0);

    for (GSList *l = line->runs; l; l = l->next) {
        const PangoLayoutRun *run = l->data;
        struct used_font *font = look_up(set, run->item->analysis.font);
        const char *end = text + run->item->offset + run->item->length;
        for (const char *p = text + run->item->offset; p < end; p = g_utf8_next_char(p))
            hb_set_add(font->letters, g_utf8_get_char(p));
    }
}

static gboolean write_rule(gpointer key, gpointer value, gpointer user)
{
    const struct used_font *font = value;
    GString *out = user;
    hb_subset_input_t *input = hb_subset_input_create_or_fail();

    if (!input)
        return FALSE;
    hb_set_union(hb_subset_input_unicode_set(input), font->letters);
    hb_subset_input_set_flags(input, HB_SUBSET_FLAGS_NO_HINTING);
    hb_face_t *subset = hb_subset_or_fail(font->face, input);
    hb_subset_input_destroy(input);
    if (!subset)
        return FALSE;

    hb_blob_t *blob = hb_face_reference_blob(subset);
    unsigned length;
    const char *data = hb_blob_get_data(blob, &length);
    char *base64 = g_base64_encode((const guchar *)data, length);
    g_string_append(out, "@font-face{font-family:'");
    for (const char *p = font->family; *p;
         p++) /* a family's name comes from a file: keep only what cannot end the string */
        if (g_ascii_isalnum(*p) || *p == ' ' || *p == '-')
            g_string_append_c(out, *p);
    g_string_append_printf(out, "';font-weight:%d;font-style:%s;src:url(data:font/ttf;base64,%s)}\n",
                           font->weight, font->italic ? "italic" : "normal", base64);
    g_free(base64);
    hb_blob_destroy(blob);
    hb_face_destroy(subset);
    return FALSE;
}

void xt_font_set_write_css(const struct xt_font_set *set, GString *out)
{
    g_tree_foreach(set->fonts, write_rule, out);
}
