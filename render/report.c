#include "render/report.h"

#include "render/report-private.h"

static void free_row(gpointer row)
{
    g_ptr_array_unref(row);
}

struct xt_table *xt_table_new(unsigned text_columns, const char *const *head)
{
    struct xt_table *table = g_new0(struct xt_table, 1);
    table->text_columns = text_columns;
    table->head = g_ptr_array_new_with_free_func(g_free);
    table->rows = g_ptr_array_new_with_free_func(free_row);
    for (unsigned i = 0; head[i]; i++)
        g_ptr_array_add(table->head, g_strdup(head[i]));
    return table;
}

void xt_table_free(struct xt_table *table)
{
    if (!table)
        return;
    g_ptr_array_unref(table->head);
    g_ptr_array_unref(table->rows);
    g_free(table);
}

void xt_table_row(struct xt_table *table)
{
    g_ptr_array_add(table->rows, g_ptr_array_new_with_free_func(g_free));
}

void xt_table_cell(struct xt_table *table, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_ptr_array_add(table->rows->pdata[table->rows->len - 1], g_strdup_vprintf(format, args));
    va_end(args);
}

static void free_block(gpointer data)
{
    struct block *block = data;
    g_free(block->id);
    g_free(block->text);
    g_free(block->meaning);
    xt_table_free(block->table);
    xt_figure_free(block->figure);
    g_free(block);
}

struct xt_report *xt_report_new(const char *title)
{
    struct xt_report *report = g_new0(struct xt_report, 1);
    report->title = g_strdup(title);
    report->blocks = g_ptr_array_new_with_free_func(free_block);
    return report;
}

void xt_report_free(struct xt_report *report)
{
    if (!report)
        return;
    g_free(report->title);
    g_ptr_array_unref(report->blocks);
    g_free(report);
}

static struct block *add_block(struct xt_report *report, enum block_kind kind, const char *text)
{
    struct block *block = g_new0(struct block, 1);
    block->kind = kind;
    block->text = g_strdup(text);
    g_ptr_array_add(report->blocks, block);
    return block;
}

void xt_report_heading(struct xt_report *report, const char *id, const char *text)
{
    add_block(report, BLOCK_HEADING, text)->id = g_strdup(id);
}

void xt_report_text(struct xt_report *report, const char *text)
{
    add_block(report, BLOCK_TEXT, text);
}

void xt_report_code(struct xt_report *report, const char *text)
{
    add_block(report, BLOCK_CODE, text);
}

void xt_report_term(struct xt_report *report, const char *term, const char *meaning)
{
    add_block(report, BLOCK_TERM, term)->meaning = g_strdup(meaning);
}

void xt_report_table(struct xt_report *report, const char *caption, struct xt_table *table)
{
    add_block(report, BLOCK_TABLE, caption)->table = table;
}

void xt_report_figure(struct xt_report *report, struct xt_figure *figure)
{
    add_block(report, BLOCK_FIGURE, NULL)->figure = figure;
}

void xt_report_timeline(struct xt_report *report, const char *json)
{
    add_block(report, BLOCK_TIMELINE, json);
}
