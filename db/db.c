/* Opening, closing and beginning: who may touch a database file, and what is left of it when things go
 * wrong. */
#include "db/db.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/internal.h"
#include "parse/error.h"
#include "parse/stats.h"

#define BUSY_TIMEOUT_MS 10000

struct xt_db {
    sqlite3 *handle;
    char *path;     /* as given */
    char *sql_path; /* as SQLite is told it: never taken for a URI or a special name */
    enum xt_db_mode mode;
    bool created;   /* by us, and nothing is committed yet */
    GArray *how;    /* of struct xt_how by id, as far as read; NULL not yet */
};

void xt_db_set_error(sqlite3 *db, const char *doing, GError **error)
{
    int code = sqlite3_extended_errcode(db);
    const char *file = sqlite3_db_filename(db, "main");
    const char *hint = "";

    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        hint = "; another program is writing to it, try again when that is done";
        break;
    case SQLITE_FULL:
        hint = "; make room and try again, the database is as it was";
        break;
    case SQLITE_CORRUPT:
        hint = "; `xentrail db check` says more";
        break;
    }
    g_set_error(error, XT_ERROR, (code & 0xff) == SQLITE_NOTADB ? XT_ERROR_INPUT : XT_ERROR_SYSTEM,
                "%s: %s: %s%s", file && *file ? file : "database", doing, sqlite3_errmsg(db), hint);
}

bool xt_db_exec(sqlite3 *db, const char *sql, GError **error)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    xt_db_set_error(db, "changing the database", error);
    return false;
}

sqlite3_stmt *xt_db_prepare(sqlite3 *db, const char *sql, GError **error)
{
    sqlite3_stmt *stmt = NULL;

    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        xt_db_set_error(db, "reading the database", error);
    return stmt;
}

bool xt_db_get_int(sqlite3 *db, const char *sql, int64_t missing, int64_t *value, GError **error)
{
    sqlite3_stmt *stmt = xt_db_prepare(db, sql, error);
    int rc;

    if (!stmt)
        return false;
    *value = missing;
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL)
        *value = sqlite3_column_int64(stmt, 0);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        xt_db_set_error(db, "reading the database", error);
    sqlite3_finalize(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

/* 1: no table in it yet, 0: one of ours, -1: error. */
static int look_inside(struct xt_db *db, GError **error)
{
    int64_t application, version, objects;

    if (!xt_db_get_int(db->handle, "SELECT count(*) FROM sqlite_schema", 0, &objects, error) ||
        !xt_db_get_int(db->handle, "PRAGMA application_id", 0, &application, error) ||
        !xt_db_get_int(db->handle, "PRAGMA user_version", 0, &version, error))
        return -1;
    if (objects == 0 && application == 0)
        return 1;
    if (application != XT_DB_APPLICATION_ID) {
        g_set_error(
            error, XT_ERROR, XT_ERROR_INPUT,
            "%s: an SQLite database, but of another program (application id 0x%08x); give another file name",
            db->path, (unsigned)application);
        return -1;
    }
    if (version != XT_DB_SCHEMA_VERSION) {
        g_set_error(
            error, XT_ERROR, XT_ERROR_INPUT,
            version > XT_DB_SCHEMA_VERSION
                ? "%s: made by a newer xentrail (schema %d, this one knows %d): use that one"
                : "%s: made by an older xentrail (schema %d, this one needs %d): import the recordings into a "
                  "new database; `sqlite3 FILE 'SELECT name, path FROM run'` tells which they were",
            db->path, (int)version, XT_DB_SCHEMA_VERSION);
        return -1;
    }
    return 0;
}

/* Whether the path is fit to be opened as asked. */
static bool check_path(struct xt_db *db, GError **error)
{
    struct stat st;

    if (stat(db->path, &st) == 0) {
        if (S_ISREG(st.st_mode))
            return true;
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT, "%s: %s, not a database file", db->path,
                    S_ISDIR(st.st_mode) ? "a directory" : "a special file");
        return false;
    }
    if (errno == ENOENT && db->mode == XT_DB_CREATE) {
        db->created = true;
        return true;
    }
    if (errno == ENOENT)
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "%s: no such database; `xentrail import RECORDING --db %s` makes it", db->path, db->path);
    else
        g_set_error(error, XT_ERROR, errno == ENOTDIR ? XT_ERROR_INPUT : XT_ERROR_SYSTEM, "%s: %s", db->path,
                    g_strerror(errno));
    return false;
}

