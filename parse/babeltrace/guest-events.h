/* What one event of a guest's trace says about jobs; private to this folder. */
#pragma once

#include <babeltrace2/babeltrace.h>

#include "parse/jobs.h"

struct xt_guest_events;

/* log stays the caller's. One for each trace. */
struct xt_guest_events *xt_guest_events_new(struct xt_job_log *log);
void xt_guest_events_free(struct xt_guest_events *events);
void xt_guest_event(struct xt_guest_events *events, const bt_message *message);
/* A message that events or packets were discarded. */
void xt_guest_loss(struct xt_guest_events *events, const bt_message *message);
