/* A report: headings, text, tables and figures in order, written as PDF or as one HTML page that needs
 * nothing else. */
#pragma once

#include "render/figure.h"

struct xt_table {
    GPtrArray *head;       /* of char * */
    GPtrArray *rows;       /* of GPtrArray * of char * */
    unsigned text_columns; /* this many from the left are text and stand left, the others are numbers and
                              stand right */
};
struct xt_table *xt_table_new(unsigned text_columns, const char *const *head); /* head ends with NULL */
void xt_table_free(struct xt_table *table);
/* Begins a row; xt_table_cell fills it from the left. */
void xt_table_row(struct xt_table *table);
void xt_table_cell(struct xt_table *table, const char *format, ...) G_GNUC_PRINTF(2, 3);

struct xt_report;
struct xt_report *xt_report_new(const char *title);
void xt_report_free(struct xt_report *report);

/* Text is plain and may be hostile. Tables and figures are taken over. id names a section for links, a
 * constant of ours. */
void xt_report_heading(struct xt_report *report, const char *id, const char *text);
void xt_report_text(struct xt_report *report, const char *text);
void xt_report_code(struct xt_report *report, const char *text);
void xt_report_term(struct xt_report *report, const char *term, const char *meaning);
void xt_report_table(struct xt_report *report, const char *caption, struct xt_table *table);
void xt_report_figure(struct xt_report *report, struct xt_figure *figure);
/* The interactive timeline; data is JSON as xt_timeline_json makes it. Only in HTML. Copied. */
void xt_report_timeline(struct xt_report *report, const char *json);

GBytes *xt_report_pdf(const struct xt_report *report, GError **error);
GBytes *xt_report_html(const struct xt_report *report, GError **error);

/* Width in pt that figures of a report should have. */
#define XT_REPORT_WIDTH 495.0
