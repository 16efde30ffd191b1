/* What hist and cdf have in common. */
#pragma once

#include "render/plot.h"

/* Runs `xentrail hist` or `cdf`; returns an enum xt_exit. */
int xt_plot_command(int argc, char **argv, enum xt_plot_kind kind, const char *about);
