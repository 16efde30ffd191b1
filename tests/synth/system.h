/* Draws a host from the options: pools, domains, VCPUs, reservations, guests. */
#ifndef SYNTH_SYSTEM_H
#define SYNTH_SYSTEM_H

#include "synth.h"

bool sy_system_new(struct sy_sim *sim, GError **error);
/* A domain that comes up while tracing: offline and paused, with a guest. NULL if there is no room. */
struct sy_domain *sy_system_add(struct sy_sim *sim);
/* New (Π, Θ) and guest for a VCPU; a new set of pCPUs within its pool. */
void sy_system_redraw(struct sy_sim *sim, struct sy_vcpu *v, double util);
struct sy_mask sy_system_draw_affinity(struct sy_sim *sim, const struct sy_pool *pool);
void sy_system_free(struct sy_sim *sim);

#endif
