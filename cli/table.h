/* Rows for people and programs: aligned tables, CSV (RFC 4180) or JSON. Every subcommand prints through this.
 *
 *     struct xt_tables *out = xt_tables_new(stdout, format);
 *     xt_table_begin(out, "vcpus", "VCPUs", columns, G_N_ELEMENTS(columns));
 *     for (...) {
 *         xt_cell_text(out, "vm1");
 *         xt_cell_int(out, v->state_ns[XT_RUNNING]);
 *     }
 *     xt_table_end(out);
 *     if (!xt_tables_finish(out, &error)) ...
 *
 * A row is complete after as many cells as there are columns. Tables keep their first rows back to find the
 * widths and stream after that, so memory is bounded however many rows come. Columns that hold only numbers
 * are right-aligned. Text may be hostile: control characters are shown escaped in tables, and quoted as the
 * format wants in CSV and JSON; bytes that are no UTF-8 become U+FFFD. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum xt_format {
    XT_FORMAT_TABLE,
    XT_FORMAT_CSV,
    XT_FORMAT_JSON, /* one table without key: an array of objects; tables with keys: an object of such
                     * arrays */
};

/* Strings must live until xt_table_end. */
struct xt_column {
    const char *name;  /* key in CSV and JSON, with its unit: "p50_ns" */
    const char *title; /* heading in tables, with its unit: "p50 (us)"; NULL: name */
    double scale;      /* tables show the value divided by this (1000: ns -> us); 0: as it is */
    int decimals;      /* digits after the point of scaled and real values in tables */
};

struct xt_tables;

/* Writes to out, which stays the caller's. */
struct xt_tables *xt_tables_new(FILE *out, enum xt_format format);

/* key: name in JSON, NULL if it is the only table; title: line above the table, NULL none (JSON ignores it,
 * CSV prints it as a comment only if it is not the only table). columns are copied, their strings are not. */
void xt_table_begin(struct xt_tables *t, const char *key, const char *title, const struct xt_column *columns,
                    unsigned n_columns);
void xt_cell_int(struct xt_tables *t, int64_t value);
void xt_cell_unsigned(struct xt_tables *t, uint64_t value); /* for what can be above 2^63; columns without scale */
void xt_cell_real(struct xt_tables *t, double value); /* not finite: like null */
void xt_cell_text(struct xt_tables *t, const char *text); /* NULL: like null */
void xt_cell_bool(struct xt_tables *t, bool value);       /* JSON true/false, else yes/no (CSV 1/0) */
void xt_cell_null(struct xt_tables *t);                   /* empty; JSON null */
void xt_table_end(struct xt_tables *t);

/* Closes the document, flushes and frees t. false and XT_ERROR_SYSTEM if anything could not be written. */
bool xt_tables_finish(struct xt_tables *t, GError **error);

/* Writes text as a JSON string, quotes included, appending to s. */
void xt_json_string(GString *s, const char *text);

/* Text made safe for a terminal: control characters escaped, bad UTF-8 replaced. Free with g_free. */
char *xt_printable(const char *text);
