/* Options of commands that draw. */
#pragma once

#include "cli/cli.h"
#include "render/theme.h"

/* The database of a command that draws; options_ has a char *db. */
#define XT_DB_ENTRY(options_) \
    { "db", 0, 0, G_OPTION_ARG_FILENAME, &(options_).db, "Database that import wrote", "FILE" }

/* Options of a command that draws one picture from it. */
struct xt_picture_options {
    char *db, *output, *size;
    char **runs;
    double dpi;
};
#define XT_RUNS_ENTRY(options_) \
    { "run", 0, 0, G_OPTION_ARG_STRING_ARRAY, &(options_).runs, "Only this run (repeatable; default: all)", "NAME" }
#define XT_PICTURE_ENTRIES(options_) \
    { "size", 0, 0, G_OPTION_ARG_STRING, &(options_).size, "column, page (default), slide or WxH in pt, px, mm, in", \
      "SIZE" }, \
    { "dpi", 0, 0, G_OPTION_ARG_DOUBLE, &(options_).dpi, "Pixels per inch of a PNG (default 200)", "N" }, \
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &(options_).output, "Picture to write; its ending tells the format", \
      "FILE" }
/* Whether a picture can be drawn as asked; *theme is of its size then. XT_ERROR_USAGE if not. */
bool xt_picture_begin(const struct xt_picture_options *options, struct xt_theme *theme, GError **error);
