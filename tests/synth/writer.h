/* xentrace: turns that read the rings of all pCPUs into the trace file. */
#ifndef SYNTH_WRITER_H
#define SYNTH_WRITER_H

#include "synth.h"

struct sy_writer;

/* NULL with a message in *error if the file cannot be made. */
struct sy_writer *sy_writer_new(struct sy_sim *sim, const char *path, GError **error);
/* Starts the reading. */
void sy_writer_start(struct sy_sim *sim);
/* Ends tracing soon: sets sim->stop once no pCPU has losses that the file does not tell. */
void sy_writer_stop(struct sy_sim *sim, uint64_t at);
/* Drains every ring once more and closes the file. */
bool sy_writer_finish(struct sy_sim *sim, GError **error);
void sy_writer_free(struct sy_writer *w);
/* A ring passed half of its size: Xen tells xentrace. */
void sy_writer_high_water(struct sy_sim *sim, uint64_t at);
uint64_t sy_writer_bytes(const struct sy_writer *w);

#endif
