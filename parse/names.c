/* Names of the enumerations of sink.h: the words that databases and reports use. */
#include "parse/sink.h"

#define NAME_OF(table, value) ((unsigned)(value) < G_N_ELEMENTS(table) ? (table)[value] : "?")

const char *xt_state_name(enum xt_state state)
{
    static const char *const names[] = { "running", "runnable", "blocked", "offline", "unknown", "none" };
    return NAME_OF(names, state);
}

const char *xt_reason_name(enum xt_reason reason)
{
    static const char *const names[] = {
        [XT_REASON_NONE] = "none",           [XT_REASON_BLOCKED] = "blocked",
        [XT_REASON_OFFLINE] = "offline",     [XT_REASON_PREEMPTED] = "preempted",
        [XT_REASON_DEPLETED] = "depleted",   [XT_REASON_YIELDED] = "yielded",
        [XT_REASON_EXTRATIME] = "extratime", [XT_REASON_TIMESLICE] = "timeslice",
        [XT_REASON_TASKLET] = "tasklet",     [XT_REASON_BLOCK_ABORT] = "block_abort",
        [XT_REASON_WAKEUP] = "wakeup",       [XT_REASON_ONLINE] = "online",
        [XT_REASON_DISPATCHED] = "dispatched",
    };
    return NAME_OF(names, reason);
}

const char *xt_hz_source_name(enum xt_hz_source source)
{
    static const char *const names[] = { "trace", "xl info", "user" };
    return NAME_OF(names, source);
}

const char *xt_scheduler_name(enum xt_scheduler scheduler)
{
    static const char *const names[] = { "unknown", "credit", "credit2", "rtds", "null", "arinc653", "rtxen2" };
    return NAME_OF(names, scheduler);
}

const char *xt_blame_name(enum xt_blame blame)
{
    static const char *const names[] = { "overload", "inversion", "latency", "unknown" };
    return NAME_OF(names, blame);
}

const char *xt_server_kind_name(enum xt_server_kind kind)
{
    static const char *const names[] = { "unknown", "deferrable", "periodic", "sporadic" };
    return NAME_OF(names, kind);
}
