/* Binding the columns of a wide row one after the other. */
#pragma once

#include <math.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct xt_bind {
    sqlite3_stmt *stmt;
    int at; /* columns bound so far */
};

static inline void put_int(struct xt_bind *b, int64_t value)
{
    sqlite3_bind_int64(b->stmt, ++b->at, value);
}

static inline void put_null(struct xt_bind *b)
{
    sqlite3_bind_null(b->stmt, ++b->at);
}

static inline void put_int_if(struct xt_bind *b, bool known, int64_t value)
{
    if (known)
        put_int(b, value);
    else
        put_null(b);
}

static inline void put_real_if(struct xt_bind *b, bool known, double value)
{
    if (known && isfinite(value))
        sqlite3_bind_double(b->stmt, ++b->at, value);
    else
        put_null(b);
}

/* NULL is SQL NULL; text must live until the row is written. */
static inline void put_text(struct xt_bind *b, const char *text)
{
    sqlite3_bind_text(b->stmt, ++b->at, text, -1, SQLITE_STATIC);
}

/* Writes the row and makes ready for the next. */
static inline bool put_row(struct xt_bind *b)
{
    b->at = 0;
    sqlite3_step(b->stmt);
    return sqlite3_reset(b->stmt) == SQLITE_OK;
}
