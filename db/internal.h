/* Shared inside db/ only. */
#pragma once

#include <glib.h>
#include <sqlite3.h>
#include <stdbool.h>

#include "db/db.h"
#include "db/how.h"

#define XT_DB_APPLICATION_ID 0x58745261 /* "XtRa", as in schema.sql */
#define XT_DB_SCHEMA_VERSION 3

extern const char xt_schema_sql[];

/* Sets XT_ERROR_SYSTEM from the connection's last error: "storing rows: disk full"; doing says what was
 * tried. */
void xt_db_set_error(sqlite3 *db, const char *doing, GError **error);

/* Runs statements without results. */
bool xt_db_exec(sqlite3 *db, const char *sql, GError **error);

/* Prepares one statement; NULL with error. */
sqlite3_stmt *xt_db_prepare(sqlite3 *db, const char *sql, GError **error);

/* First column of the first row as integer, missing if there is none or NULL. false with error if it
 * fails. */
bool xt_db_get_int(sqlite3 *db, const char *sql, int64_t missing, int64_t *value, GError **error);

/* The combination with that id of table how; NULL with error if there is none. Valid until the next call. */
const struct xt_how *xt_db_how(struct xt_db *db, int64_t id, GError **error);

/* Whether it has no tables yet. */
bool xt_db_is_new(struct xt_db *db);

/* Begins the transaction of an import: waits for other writers, makes the schema in a new file. */
bool xt_db_begin(struct xt_db *db, GError **error);
bool xt_db_commit(struct xt_db *db, GError **error);
void xt_db_rollback(struct xt_db *db);

/* Registers quantile(x, p), the nearest-rank aggregate. */
bool xt_db_add_functions(sqlite3 *db, GError **error);

/* Registers tally(x, key, …) and tally_values(x, key, …), which group without sorting (tally.c). */
bool xt_db_add_tally(sqlite3 *db, GError **error);
