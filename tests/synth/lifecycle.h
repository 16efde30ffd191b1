/* What an administrator does while a trace runs: pause, destroy and create domains, change reservations, bind
 * VCPUs. */
#ifndef SYNTH_LIFECYCLE_H
#define SYNTH_LIFECYCLE_H

#include "synth.h"

void sy_lifecycle_start(struct sy_sim *sim);
void sy_lifecycle_free(struct sy_sim *sim);

#endif
