/* What this machine can do at best: how fast a file comes out of the page cache, and how fast SQLite takes rows as wide
 * as those of table dispatch from a bare loop. Prints two numbers: bytes per second, rows per second.
 *
 *     xt-limits FILE DATABASE          FILE is read, DATABASE is made and filled
 */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES (64u << 10) /* as xentrail's cursors read */
#define ROWS 1000000
#define COLUMNS 14

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double read_rate(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *buffer = malloc(READ_BYTES);
    off_t at = 0;
    ssize_t n;

    if (fd < 0 || !buffer)
        exit(3);
    double begun = now_s();
    while ((n = pread(fd, buffer, READ_BYTES, at)) > 0)
        at += n;
    double rate = (double)at / (now_s() - begun);
    close(fd);
    free(buffer);
    return rate;
}

static void must(sqlite3 *db, int rc)
{
    if (rc == SQLITE_OK || rc == SQLITE_DONE)
        return;
    fprintf(stderr, "xt-limits: %s\n", sqlite3_errmsg(db));
    exit(4);
}

static double insert_rate(const char *path)
{
    sqlite3_stmt *insert;
    sqlite3 *db;

    must(NULL, sqlite3_open(path, &db));
    must(db, sqlite3_exec(db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; CREATE TABLE t (id INTEGER PRIMARY KEY,"
                              " a, b, c, d, e, f, g, h, i, j, k, l, m, n); BEGIN", NULL, NULL, NULL));
    must(db, sqlite3_prepare_v2(db, "INSERT INTO t VALUES (NULL,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", -1, &insert, NULL));
    double begun = now_s();
    for (int64_t row = 0; row < ROWS; row++) {
        for (int c = 1; c <= COLUMNS; c++)
            must(db, c == 3 ? sqlite3_bind_int64(insert, c, row * 150000) : sqlite3_bind_int64(insert, c, row * c % 50000));
        must(db, sqlite3_step(insert));
        must(db, sqlite3_reset(insert));
    }
    must(db, sqlite3_exec(db, "COMMIT", NULL, NULL, NULL));
    double rate = ROWS / (now_s() - begun);
    sqlite3_finalize(insert);
    sqlite3_close(db);
    return rate;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: xt-limits FILE DATABASE\n");
        return 2;
    }
    read_rate(argv[1]); /* into the cache */
    printf("%.0f %.0f\n", read_rate(argv[1]), insert_rate(argv[2]));
    return 0;
}
