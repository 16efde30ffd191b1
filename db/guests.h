/* The guests of a recording at import: their job logs are read, laid over the run, held against when their VCPUs ran, and
 * stored. */
#pragma once

#include "db/store.h"
#include "parse/recording.h"
#include "parse/sink.h"

struct xt_guests;

/* recording must outlive it. */
struct xt_guests *xt_guests_new(const struct xt_recording *recording);
void xt_guests_free(struct xt_guests *guests);

/* The sink that watches the guests' VCPUs; belongs to guests. */
const struct xt_sink *xt_guests_sink(struct xt_guests *guests);

/* After the sink's end(): stores all jobs. A log that cannot be read or does not fit does not spoil the run: note is told
 * why. false and error only if the database cannot be written. */
bool xt_guests_store(struct xt_guests *guests, struct xt_db *db, struct xt_store *store, const struct xt_run *run,
                     void (*note)(void *user, const char *message), void *user, GError **error);
