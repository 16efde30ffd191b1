/* The report as one HTML page: style, script, fonts and data inside, nothing fetched. */
#include "render/report-private.h"
#include "render/svg-font.h"

#include "web-resources.h"

struct writer {
    GString *body;
    struct xt_font_set *fonts;
    unsigned n_figures;
    bool has_timeline;
};

static void put_escaped(struct writer *w, const char *text)
{
    char *valid = g_utf8_make_valid(text, -1);
    xt_text_escape_xml(w->body, valid);
    g_free(valid);
}

static void put_element(struct writer *w, const char *open, const char *text, const char *close)
{
    g_string_append(w->body, open);
    put_escaped(w, text);
    g_string_append(w->body, close);
}

static void put_cells(struct writer *w, const struct xt_table *table, const GPtrArray *row,
                      const char *element)
{
    g_string_append(w->body, "<tr>");
    for (unsigned c = 0; c < table->head->len; c++) {
        bool text = c < table->text_columns;
        g_string_append_printf(w->body, "<%s%s>", element, text ? " class=\"text\"" : "");
        char *isolated =
            text && c < row->len ? xt_text_clean(row->pdata[c]) : g_strdup(c < row->len ? row->pdata[c] : "");
        put_escaped(w, isolated);
        g_free(isolated);
        g_string_append_printf(w->body, "</%s>", element);
    }
    g_string_append(w->body, "</tr>\n");
}

static void put_table(struct writer *w, const struct block *block)
{
    g_string_append(w->body, "<div class=\"wide\"><table>\n");
    if (block->text && *block->text)
        put_element(w, "<caption>", block->text, "</caption>\n");
    g_string_append(w->body, "<thead>");
    put_cells(w, block->table, block->table->head, "th");
    g_string_append(w->body, "</thead><tbody>\n");
    for (unsigned r = 0; r < block->table->rows->len; r++)
        put_cells(w, block->table, block->table->rows->pdata[r], "td");
    g_string_append(w->body, "</tbody></table></div>\n");
}

static bool put_figure(struct writer *w, const struct xt_figure *figure, GError **error)
{
    char *prefix = g_strdup_printf("f%u-", w->n_figures++);
    GBytes *svg = xt_figure_render_inline(figure, prefix, w->fonts, error);
    g_free(prefix);
    if (!svg)
        return false;
    gsize size;
    const char *data = g_bytes_get_data(svg, &size);
    g_string_append(w->body, "<figure>\n");
    g_string_append_len(w->body, data, (gssize)size);
    g_string_append(w->body, "</figure>\n");
    g_bytes_unref(svg);
    return true;
}

static void put_timeline(struct writer *w, const char *json)
{
    static const char controls[] =
        "<div class=\"controls\">\n"
        "<label>Run <select id=\"run\"></select></label>\n"
        "<button type=\"button\" data-key=\"ArrowLeft\" aria-label=\"earlier\">◀</button>\n"
        "<button type=\"button\" data-key=\"ArrowRight\" aria-label=\"later\">▶</button>\n"
        "<button type=\"button\" data-key=\"+\" aria-label=\"zoom in\">+</button>\n"
        "<button type=\"button\" data-key=\"-\" aria-label=\"zoom out\">−</button>\n"
        "<button type=\"button\" data-key=\"Home\">whole run</button>\n"
        "<button type=\"button\" data-key=\"p\">previous miss</button>\n"
        "<button type=\"button\" data-key=\"n\">next miss</button>\n"
        "<output id=\"where\" aria-live=\"polite\"></output>\n"
        "</div>\n"
        "<div class=\"timeline\" tabindex=\"0\" role=\"application\" aria-label=\"Timeline: arrow keys move, "
        "plus and minus zoom, "
        "n and p jump to the next and previous miss, Home shows the whole run\"><canvas></canvas><div "
        "class=\"spacer\"></div></div>\n"
        "<div class=\"tip\" role=\"tooltip\" hidden></div>\n"
        "<p class=\"hint\">Drag or ← → to move, Ctrl + wheel, + − or a double click to zoom, n and p for the "
        "next and previous miss, "
        "Home for the whole run. Times count from the run’s start. <span class=\"detail\"></span></p>\n"
        "<noscript><p>The timeline needs JavaScript; everything else on this page does "
        "without.</p></noscript>\n";

    g_string_append(w->body, controls);
    g_string_append(w->body, "<script type=\"application/json\" id=\"timeline-data\">");
    for (const char *p = json; *p; p++) /* nothing may end the element early */
        g_string_append(w->body, *p == '<' ? "\\u003c" : (char[]){*p, '\0'});
    g_string_append(w->body, "</script>\n");
    w->has_timeline = true;
}

