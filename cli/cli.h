/* The command line: one file per subcommand (cmd-NAME.c), one table in main.c that lists them. Those that draw are a
 * program of their own (draw.c), since loading what they need takes longer than most others run. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "cli/table.h"
#include "parse/record.h"
#include "parse/recording.h"
#include "parse/reconstruct.h"

enum xt_exit {
    XT_EXIT_OK = 0,
    XT_EXIT_FOUND = 1,  /* the check found something */
    XT_EXIT_USAGE = 2,  /* wrong usage */
    XT_EXIT_INPUT = 3,  /* bad or missing input */
    XT_EXIT_SYSTEM = 4, /* the system failed */
};

/* Each subcommand: argv[0] is its name. Returns an enum xt_exit. Messages go to stderr, data to stdout. */
int xt_cmd_check(int argc, char **argv);
int xt_cmd_misses(int argc, char **argv);
int xt_cmd_dump(int argc, char **argv);
int xt_cmd_export(int argc, char **argv);
int xt_cmd_info(int argc, char **argv);
int xt_cmd_lab(int argc, char **argv);
int xt_cmd_record(int argc, char **argv);
int xt_cmd_import(int argc, char **argv);
int xt_cmd_query(int argc, char **argv);
int xt_cmd_db(int argc, char **argv);
int xt_cmd_stats(int argc, char **argv);
/* These are in xentrail-draw alone: */
int xt_cmd_gantt(int argc, char **argv);
int xt_cmd_hist(int argc, char **argv);
int xt_cmd_cdf(int argc, char **argv);
int xt_cmd_bars(int argc, char **argv);
int xt_cmd_compare(int argc, char **argv);

/* Becomes xentrail-draw, for the command named by argv[0]; returns only if that fails. */
int xt_become_draw(int argc, char **argv);

/* Prints "xentrail COMMAND: message" on stderr, frees error and returns the exit status that its code stands for
 * (XT_ERROR codes as they are, GOption errors as usage, every other domain as a failure of the system). */
int xt_fail(const char *command, GError *error);
/* The same for a message of usage. */
int xt_fail_usage(const char *command, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Parses options (GOption) and leaves the other arguments in argv. -1: go on; else the exit status to return with.
 * usage: what follows the command's name in its usage line; about: a paragraph on what it does. */
int xt_parse_options(int *argc, char ***argv, const GOptionEntry *entries, const char *usage, const char *about);

/* --json, --csv: how tables are printed. */
struct xt_format_options {
    gboolean json, csv;
};
#define XT_FORMAT_ENTRIES(options_) \
    { "json", 0, 0, G_OPTION_ARG_NONE, &(options_).json, "Print JSON", NULL }, \
    { "csv", 0, 0, G_OPTION_ARG_NONE, &(options_).csv, "Print CSV (RFC 4180)", NULL }
enum xt_format xt_format_of(const struct xt_format_options *options);

/* Options of everything that reads a trace. */
struct xt_input_options {
    char *tsc_hz, *tolerance;
    char **reservations;
    gboolean salvage;
};
#define XT_INPUT_ENTRIES(options_) \
    { "tsc-hz", 0, 0, G_OPTION_ARG_STRING, &(options_).tsc_hz, "TSC frequency in Hz instead of measuring it", "HZ" }, \
    { "salvage", 0, 0, G_OPTION_ARG_NONE, &(options_).salvage, "Use what stands before structural damage", NULL }
#define XT_SERVER_ENTRIES(options_) \
    { "tolerance", 0, 0, G_OPTION_ARG_STRING, &(options_).tolerance, \
      "Shortfall up to which a period is not missed (default 50us)", "TIME" }, \
    { "reservation", 0, 0, G_OPTION_ARG_STRING_ARRAY, &(options_).reservations, \
      "Judge a VCPU or domain by this period/budget, e.g. d1v0=10ms/4ms (repeatable)", "VCPU=P/B" }

/* A recording and its trace, opened as the options say; progress and notes go to stderr. */
struct xt_input {
    const char *command;
    struct xt_recording *recording;
    struct xt_trace *trace;
    struct xt_reconstruct_options options;
};
/* All of that but opening the trace. */
bool xt_input_prepare(struct xt_input *input, const char *command, const char *path,
                      const struct xt_input_options *options, GError **error);
bool xt_input_open(struct xt_input *input, const char *command, const char *path,
                   const struct xt_input_options *options, GError **error);
void xt_input_close(struct xt_input *input);

/* Set by SIGINT and SIGTERM once xt_catch_signals was called; for xt_reconstruct's cancel. */
const volatile int *xt_catch_signals(void);