static bool open_handle(struct xt_db *db, int flags, GError **error)
{
    int rc = sqlite3_open_v2(db->sql_path, &db->handle, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                             NULL);

    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
        sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL); /* a schema can be hostile, too */
        return true;
    }
    if (!db->handle) {
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "%s: out of memory", db->path);
        return false;
    }
    if ((rc & 0xff) == SQLITE_CANTOPEN) {
        int why = sqlite3_system_errno(db->handle);

        g_set_error(error, XT_ERROR, why == ENOENT ? XT_ERROR_INPUT : XT_ERROR_SYSTEM,
                    "%s: cannot be opened: %s", db->path, why ? g_strerror(why) : sqlite3_errmsg(db->handle));
    } else {
        xt_db_set_error(db->handle, "opening", error);
    }
    sqlite3_close(db->handle);
    db->handle = NULL;
    return false;
}

/* An import that was killed leaves its journal: reading has to wait for someone who may write to undo it. */
static bool recover(struct xt_db *db, GError **error)
{
    int64_t ignored;
    int rc;

    rc = sqlite3_exec(db->handle, "SELECT 1 FROM sqlite_schema", NULL, NULL, NULL);
    if (rc != SQLITE_READONLY_ROLLBACK && rc != SQLITE_READONLY_RECOVERY)
        return true;
    sqlite3_close(db->handle);
    if (!open_handle(db, SQLITE_OPEN_READWRITE, error) ||
        !xt_db_get_int(db->handle, "SELECT count(*) FROM sqlite_schema", 0, &ignored, error)) {
        g_prefix_error(error, "an interrupted import has to be undone first: ");
        return false;
    }
    sqlite3_close(db->handle);
    return open_handle(db, SQLITE_OPEN_READONLY, error);
}

/* The rollback journal (SQLite's default) is kept: pages beyond the old end of the file need no undo, so an
 * import writes its rows once, where a write-ahead log would write them twice; FULL syncing costs two flushes
 * an import. Larger pages gain nothing in time or size, and make small databases large. A small cache
 * suffices, as only the ends of a few tables are touched: it stays in a core's own, and leaves the commit little to
 * write (flush.h). Nothing in the file is secret from its owner, so freed pages are not wiped. */
static const char write_pragmas[] =
    "PRAGMA page_size = 4096; PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA cache_size = -4096;"
    "PRAGMA secure_delete = OFF; PRAGMA foreign_keys = OFF; PRAGMA trusted_schema = OFF;";
static const char read_pragmas[] = "PRAGMA cache_size = -16384; PRAGMA trusted_schema = OFF;";

static bool open_file(struct xt_db *db, GError **error)
{
    int inside;

    if (!check_path(db, error))
        return false;
    if (db->mode == XT_DB_READ) {
        if (!open_handle(db, SQLITE_OPEN_READONLY, error) || !recover(db, error))
            return false;
    } else if (!open_handle(db, SQLITE_OPEN_READWRITE | (db->mode == XT_DB_CREATE ? SQLITE_OPEN_CREATE : 0),
                            error)) {
        return false;
    }
    if (!xt_db_add_functions(db->handle, error) || !xt_db_add_tally(db->handle, error))
        return false;
    inside = look_inside(db, error);
    if (inside < 0)
        return false;
    if (inside == 1 && db->mode != XT_DB_CREATE) {
        g_set_error(
            error, XT_ERROR, XT_ERROR_INPUT,
            "%s: an empty database (an import that did not finish leaves that); import a recording into it",
            db->path);
        return false;
    }
    return xt_db_exec(db->handle, db->mode == XT_DB_READ ? read_pragmas : write_pragmas, error);
}

struct xt_db *xt_db_open(const char *path, enum xt_db_mode mode, GError **error)
{
    struct xt_db *db = g_new0(struct xt_db, 1);

    db->path = g_strdup(path);
    db->sql_path = g_path_is_absolute(path) ? g_strdup(path) : g_build_filename(".", path, NULL);
    db->mode = mode;
    if (open_file(db, error))
        return db;
    xt_db_close(db);
    return NULL;
}

/* A file that we made and that nobody has committed to is removed. Under an exclusive lock, so that nobody
 * can be about to commit; who waits for that lock finds the file gone and makes a new one (xt_db_begin). */