static bool put_block(struct writer *w, const struct block *block, const struct block *before,
                      const struct block *after, GError **error)
{
    switch (block->kind) {
    case BLOCK_HEADING:
        g_string_append_printf(w->body, "<h2 id=\"%s\">", block->id);
        put_element(w, "", block->text, "</h2>\n");
        return true;
    case BLOCK_TEXT:
        put_element(w, "<p>", block->text, "</p>\n");
        return true;
    case BLOCK_CODE:
        put_element(w, "<pre>", block->text, "</pre>\n");
        return true;
    case BLOCK_TERM:
        if (!before || before->kind != BLOCK_TERM)
            g_string_append(w->body, "<dl>\n");
        put_element(w, "<dt>", block->text, "</dt>");
        put_element(w, "<dd>", block->meaning, "</dd>\n");
        if (!after || after->kind != BLOCK_TERM)
            g_string_append(w->body, "</dl>\n");
        return true;
    case BLOCK_TABLE:
        put_table(w, block);
        return true;
    case BLOCK_FIGURE:
        return put_figure(w, block->figure, error);
    case BLOCK_TIMELINE:
        put_timeline(w, block->text);
        return true;
    }
    return true;
}

static void put_resource(GString *out, const char *name)
{
    char *path = g_strconcat("/xentrail/web/", name, NULL);
    GBytes *bytes = g_resource_lookup_data(xt_web_get_resource(), path, G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
    gsize size;
    const char *data = g_bytes_get_data(bytes, &size);
    g_string_append_len(out, data, (gssize)size);
    g_bytes_unref(bytes);
    g_free(path);
}

static GString *put_page(const struct xt_report *report, const struct writer *w)
{
    GString *out = g_string_new("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                                "<meta name=\"viewport\" content=\"width=device-width\">\n"
                                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                                "style-src 'unsafe-inline'; "
                                "script-src 'unsafe-inline'; font-src data:\">\n"
                                "<meta name=\"generator\" content=\"xentrail " XT_VERSION "\">\n<title>");
    xt_text_escape_xml(out, report->title);
    g_string_append(out, "</title>\n<style>\n");
    xt_font_set_write_css(w->fonts, out);
    put_resource(out, "report.css");
    g_string_append(out, "</style>\n</head>\n<body>\n<h1>");
    xt_text_escape_xml(out, report->title);
    g_string_append(out, "</h1>\n<nav>");
    for (unsigned i = 0; i < report->blocks->len; i++) {
        const struct block *block = report->blocks->pdata[i];
        if (block->kind != BLOCK_HEADING)
            continue;
        g_string_append_printf(out, "<a href=\"#%s\">", block->id);
        xt_text_escape_xml(out, block->text);
        g_string_append(out, "</a> ");
    }
    if (w->has_timeline)
        g_string_append(out, "<button type=\"button\" id=\"theme\">light / dark</button>");
    g_string_append(out, "</nav>\n<main>\n");
    g_string_append_len(out, w->body->str, (gssize)w->body->len);
    g_string_append(out, "</main>\n");
    if (w->has_timeline) {
        g_string_append(out, "<script>\n");
        put_resource(out, "timeline.js");
        g_string_append(out, "</script>\n");
    }
    g_string_append(out, "</body>\n</html>\n");
    return out;
}

GBytes *xt_report_html(const struct xt_report *report, GError **error)
{
    struct writer w = {.body = g_string_new(NULL), .fonts = xt_font_set_new()};
    GPtrArray *blocks = report->blocks;
    GBytes *page = NULL;
    bool ok = true;

    for (unsigned i = 0; ok && i < blocks->len; i++)
        ok = put_block(&w, blocks->pdata[i], i > 0 ? blocks->pdata[i - 1] : NULL,
                       i + 1 < blocks->len ? blocks->pdata[i + 1] : NULL, error);
    if (ok)
        page = g_string_free_to_bytes(put_page(report, &w));
    xt_font_set_free(w.fonts);
    g_string_free(w.body, TRUE);
    return page;
}
