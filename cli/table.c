/* Aligned tables, CSV and JSON. See table.h. */
#include "cli/table.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "parse/error.h"

#define ROWS_FOR_WIDTHS 1000 /* rows kept back to find the column widths */

struct cell {
    char *text;
    bool number;
};

struct xt_tables {
    FILE *out;
    enum xt_format format;
    unsigned n_tables;
    bool has_key;

    struct xt_column *columns;
    unsigned n_columns, at; /* at: cells of the current row so far */
    uint64_t n_rows;
    GString *row;           /* CSV, JSON: the row as it will be written */
    GArray *kept;           /* tables: cells of rows not yet printed */
    int *widths;            /* tables: display columns; NULL while rows are kept back */
    bool *numeric;
};

void xt_json_string(GString *s, const char *text)
{
    char *valid = g_utf8_make_valid(text, -1);

    g_string_append_c(s, '"');
    for (const char *p = valid; *p; p++) {
        unsigned char c = (unsigned char)*p;

        if (c == '"' || c == '\\')
            g_string_append_printf(s, "\\%c", c);
        else if (c == '\n')
            g_string_append(s, "\\n");
        else if (c < 0x20 || c == 0x7f)
            g_string_append_printf(s, "\\u%04x", c);
        else
            g_string_append_c(s, (char)c);
    }
    g_string_append_c(s, '"');
    g_free(valid);
}

char *xt_printable(const char *text)
{
    char *valid = g_utf8_make_valid(text, -1);
    GString *s = g_string_sized_new(strlen(valid));

    for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        GUnicodeType type = g_unichar_type(c);

        /* format characters turn text around (U+202E) or hide it: a name must not rearrange the table */
        if (type == G_UNICODE_CONTROL || type == G_UNICODE_FORMAT || type == G_UNICODE_LINE_SEPARATOR ||
            type == G_UNICODE_PARAGRAPH_SEPARATOR)
            g_string_append_printf(s, c < 0x80 ? "\\x%02x" : "\\u%04x", c);
        else
            g_string_append_unichar(s, c);
    }
    g_free(valid);
    return g_string_free(s, FALSE);
}

static int display_width(const char *text)
{
    int width = 0;

    for (const char *p = text; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);

        width += g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
    }
    return width;
}

struct xt_tables *xt_tables_new(FILE *out, enum xt_format format)
{
    struct xt_tables *t = g_new0(struct xt_tables, 1);

    t->out = out;
    t->format = format;
    t->row = g_string_new(NULL);
    return t;
}

static const char *title_of(const struct xt_column *column)
{
    return column->title ? column->title : column->name;
}

static void csv_text(GString *s, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        g_string_append(s, text);
        return;
    }
    g_string_append_c(s, '"');
    for (const char *p = text; *p; p++) {
        if (*p == '"')
            g_string_append_c(s, '"');
        g_string_append_c(s, *p);
    }
    g_string_append_c(s, '"');
}

static void write_row(struct xt_tables *t)
{
    fwrite(t->row->str, 1, t->row->len, t->out);
    g_string_truncate(t->row, 0);
}

static void begin_csv(struct xt_tables *t, const char *title)
{
    if (t->n_tables > 0)
        fputc('\n', t->out);
    if (title && (t->has_key || t->n_tables > 0))
        fprintf(t->out, "# %s\n", title);
    for (unsigned i = 0; i < t->n_columns; i++) {
        if (i)
            g_string_append_c(t->row, ',');
        csv_text(t->row, t->columns[i].name);
    }
    g_string_append_c(t->row, '\n');
    write_row(t);
}

static void begin_json(struct xt_tables *t, const char *key)
{
    if (key) {
        g_string_append(t->row, t->n_tables == 0 ? "{\n" : ",\n");
        xt_json_string(t->row, key);
        g_string_append(t->row, ": ");
    }
    g_string_append_c(t->row, '[');
    write_row(t);
}

