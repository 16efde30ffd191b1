/* Draws a host from the options: pools, domains, VCPUs, reservations, guests. */
#ifndef SYNTH_SYSTEM_H
#define SYNTH_SYSTEM_H

#include "synth.h"

bool sy_system_new(struct sy_sim *sim, GError **error);
void sy_system_free(struct sy_sim *sim);

#endif
