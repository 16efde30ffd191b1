#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static const struct {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} commands[] = {
    { "record", "capture on a Xen host, into a recording", xt_cmd_record },
    { "info", "what a recording says of itself, and whether it is intact", xt_cmd_info },
    { "import", "reconstruct recordings into a database", xt_cmd_import },
    { "query", "ask the database, by name or in SQL", xt_cmd_query },
    { "db", "check a database, and tell what is in it", xt_cmd_db },
    { "stats", "the tables a person wants first, from a recording, a trace or a database", xt_cmd_stats },
    { "gantt", "draw what ran when", xt_become_draw },
    { "hist", "draw histograms of overheads and latencies", xt_become_draw },
    { "cdf", "draw distribution functions of overheads and latencies", xt_become_draw },
    { "bars", "draw rates and miss ratios side by side", xt_become_draw },
    { "misses", "missed server periods, the worst first, and how to see them", xt_cmd_misses },
    { "compare", "write a report that compares policies", xt_become_draw },
    { "check", "conformance to the policy: order, budgets, pins; exit 1 on violations", xt_cmd_check },
    { "dump", "every record of a trace, readable", xt_cmd_dump },
    { "export", "a trace in the formats of other people's tools", xt_cmd_export },
    { "lab", "a real RT-Xen host inside QEMU, for those who have none", xt_cmd_lab },
};

static void print_usage(FILE *out)
{
    fputs("Usage: xentrail COMMAND [OPTION...] [ARGUMENT...]\n\n"
          "Shows what a Xen scheduler really did.\n\nCommands:\n", out);
    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++)
        fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
    fputs("\n'xentrail COMMAND --help' lists the options of a command, 'man xentrail-COMMAND' explains them.\n", out);
}

int main(int argc, char **argv)
{
    /* A limit on the size of files is an error like a full disk, which is reported and leaves nothing half-written. */
    signal(SIGXFSZ, SIG_IGN);
    if (argc < 2) {
        print_usage(stderr);
        return XT_EXIT_USAGE;
    }
    const char *name = argv[1];
    if (!strcmp(name, "--version") || !strcmp(name, "version")) {
        puts("xentrail " XT_VERSION);
        return XT_EXIT_OK;
    }
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
        print_usage(stdout);
        return XT_EXIT_OK;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++)
        if (!strcmp(name, commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    char *printable = xt_printable(name);
    fprintf(stderr, "xentrail: there is no command '%s'\n", printable);
    g_free(printable);
    print_usage(stderr);
    return XT_EXIT_USAGE;
}
