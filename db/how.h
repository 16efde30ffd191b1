/* Table how: the few combinations of states, reasons and marks that dispatches and intervals have. */
#pragma once

#include <glib.h>
#include <sqlite3.h>

#include "parse/sink.h"

struct xt_how {
    enum xt_state off_state;
    enum xt_reason off_reason, ready_reason, end_reason;
    uint32_t flags;   /* XT_D_* */
    enum xt_latency latency;
    bool latency_apart;
};

/* One number for a combination, never 0. */
uint64_t xt_how_pack(const struct xt_how *how);
struct xt_how xt_how_unpack(uint64_t packed);

/* What an end_reason counts as, as in how.end_kind; NULL nothing. */
const char *xt_end_kind(enum xt_reason reason);

#define XT_HOW_SELECT "SELECT * FROM how"
#define XT_HOW_INSERT "INSERT INTO how VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"

/* Reads the current row of XT_HOW_SELECT; returns its id. */
int64_t xt_how_read(sqlite3_stmt *stmt, struct xt_how *how);

/* Binds all columns of XT_HOW_INSERT. */
void xt_how_bind(sqlite3_stmt *stmt, int64_t id, const struct xt_how *how);
