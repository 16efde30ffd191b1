/* xentrail hist: histograms of overheads and latencies. */
#include "cli/cli.h"
#include "cli/plot-command.h"

int xt_cmd_hist(int argc, char **argv)
{
    return xt_plot_command(argc, argv, XT_PLOT_HIST,
                           "Draws histograms of scheduling overheads (decision, context_switch, …) or "
                           "latencies (wake_latency, …), "
                           "one per group over common bins, with n and exact quantiles.");
}
