/* What the lab boots, put together from the cache, this very program and the workload. */
#pragma once

#include "collect/lab/scenario.h"

/* dom0's root file system: Xen tools, this program, the scripts, the guests' image. XT_ERROR_SYSTEM. */
GBytes *xt_image_dom0(const char *cache, GError **error);

/* One experiment: goes after the former as a second archive. live: its collector shows the live table. */
GBytes *xt_image_experiment(const struct xt_scenario *scenario, const struct xt_lab_policy *policy, bool live,
                            GError **error);

/* A file that comes with the program; NULL never. Caller frees (g_bytes_unref). */
GBytes *xt_image_resource(const char *name);
