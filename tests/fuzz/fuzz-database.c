/* libFuzzer: a damaged database. Made once by an import, then changed as the input says: five bytes each, four of place and
 * one of value. Whatever stands in it, reading it answers or says what is wrong; the fence around queries holds. */
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "db/check.h"
#include "db/import.h"
#include "db/query.h"
#include "parse/error.h"
#include "parse/reconstruct.h"

static char *folder, *path, *good;
static size_t good_bytes;

static void remove_folder(void)
{
    g_unlink(path);
    g_rmdir(folder);
}

/* The corpus of the trace fuzzer has a byte of options in front. */
static int open_trace(void)
{
    char *text;
    gsize length;
    int fd = memfd_create("trace", MFD_CLOEXEC);

    if (fd < 0 || !g_file_get_contents(XT_FUZZ_TRACE, &text, &length, NULL) ||
        write(fd, text + 1, length - 1) != (ssize_t)length - 1)
        abort();
    g_free(text);
    return fd;
}

static void import(const char *trace)
{
    GError *error = NULL;
    struct xt_import_options options = { .name = "run", .tsc_hz = 1000000000, .tolerance_ns = XT_DEFAULT_TOLERANCE_NS };
    struct xt_import_summary summary;
    struct xt_recording *recording = xt_recording_open(trace, &error);
    struct xt_db *db = xt_db_open(path, XT_DB_CREATE, &error);

    if (!recording || !db || !xt_import(db, recording, &options, &summary, &error))
        g_error("%s", error->message);
    xt_import_summary_clear(&summary);
    xt_db_close(db);
    xt_recording_free(recording);
}

static void make_database(void)
{
    char trace[64];
    gsize bytes;
    int fd = open_trace();

    folder = g_dir_make_tmp("fuzz-database-XXXXXX", NULL);
    if (!folder)
        abort();
    path = g_build_filename(folder, "a.db", NULL);
    atexit(remove_folder);
    g_snprintf(trace, sizeof(trace), "/proc/self/fd/%d", fd);
    import(trace);
    close(fd);
    if (!g_file_get_contents(path, &good, &bytes, NULL))
        abort();
    good_bytes = bytes;
}

static void check_error(GError *error)
{
    if (!error || error->domain != XT_ERROR || !*error->message)
        abort();
    g_error_free(error);
}

static void on_finding(void *user, const char *message)
{
    if (!message || !*message)
        abort();
}

static bool on_interval(void *user, const struct xt_db_interval *i)
{
    return i->end_ts > i->ts;
}

static bool on_dispatch(void *user, const struct xt_db_dispatch *d)
{
    return true;
}

static bool on_period(void *user, const struct xt_db_period *p)
{
    return true;
}

static void read_run(struct xt_db *db)
{
    GError *error = NULL;
    struct xt_db_run *run = xt_db_run_find(db, NULL, &error);

    if (!run) {
        check_error(error);
        return;
    }
    GPtrArray *vcpus = xt_db_vcpus(db, run->id, &error);
    if (vcpus)
        g_ptr_array_unref(vcpus);
    else
        check_error(g_steal_pointer(&error));
    if (!xt_db_each_interval(db, run->id, INT64_MIN, INT64_MAX, 0, on_interval, NULL, &error) && error)
        check_error(g_steal_pointer(&error));
    if (!xt_db_each_dispatch(db, run->id, INT64_MIN, INT64_MAX, 0, on_dispatch, NULL, &error) && error)
        check_error(g_steal_pointer(&error));
    if (!xt_db_each_period(db, run->id, INT64_MIN, INT64_MAX, 0, on_period, NULL, &error) && error)
        check_error(g_steal_pointer(&error));
    xt_db_run_free(run);
}

static void ask(struct xt_db *db)
{
    for (const struct xt_named_query *named = xt_named_queries; named->name; named++) {
        GError *error = NULL;
        struct xt_query *query = xt_query_new(db, named->sql, 0, &error);

        while (query && xt_query_next(query, &error))
            for (int i = 0; i < sqlite3_column_count(xt_query_stmt(query)); i++)
                sqlite3_column_text(xt_query_stmt(query), i);
        if (error || !query)
            check_error(error);
        xt_query_free(query);
    }
}

static void read_database(void)
{
    GError *error = NULL;
    struct xt_db *db = xt_db_open(path, XT_DB_READ, &error);

    if (!db) {
        check_error(error);
        return;
    }
    if (!xt_db_check(db, on_finding, NULL, NULL, &error))
        check_error(error);
    read_run(db);
    ask(db);
    xt_db_close(db);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!folder)
        make_database();
    char *bytes = g_memdup2(good, good_bytes);
    for (; size >= 5; data += 5, size -= 5) {
        uint32_t place;
        memcpy(&place, data, sizeof(place));
        bytes[GUINT32_FROM_LE(place) % good_bytes] = (char)data[4];
    }
    if (!g_file_set_contents_full(path, bytes, (gssize)good_bytes, G_FILE_SET_CONTENTS_NONE, 0600, NULL))
        abort();
    g_free(bytes);
    read_database();
    return 0;
}
