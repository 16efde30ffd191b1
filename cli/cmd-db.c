/* xentrail db: what a database is worth. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "db/check.h"
#include "parse/error.h"

struct findings {
    struct xt_tables *out;
    unsigned n;
};

static void clear_line(void)
{
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

static void on_finding(void *user, const char *message)
{
    struct findings *f = user;

    clear_line();
    xt_cell_text(f->out, message);
    f->n++;
}

static void on_progress(void *user, const char *doing)
{
    clear_line();
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "checking %s", doing);
}

static int check(const char *path, enum xt_format format)
{
    static const struct xt_column columns[] = { { .name = "finding" } };
    GError *error = NULL;
    struct xt_db *db = xt_db_open(path, XT_DB_READ, &error);
    struct findings f = { 0 };
    bool ok;

    if (!db)
        return xt_fail("db", error);
    f.out = xt_tables_new(stdout, format);
    xt_table_begin(f.out, NULL, NULL, columns, G_N_ELEMENTS(columns));
    ok = xt_db_check(db, on_finding, on_progress, &f, &error);
    clear_line();
    xt_table_end(f.out);
    ok = xt_tables_finish(f.out, error ? NULL : &error) && ok;
    xt_db_close(db);
    if (!ok)
        return xt_fail("db", error);
    fprintf(stderr, f.n ? "%s: %u things are wrong\n" : "%s: all is well\n", path, f.n);
    return f.n ? XT_EXIT_FOUND : XT_EXIT_OK;
}

int xt_cmd_db(int argc, char **argv)
{
    struct xt_format_options format = { 0 };
    const GOptionEntry entries[] = { XT_FORMAT_ENTRIES(format), { 0 } };
    int status = xt_parse_options(&argc, &argv, entries, "check FILE",
        "check: is the file whole, do all timelines tile their run, do totals equal the rows? Exit 1 if anything is wrong.");

    if (status >= 0)
        return status;
    if (argc != 3 || strcmp(argv[1], "check") != 0)
        return xt_fail_usage("db", "expects: check FILE");
    return check(argv[2], xt_format_of(&format));
}
