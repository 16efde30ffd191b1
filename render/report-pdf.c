/* The report on A4 pages. A figure that is higher than a page gets a page of its own height. */
#include <stdio.h>

#include "render/report-private.h"

#define PAGE_WIDTH 595.0
#define PAGE_HEIGHT 842.0
#define MARGIN 50.0
#define FOOT 30.0

struct writer {
    const struct xt_report *report;
    struct xt_canvas *canvas; /* NULL: a dry run that counts pages */
    double y, page_height;
    unsigned page, n_pages;
};

static const struct xt_font title_font = {.size = 17, .bold = true, .colour = XT_COLOUR_INK};
static const struct xt_font heading_font = {.size = 12, .bold = true, .colour = XT_COLOUR_INK};
static const struct xt_font text_font = {.size = 8.5, .colour = XT_COLOUR_INK};
static const struct xt_font term_font = {.size = 8.5, .bold = true, .colour = XT_COLOUR_INK};
static const struct xt_font foot_font = {.size = 7, .colour = XT_COLOUR_QUIET};

static double line_of(const struct xt_font *font)
{
    return font->size * 1.35;
}

static void draw_foot(const struct writer *w)
{
    char text[64];
    if (!w->canvas)
        return;
    snprintf(text, sizeof(text), "%u / %u", w->page, w->n_pages);
    xt_canvas_text(w->canvas, PAGE_WIDTH - MARGIN, w->page_height - FOOT, XT_ALIGN_END, &foot_font, text, 0);
    xt_canvas_text(w->canvas, MARGIN, w->page_height - FOOT, XT_ALIGN_START, &foot_font, w->report->title,
                   XT_REPORT_WIDTH * 0.8);
}

static void new_page(struct writer *w, double height)
{
    draw_foot(w);
    w->page++;
    w->page_height = height;
    w->y = MARGIN;
    if (w->canvas)
        xt_canvas_page(w->canvas, PAGE_WIDTH, height);
}

static double room(const struct writer *w)
{
    return w->page_height - MARGIN - w->y;
}

static void need(struct writer *w, double height)
{
    if (room(w) < height && w->y > MARGIN)
        new_page(w, PAGE_HEIGHT);
}

static void put_lines(struct writer *w, const struct xt_font *font, const char *text, double x, double width)
{
    char **lines = xt_text_wrap(font, text, width);
    for (unsigned i = 0; lines[i]; i++) {
        need(w, line_of(font));
        w->y += line_of(font);
        if (w->canvas)
            xt_canvas_text(w->canvas, x, w->y - font->size * 0.25, XT_ALIGN_START, font, lines[i], 0);
    }
    g_strfreev(lines);
}

static double height_of(const struct xt_font *font, const char *text)
{
    char **lines = xt_text_wrap(font, text, XT_REPORT_WIDTH);
    double height = line_of(font) * g_strv_length(lines);

    g_strfreev(lines);
    return height;
}

/* A text that introduces a figure stands on its page. */
static void put_text(struct writer *w, const char *text, const struct block *next)
{
    if (next && next->kind == BLOCK_FIGURE)
        need(w, height_of(&text_font, text) + next->figure->height + 4);
    put_lines(w, &text_font, text, MARGIN, XT_REPORT_WIDTH);
    w->y += 4;
}

static void put_code(struct writer *w, const char *text)
{
    char **lines = g_strsplit(text, "\n", -1);
    for (unsigned i = 0; lines[i]; i++)
        put_lines(w, &text_font, lines[i], MARGIN + 14, XT_REPORT_WIDTH - 14);
    g_strfreev(lines);
    w->y += 4;
}

static void put_term(struct writer *w, const struct block *block)
{
    need(w, line_of(&text_font) * 2);
    if (w->canvas)
        xt_canvas_text(w->canvas, MARGIN, w->y + line_of(&term_font) - term_font.size * 0.25, XT_ALIGN_START,
                       &term_font, block->text, 110);
    put_lines(w, &text_font, block->meaning, MARGIN + 118, XT_REPORT_WIDTH - 118);
    w->y += 2;
}

static void put_figure(struct writer *w, const struct xt_figure *figure)
{
    double most = PAGE_HEIGHT - 2 * MARGIN;

    if (figure->height > most)
        new_page(w, figure->height + 2 * MARGIN); /* what follows finds no room on it */
    else
        need(w, figure->height);
    if (w->canvas) {
        xt_canvas_push(w->canvas, MARGIN, w->y, 0, 0);
        figure->draw(figure, w->canvas);
        xt_canvas_pop(w->canvas);
    }
    w->y += figure->height + 8;
}

static const char *cell_of(const GPtrArray *row, unsigned column)
{
    return column < row->len ? row->pdata[column] : "";
}

