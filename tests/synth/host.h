/* What `xl` would have said of the model: the recording's host/ folder. */
#ifndef SYNTH_HOST_H
#define SYNTH_HOST_H

#include "synth.h"

bool sy_host_write(struct sy_sim *sim, const char *dir, GError **error);
/* Asked again when tracing is over. */
bool sy_host_write_after(struct sy_sim *sim, const char *dir, GError **error);

#endif
