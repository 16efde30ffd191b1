/* The command line: one file per subcommand (cmd-NAME.c), one table in main.c that lists them. */
#pragma once

#include <glib.h>

enum xt_exit {
    XT_EXIT_OK = 0,
    XT_EXIT_FOUND = 1,  /* the check found something */
    XT_EXIT_USAGE = 2,  /* wrong usage */
    XT_EXIT_INPUT = 3,  /* bad or missing input */
    XT_EXIT_SYSTEM = 4, /* the system failed */
};

/* Each subcommand: argv[0] is its name. Returns an enum xt_exit. Messages go to stderr, data to stdout. */
int xt_cmd_import(int argc, char **argv);
int xt_cmd_stats(int argc, char **argv);
int xt_cmd_query(int argc, char **argv);
int xt_cmd_dump(int argc, char **argv);
int xt_cmd_gantt(int argc, char **argv);
int xt_cmd_hist(int argc, char **argv);

/* Prints "xentrail COMMAND: message" on stderr, frees error and returns the exit status that its code stands for
 * (XT_ERROR codes as they are, GOption errors as usage, every other domain as a failure of the system). */
int xt_fail(const char *command, GError *error);