/* Width of each column at font; returns their sum with gaps. */
static double column_widths(const struct xt_table *table, const struct xt_font *font, double *widths)
{
    double sum = 0;
    for (unsigned c = 0; c < table->head->len; c++) {
        struct xt_font bold = *font;
        bold.bold = true;
        widths[c] = xt_text_width(&bold, table->head->pdata[c]);
        for (unsigned r = 0; r < table->rows->len; r++)
            widths[c] = MAX(widths[c], xt_text_width(font, cell_of(table->rows->pdata[r], c)));
        sum += widths[c] + font->size;
    }
    return sum;
}

static void put_row(struct writer *w, const struct xt_table *table, const GPtrArray *row,
                    const struct xt_font *font, const double *widths)
{
    double x = MARGIN;
    need(w, line_of(font));
    w->y += line_of(font);
    for (unsigned c = 0; c < table->head->len && w->canvas; c++) {
        bool left = c < table->text_columns;
        xt_canvas_text(w->canvas, left ? x : x + widths[c], w->y - font->size * 0.3,
                       left ? XT_ALIGN_START : XT_ALIGN_END, font, cell_of(row, c), widths[c] + 0.5);
        x += widths[c] + font->size;
    }
}

static void put_table(struct writer *w, const struct block *block)
{
    const struct xt_table *table = block->table;
    struct xt_font font = text_font, bold;
    double *widths = g_new0(double, table->head->len);

    font.size = 7.5;
    double sum = column_widths(table, &font, widths);
    if (sum > XT_REPORT_WIDTH) {
        font.size = MAX(5.5, font.size * XT_REPORT_WIDTH / sum);
        sum = column_widths(table, &font, widths);
    }
    if (sum > XT_REPORT_WIDTH) /* only names can be that long: the first column gives way */
        widths[0] = MAX(40, widths[0] - (sum - XT_REPORT_WIDTH));
    bold = font;
    bold.bold = true;
    need(w, line_of(&font) * MIN(table->rows->len + 3, 8));
    if (block->text && *block->text)
        put_lines(w, &text_font, block->text, MARGIN, XT_REPORT_WIDTH);
    put_row(w, table, table->head, &bold, widths);
    if (w->canvas)
        xt_canvas_line(w->canvas, MARGIN, w->y, MARGIN + XT_REPORT_WIDTH, w->y,
                       XT_PAINT_LINE(XT_COLOUR_WAIT, XT_LINE_AXIS), NULL);
    w->y += 1.5;
    for (unsigned r = 0; r < table->rows->len; r++) {
        if (room(w) < line_of(&font)) {
            new_page(w, PAGE_HEIGHT);
            put_row(w, table, table->head, &bold, widths);
        }
        put_row(w, table, table->rows->pdata[r], &font, widths);
    }
    w->y += 10;
    g_free(widths);
}

/* next: what follows, NULL nothing. */
static void put_block(struct writer *w, const struct block *block, const struct block *next)
{
    switch (block->kind) {
    case BLOCK_HEADING:
        w->y += 8;
        need(w, 90); /* never alone at a page's end */
        put_lines(w, &heading_font, block->text, MARGIN, XT_REPORT_WIDTH);
        w->y += 4;
        break;
    case BLOCK_TEXT:
        put_text(w, block->text, next);
        break;
    case BLOCK_CODE:
        put_code(w, block->text);
        break;
    case BLOCK_TERM:
        put_term(w, block);
        break;
    case BLOCK_TABLE:
        put_table(w, block);
        break;
    case BLOCK_FIGURE:
        put_figure(w, block->figure);
        break;
    case BLOCK_TIMELINE:
        break; /* paper does not move */
    }
}

static void put_all(struct writer *w)
{
    w->y = MARGIN;
    w->page = 1;
    w->page_height = PAGE_HEIGHT;
    put_lines(w, &title_font, w->report->title, MARGIN, XT_REPORT_WIDTH);
    w->y += 6;
    for (unsigned i = 0; i < w->report->blocks->len; i++)
        put_block(w, w->report->blocks->pdata[i], i + 1 < w->report->blocks->len ? w->report->blocks->pdata[i + 1] : NULL);
    draw_foot(w);
}

GBytes *xt_report_pdf(const struct xt_report *report, GError **error)
{
    struct xt_canvas_info info = {.width = PAGE_WIDTH, .height = PAGE_HEIGHT, .title = report->title};
    struct writer count = {.report = report}, w = {.report = report};

    put_all(&count);
    w.n_pages = count.page;
    w.canvas = xt_canvas_new(XT_PICTURE_PDF, &info);
    put_all(&w);
    return xt_canvas_finish(w.canvas, error);
}
