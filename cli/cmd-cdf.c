/* xentrail cdf: distribution functions of overheads and latencies. */
#include "cli/cli.h"
#include "cli/plot-command.h"

int xt_cmd_cdf(int argc, char **argv)
{
    return xt_plot_command(argc, argv, XT_PLOT_CDF,
                           "Draws cumulative distribution functions of scheduling overheads or latencies, or "
                           "with --ccdf their "
                           "tails, with n and exact quantiles.");
}