static void remove_if_unused(struct xt_db *db)
{
    struct stat st;

    if (sqlite3_exec(db->handle, "BEGIN EXCLUSIVE", NULL, NULL, NULL) != SQLITE_OK)
        return;
    if (stat(db->path, &st) == 0 && st.st_size == 0)
        unlink(db->path);
}

void xt_db_close(struct xt_db *db)
{
    if (!db)
        return;
    if (db->handle) {
        xt_db_rollback(db);
        if (db->created)
            remove_if_unused(db);
        sqlite3_close_v2(db->handle);
    }
    if (db->how)
        g_array_free(db->how, TRUE);
    g_free(db->path);
    g_free(db->sql_path);
    g_free(db);
}

sqlite3 *xt_db_sqlite(struct xt_db *db)
{
    return db->handle;
}

const char *xt_db_path(const struct xt_db *db)
{
    return db->path;
}

static bool read_how(struct xt_db *db, GError **error)
{
    sqlite3_stmt *stmt = xt_db_prepare(db->handle, XT_HOW_SELECT, error);
    int rc;

    if (!stmt)
        return false;
    if (!db->how)
        db->how = g_array_new(FALSE, TRUE, sizeof(struct xt_how));
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct xt_how how;
        int64_t id = xt_how_read(stmt, &how);

        if (id < 0 || id > 1 << 20)
            continue;
        if (id >= db->how->len)
            g_array_set_size(db->how, (guint)id + 1);
        g_array_index(db->how, struct xt_how, id) = how;
    }
    if (rc != SQLITE_DONE)
        xt_db_set_error(db->handle, "reading the database", error);
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE;
}

const struct xt_how *xt_db_how(struct xt_db *db, int64_t id, GError **error)
{
    bool known = db->how && id > 0 && id < db->how->len;

    if (!known && !read_how(db, error)) /* a later import may have added some */
        return NULL;
    if (id > 0 && id < db->how->len)
        return &g_array_index(db->how, struct xt_how, id);
    g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                "%s: damaged: refers to row %" G_GINT64_FORMAT " of table how, which is "
                "not there; `xentrail db check` says more",
                db->path, id);
    return NULL;
}

bool xt_db_is_new(struct xt_db *db)
{
    int64_t version = 0;

    return xt_db_get_int(db->handle, "PRAGMA user_version", 0, &version, NULL) && version == 0;
}

static bool make_schema(sqlite3 *handle, GError **error)
{
    sqlite3_stmt *insert;
    bool ok = true;

    if (!xt_db_exec(handle, xt_schema_sql, error))
        return false;
    insert = xt_db_prepare(handle, "INSERT INTO metric VALUES (?,?,?,?)", error);
    for (int i = 0; ok && insert && i < XT_N_METRICS; i++) {
        sqlite3_bind_int(insert, 1, i);
        sqlite3_bind_text(insert, 2, xt_metric_name((enum xt_metric)i), -1, SQLITE_STATIC);
        sqlite3_bind_text(insert, 3, xt_metric_is_latency((enum xt_metric)i) ? "latency" : "overhead", -1,
                          SQLITE_STATIC);
        sqlite3_bind_text(insert, 4, xt_metric_meaning((enum xt_metric)i), -1, SQLITE_STATIC);
        sqlite3_step(insert);
        ok = sqlite3_reset(insert) == SQLITE_OK;
    }
    if (!ok)
        xt_db_set_error(handle, "making the tables", error);
    sqlite3_finalize(insert);
    return insert && ok;
}

bool xt_db_begin(struct xt_db *db, GError **error)
{
    int rc = sqlite3_exec(db->handle, "BEGIN IMMEDIATE", NULL, NULL, NULL), moved = 0, inside;

    sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    if (moved) { /* whoever had made this file took it away again, before or while we waited for the lock */
        sqlite3_close(db->handle);
        db->handle = NULL;
        return open_file(db, error) && xt_db_begin(db, error);
    }
    if (rc != SQLITE_OK) {
        xt_db_set_error(db->handle, "beginning an import", error);
        return false;
    }
    inside = look_inside(db, error);
    return inside == 0 || (inside == 1 && make_schema(db->handle, error));
}

bool xt_db_commit(struct xt_db *db, GError **error)
{
    if (sqlite3_exec(db->handle, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
        xt_db_set_error(db->handle, "finishing an import", error);
        return false;
    }
    db->created = false;
    return true;
}

void xt_db_rollback(struct xt_db *db)
{
    if (db->handle && !sqlite3_get_autocommit(db->handle))
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}
