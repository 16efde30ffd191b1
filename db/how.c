/* Rows of table how and their packed form. See how.h. */
#include "db/how.h"

#include <string.h>

enum { HOW_STATE_BITS = 3, HOW_REASON_BITS = 4, HOW_FLAG_BITS = 16 };
G_STATIC_ASSERT(XT_NO_STATE < 1 << HOW_STATE_BITS);
G_STATIC_ASSERT(XT_N_REASONS <= 1 << HOW_REASON_BITS);

uint64_t xt_how_pack(const struct xt_how *how)
{
    uint64_t packed = 8 | how->latency | (how->latency_apart ? 4 : 0); /* the 8 keeps it from being 0 */

    packed = packed << HOW_FLAG_BITS | how->flags;
    packed = packed << HOW_REASON_BITS | how->end_reason;
    packed = packed << HOW_REASON_BITS | how->ready_reason;
    packed = packed << HOW_REASON_BITS | how->off_reason;
    return packed << HOW_STATE_BITS | how->off_state;
}

static unsigned take_bits(uint64_t *packed, int bits)
{
    unsigned value = (unsigned)(*packed & ((1u << bits) - 1));

    *packed >>= bits;
    return value;
}

struct xt_how xt_how_unpack(uint64_t packed)
{
    struct xt_how how;

    how.off_state = take_bits(&packed, HOW_STATE_BITS);
    how.off_reason = take_bits(&packed, HOW_REASON_BITS);
    how.ready_reason = take_bits(&packed, HOW_REASON_BITS);
    how.end_reason = take_bits(&packed, HOW_REASON_BITS);
    how.flags = take_bits(&packed, HOW_FLAG_BITS);
    how.latency = packed & 3;
    how.latency_apart = (packed & 4) != 0;
    return how;
}

const char *xt_end_kind(enum xt_reason reason)
{
    static const char *const kinds[XT_N_REASONS] = {
        [XT_REASON_BLOCKED] = "block",         [XT_REASON_OFFLINE] = "offline",
        [XT_REASON_PREEMPTED] = "preemption",  [XT_REASON_EXTRATIME] = "preemption",
        [XT_REASON_TIMESLICE] = "preemption",  [XT_REASON_TASKLET] = "preemption",
        [XT_REASON_BLOCK_ABORT] = "preemption", [XT_REASON_DEPLETED] = "depletion",
        [XT_REASON_YIELDED] = "yield",
    };

    return reason < XT_N_REASONS ? kinds[reason] : NULL;
}

static enum xt_state state_of(const char *name)
{
    for (int i = 0; name && i < XT_NO_STATE; i++) {
        if (strcmp(name, xt_state_name((enum xt_state)i)) == 0)
            return (enum xt_state)i;
    }
    return XT_NO_STATE;
}

static enum xt_reason reason_of(const char *name)
{
    for (int i = 0; name && i < XT_N_REASONS; i++) {
        if (strcmp(name, xt_reason_name((enum xt_reason)i)) == 0)
            return (enum xt_reason)i;
    }
    return XT_REASON_NONE;
}

static const char *const latency_names[] = {
    [XT_LATENCY_NONE] = NULL,
    [XT_LATENCY_WAKE] = "wake",
    [XT_LATENCY_PREEMPT] = "preempt",
    [XT_LATENCY_REPLENISH] = "replenish",
};
G_STATIC_ASSERT(G_N_ELEMENTS(latency_names) == 4);

static enum xt_latency latency_of(const char *name)
{
    for (unsigned i = 1; name && i < G_N_ELEMENTS(latency_names); i++) {
        if (strcmp(name, latency_names[i]) == 0)
            return (enum xt_latency)i;
    }
    return XT_LATENCY_NONE;
}

static const uint32_t flags[] = {
    XT_D_OPEN_START,  XT_D_OPEN_END, XT_D_CUT_START,        XT_D_CUT_END,     XT_D_MIGRATED,
    XT_D_ACROSS_LOSS, XT_D_NO_BURN,  XT_D_DECISION_NO_BURN, XT_D_NO_DISPATCH, XT_D_TICKLED,
};
enum { FIRST_FLAG = 6, LATENCY = FIRST_FLAG + G_N_ELEMENTS(flags) };

int64_t xt_how_read(sqlite3_stmt *stmt, struct xt_how *how)
{
    *how = (struct xt_how){
        .off_state = state_of((const char *)sqlite3_column_text(stmt, 1)),
        .off_reason = reason_of((const char *)sqlite3_column_text(stmt, 2)),
        .ready_reason = reason_of((const char *)sqlite3_column_text(stmt, 3)),
        .end_reason = reason_of((const char *)sqlite3_column_text(stmt, 4)),
        .latency = latency_of((const char *)sqlite3_column_text(stmt, LATENCY)),
        .latency_apart = sqlite3_column_int(stmt, LATENCY + 1),
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++) {
        if (sqlite3_column_int(stmt, FIRST_FLAG + (int)i))
            how->flags |= flags[i];
    }
    return sqlite3_column_int64(stmt, 0);
}

static void bind_reason(sqlite3_stmt *stmt, int index, enum xt_reason reason)
{
    if (reason == XT_REASON_NONE)
        sqlite3_bind_null(stmt, index);
    else
        sqlite3_bind_text(stmt, index, xt_reason_name(reason), -1, SQLITE_STATIC);
}

void xt_how_bind(sqlite3_stmt *stmt, int64_t id, const struct xt_how *how)
{
    sqlite3_bind_int64(stmt, 1, id);
    if (how->off_state == XT_NO_STATE)
        sqlite3_bind_null(stmt, 2);
    else
        sqlite3_bind_text(stmt, 2, xt_state_name(how->off_state), -1, SQLITE_STATIC);
    bind_reason(stmt, 3, how->off_reason);
    bind_reason(stmt, 4, how->ready_reason);
    bind_reason(stmt, 5, how->end_reason);
    sqlite3_bind_text(stmt, 6, xt_end_kind(how->end_reason), -1, SQLITE_STATIC);
    for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++)
        sqlite3_bind_int(stmt, 1 + FIRST_FLAG + (int)i, (how->flags & flags[i]) != 0);
    sqlite3_bind_text(stmt, 1 + LATENCY, latency_names[how->latency], -1, SQLITE_STATIC);
    sqlite3_bind_int(stmt, 2 + LATENCY, how->latency_apart);
}