void xt_table_begin(struct xt_tables *t, const char *key, const char *title, const struct xt_column *columns,
                    unsigned n_columns)
{
    g_return_if_fail(t->columns == NULL && n_columns > 0);

    t->columns = g_memdup2(columns, n_columns * sizeof(*columns));
    t->n_columns = n_columns;
    t->at = 0;
    t->n_rows = 0;
    t->has_key = key != NULL;

    switch (t->format) {
    case XT_FORMAT_CSV:
        begin_csv(t, title);
        break;
    case XT_FORMAT_JSON:
        begin_json(t, key);
        break;
    case XT_FORMAT_TABLE:
        if (t->n_tables > 0)
            fputc('\n', t->out);
        if (title)
            fprintf(t->out, "%s\n", title);
        t->kept = g_array_new(FALSE, FALSE, sizeof(struct cell));
        t->numeric = g_new(bool, n_columns);
        for (unsigned i = 0; i < n_columns; i++)
            t->numeric[i] = true;
        break;
    }
    t->n_tables++;
}

static void print_cell(struct xt_tables *t, unsigned column, const char *text)
{
    int pad = t->widths[column] - display_width(text);

    if (column)
        fputs("  ", t->out);
    if (t->numeric[column] && pad > 0)
        fprintf(t->out, "%*s", pad, "");
    fputs(text, t->out);
    /* no blanks at the end of a line */
    if (!t->numeric[column] && pad > 0 && column + 1 < t->n_columns)
        fprintf(t->out, "%*s", pad, "");
    if (column + 1 == t->n_columns)
        fputc('\n', t->out);
}

/* Finds the widths from the rows kept back and prints these. */
static void settle(struct xt_tables *t)
{
    t->widths = g_new0(int, t->n_columns);
    for (unsigned i = 0; i < t->n_columns; i++)
        t->widths[i] = display_width(title_of(&t->columns[i]));
    for (guint i = 0; i < t->kept->len; i++) {
        const struct cell *cell = &g_array_index(t->kept, struct cell, i);
        int *width = &t->widths[i % t->n_columns];

        *width = MAX(*width, display_width(cell->text));
        if (!cell->number && cell->text[0])
            t->numeric[i % t->n_columns] = false;
    }
    for (unsigned i = 0; i < t->n_columns; i++)
        print_cell(t, i, title_of(&t->columns[i]));
    for (guint i = 0; i < t->kept->len; i++) {
        struct cell *cell = &g_array_index(t->kept, struct cell, i);

        print_cell(t, i % t->n_columns, cell->text);
        g_free(cell->text);
    }
    g_array_set_size(t->kept, 0);
}

/* Takes text. */
static void table_cell(struct xt_tables *t, char *text, bool number)
{
    struct cell cell = { text, number };

    if (t->widths) {
        print_cell(t, t->at, text);
        g_free(text);
    } else {
        g_array_append_val(t->kept, cell);
    }
}

static void cell_open(struct xt_tables *t)
{
    if (t->format == XT_FORMAT_CSV && t->at > 0)
        g_string_append_c(t->row, ',');
    if (t->format != XT_FORMAT_JSON)
        return;
    if (t->at == 0)
        g_string_append(t->row, t->n_rows ? ",\n{" : "\n{");
    else
        g_string_append(t->row, ", ");
    xt_json_string(t->row, t->columns[t->at].name);
    g_string_append(t->row, ": ");
}

static void cell_close(struct xt_tables *t)
{
    if (++t->at < t->n_columns)
        return;
    t->at = 0;
    t->n_rows++;
    if (t->format == XT_FORMAT_TABLE) {
        if (!t->widths && t->n_rows >= ROWS_FOR_WIDTHS)
            settle(t);
        return;
    }
    g_string_append_c(t->row, t->format == XT_FORMAT_JSON ? '}' : '\n');
    write_row(t);
}

void xt_cell_int(struct xt_tables *t, int64_t value)
{
    const struct xt_column *column = &t->columns[t->at];

    cell_open(t);
    if (t->format != XT_FORMAT_TABLE)
        g_string_append_printf(t->row, "%" PRId64, value);
    else if (column->scale != 0)
        table_cell(t, g_strdup_printf("%.*f", column->decimals, (double)value / column->scale), true);
    else
        table_cell(t, g_strdup_printf("%" PRId64, value), true);
    cell_close(t);
}

