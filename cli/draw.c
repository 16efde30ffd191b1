/* xentrail-draw: the commands that draw. xentrail becomes it when one of them is asked for. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    { "gantt", xt_cmd_gantt }, { "hist", xt_cmd_hist },       { "cdf", xt_cmd_cdf },
    { "bars", xt_cmd_bars },   { "compare", xt_cmd_compare },
};

int main(int argc, char **argv)
{
    for (unsigned i = 0; argc > 1 && i < G_N_ELEMENTS(commands); i++)
        if (!strcmp(argv[1], commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    fputs("xentrail-draw is a part of xentrail: run \"xentrail gantt\", hist, cdf, bars or compare\n", stderr);
    return XT_EXIT_USAGE;
}
