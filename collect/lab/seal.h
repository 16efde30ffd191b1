/* Turns what a lab machine brought home into a finished recording. */
#pragma once

#include "collect/lab/scenario.h"

/* out is the unpacked /out of dom0. Moves its recording to folder (which must not exist), with the guests'
 * job traces, the scenario, the reservations, and the mark that it is emulated. XT_ERROR_SYSTEM. */
bool xt_lab_seal(const char *out, const char *folder, const struct xt_scenario *scenario,
                 const struct xt_lab_policy *policy, bool real_time, GError **error);