void xt_cell_unsigned(struct xt_tables *t, uint64_t value)
{
    cell_open(t);
    if (t->format != XT_FORMAT_TABLE)
        g_string_append_printf(t->row, "%" PRIu64, value);
    else
        table_cell(t, g_strdup_printf("%" PRIu64, value), true);
    cell_close(t);
}

/* The shortest text that reads back as value, with '.' whatever the locale. */
static void append_real(GString *s, double value)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];

    for (int digits = 15; digits <= 17; digits++) {
        char format[8];

        g_snprintf(format, sizeof(format), "%%.%dg", digits);
        g_ascii_formatd(text, sizeof(text), format, value);
        if (g_ascii_strtod(text, NULL) == value)
            break;
    }
    g_string_append(s, text);
}

void xt_cell_real(struct xt_tables *t, double value)
{
    const struct xt_column *column = &t->columns[t->at];
    double scale = column->scale != 0 ? column->scale : 1;

    if (!isfinite(value)) {
        xt_cell_null(t);
        return;
    }
    cell_open(t);
    if (t->format != XT_FORMAT_TABLE) {
        append_real(t->row, value);
    } else if (column->scale != 0 || column->decimals > 0) {
        table_cell(t, g_strdup_printf("%.*f", column->decimals, value / scale), true);
    } else {
        GString *s = g_string_new(NULL);

        append_real(s, value);
        table_cell(t, g_string_free(s, FALSE), true);
    }
    cell_close(t);
}

void xt_cell_text(struct xt_tables *t, const char *text)
{
    if (!text) {
        xt_cell_null(t);
        return;
    }
    cell_open(t);
    if (t->format == XT_FORMAT_TABLE)
        table_cell(t, xt_printable(text), false);
    else if (t->format == XT_FORMAT_JSON)
        xt_json_string(t->row, text);
    else
        csv_text(t->row, text);
    cell_close(t);
}

void xt_cell_bool(struct xt_tables *t, bool value)
{
    cell_open(t);
    if (t->format == XT_FORMAT_TABLE)
        table_cell(t, g_strdup(value ? "yes" : "no"), false);
    else if (t->format == XT_FORMAT_JSON)
        g_string_append(t->row, value ? "true" : "false");
    else
        g_string_append_c(t->row, value ? '1' : '0');
    cell_close(t);
}

void xt_cell_null(struct xt_tables *t)
{
    cell_open(t);
    if (t->format == XT_FORMAT_TABLE)
        table_cell(t, g_strdup(""), false);
    else if (t->format == XT_FORMAT_JSON)
        g_string_append(t->row, "null");
    cell_close(t);
}

void xt_table_end(struct xt_tables *t)
{
    g_return_if_fail(t->columns != NULL && t->at == 0);

    if (t->format == XT_FORMAT_TABLE) {
        if (!t->widths)
            settle(t);
        g_array_free(t->kept, TRUE);
    } else if (t->format == XT_FORMAT_JSON) {
        fputs(t->n_rows ? "\n]" : "]", t->out);
        if (!t->has_key)
            fputc('\n', t->out);
    }
    g_clear_pointer(&t->widths, g_free);
    g_clear_pointer(&t->numeric, g_free);
    g_clear_pointer(&t->columns, g_free);
    t->kept = NULL;
}

static void free_tables(struct xt_tables *t)
{
    for (guint i = 0; t->kept && i < t->kept->len; i++)
        g_free(g_array_index(t->kept, struct cell, i).text);
    if (t->kept)
        g_array_free(t->kept, TRUE);
    g_free(t->widths);
    g_free(t->numeric);
    g_free(t->columns);
    g_string_free(t->row, TRUE);
    g_free(t);
}

bool xt_tables_finish(struct xt_tables *t, GError **error)
{
    bool ok;

    if (t->format == XT_FORMAT_JSON && t->has_key && t->n_tables > 0)
        fputs("\n}\n", t->out);
    ok = fflush(t->out) == 0 && !ferror(t->out);
    if (!ok)
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "cannot write the result: %s",
                    g_strerror(errno ? errno : EIO));
    free_tables(t);
    return ok;
}
