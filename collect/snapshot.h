/* What the host says about itself around a recording: files in host/, and from them the facts in
 * recording.json. */
#pragma once

#include "collect/host.h"
#include "collect/manifest.h"
#include "parse/recording.h"

enum xt_snapshot_when { XT_SNAPSHOT_BEFORE, XT_SNAPSHOT_AFTER };

/* Writes FOLDER/host/. What a host cannot say (a Xen without that command) is left out and noted in notes
 * (char *, may be NULL). False only if the host is gone or the disk refuses. */
bool xt_snapshot_take(const struct xt_host *host, enum xt_snapshot_when when, const char *scheduler,
                      const char *folder, GPtrArray *notes, GError **error);

/* Sets xen_version, scheduler, policy (if it is not set and can be told), emulated, tsc_hz, pcpus, cpu_model,
 * command_line and domains from the facts and from what FOLDER/host/ says. */
void xt_snapshot_describe(JsonObject *manifest, const struct xt_host_facts *facts, const struct xt_recording *host);
