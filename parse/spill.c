#include "parse/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "parse/error.h"

#define SEGMENT_BYTES (64u << 10)

struct xt_spill {
    size_t item_bytes;
    uint64_t items_per_segment;
    uint64_t max_segments; /* in memory */
    GPtrArray *segments;
    uint64_t count;
    char *dir;
    int fd; /* -1 until memory is full */
};

int xt_temp_file(const char *dir, GError **error)
{
    if (!dir)
        dir = g_getenv("TMPDIR");
    if (!dir || !*dir)
        dir = "/var/tmp";
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
        char *path = g_build_filename(dir, "xentrail-XXXXXX", NULL);
        fd = g_mkstemp_full(path, O_RDWR | O_CLOEXEC, 0600);
        if (fd >= 0)
            unlink(path);
        g_free(path);
    }
    if (fd < 0)
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM,
                    "cannot make a temporary file in %s: %s (set TMPDIR to a folder with room)", dir,
                    g_strerror(errno));
    return fd;
}

struct xt_spill *xt_spill_new(size_t item_bytes, size_t memory_bytes, const char *dir)
{
    struct xt_spill *spill = g_new0(struct xt_spill, 1);

    spill->item_bytes = item_bytes;
    spill->items_per_segment = MAX(SEGMENT_BYTES / item_bytes, 1);
    spill->max_segments = MAX(memory_bytes / (spill->items_per_segment * item_bytes), 1);
    spill->segments = g_ptr_array_new_with_free_func(g_free);
    spill->dir = g_strdup(dir);
    spill->fd = -1;
    return spill;
}

void xt_spill_free(struct xt_spill *spill)
{
    if (!spill)
        return;
    g_ptr_array_unref(spill->segments);
    if (spill->fd >= 0)
        close(spill->fd);
    g_free(spill->dir);
    g_free(spill);
}

uint64_t xt_spill_count(const struct xt_spill *spill)
{
    return spill->count;
}

static uint64_t in_memory(const struct xt_spill *spill)
{
    return spill->max_segments * spill->items_per_segment;
}

static bool file_io(const struct xt_spill *spill, uint64_t first, uint64_t n, void *read_to, const void *write_from,
                    GError **error)
{
    off_t at = (off_t)((first - in_memory(spill)) * spill->item_bytes);
    size_t left = n * spill->item_bytes, done = 0;

    while (left) {
        ssize_t got = read_to ? pread(spill->fd, (char *)read_to + done, left, at)
                              : pwrite(spill->fd, (const char *)write_from + done, left, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "temporary file: %s (set TMPDIR to a folder with room)",
                        got < 0 ? g_strerror(errno) : "unexpected end");
            return false;
        }
        done += (size_t)got;
        left -= (size_t)got;
        at += got;
    }
    return true;
}

bool xt_spill_append(struct xt_spill *spill, const void *items, uint64_t n, GError **error)
{
    const char *from = items;

    while (n) {
        uint64_t segment = spill->count / spill->items_per_segment, at = spill->count % spill->items_per_segment;
        uint64_t chunk = n;
        if (segment < spill->max_segments) {
            chunk = MIN(n, spill->items_per_segment - at);
            if (at == 0)
                g_ptr_array_add(spill->segments, g_malloc(spill->items_per_segment * spill->item_bytes));
            memcpy((char *)g_ptr_array_index(spill->segments, segment) + at * spill->item_bytes, from,
                   chunk * spill->item_bytes);
        } else {
            if (spill->fd < 0 && (spill->fd = xt_temp_file(spill->dir, error)) < 0)
                return false;
            if (!file_io(spill, spill->count, chunk, NULL, from, error))
                return false;
        }
        spill->count += chunk;
        from += chunk * spill->item_bytes;
        n -= chunk;
    }
    return true;
}

bool xt_spill_read(const struct xt_spill *spill, uint64_t first, uint64_t n, void *out, GError **error)
{
    char *to = out;

    g_assert(first + n <= spill->count);
    while (n) {
        uint64_t segment = first / spill->items_per_segment, at = first % spill->items_per_segment;
        uint64_t chunk = n;
        if (segment < spill->max_segments) {
            chunk = MIN(n, spill->items_per_segment - at);
            memcpy(to, (char *)g_ptr_array_index(spill->segments, segment) + at * spill->item_bytes,
                   chunk * spill->item_bytes);
        } else if (!file_io(spill, first, chunk, to, NULL, error)) {
            return false;
        }
        first += chunk;
        to += chunk * spill->item_bytes;
        n -= chunk;
    }
    return true;
}
