/* xentrail compare: the report on all runs of a database. */
#include <string.h>

#include "cli/picture.h"
#include "db/db.h"
#include "parse/error.h"
#include "render/compare.h"

static struct {
    char *db, *output;
} options;

static const GOptionEntry entries[] = {
    XT_DB_ENTRY(options),
    {"output", 'o', 0, G_OPTION_ARG_FILENAME, &options.output, "Report to write; its ending tells the format",
     "FILE"},
    {0},
};

static bool write_report(GError **error)
{
    if (!options.db || !options.output) {
        g_set_error_literal(error, XT_ERROR, XT_ERROR_USAGE, "--db FILE and -o OUT.{pdf,html} are needed");
        return false;
    }
    char *lower = g_ascii_strdown(options.output, -1);
    bool html = g_str_has_suffix(lower, ".html"), pdf = g_str_has_suffix(lower, ".pdf");
    g_free(lower);
    if (!html && !pdf) {
        g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "%s: the ending tells the format: .pdf or .html",
                    options.output);
        return false;
    }
    struct xt_db *db = xt_db_open(options.db, XT_DB_READ, error);
    if (!db)
        return false;

    char *from = g_shell_quote(options.db), *to = g_shell_quote(options.output);
    char *command = g_strdup_printf("xentrail compare --db %s -o %s", from, to);
    struct xt_report *report = xt_compare(db, command, html, error);
    GBytes *bytes = NULL;
    if (report)
        bytes = html ? xt_report_html(report, error) : xt_report_pdf(report, error);
    bool ok = bytes && xt_write_file(options.output, bytes, error);
    if (bytes)
        g_bytes_unref(bytes);
    xt_report_free(report);
    xt_db_close(db);
    g_free(command);
    g_free(from);
    g_free(to);
    return ok;
}

int xt_cmd_compare(int argc, char **argv)
{
    GError *error = NULL;
    int status = xt_parse_options(&argc, &argv, entries, "--db FILE -o OUT.{pdf,html}",
                                  "Writes a report that compares the policies of all runs in a database: "
                                  "tables, figures, worst misses, "
                                  "definitions, and in HTML an interactive timeline of each run.");
    if (status >= 0)
        return status;
    if (argc > 1)
        return xt_fail_usage("compare", "unexpected argument %s; see --help", argv[1]);
    return write_report(&error) ? XT_EXIT_OK : xt_fail("compare", error);
}
