#include "collect/trace-file.h"

#include "parse/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

enum { RESERVE_BYTES = 1 << 20, FRAME_BYTES = 8 << 20 };

/* Every flush ends a zstd frame, and only whole frames go to the file: what a killed collector leaves can be
 * read by everybody, and on a full disk the file is cut where the last frame ended. */
struct xt_trace_file {
    int fd;
    char *path, *reserve_path;
    const char *name;
    ZSTD_CCtx *zstd;   /* NULL: plain */
    GByteArray *frame; /* the present frame, compressed */
    size_t in_frame;   /* what went into it */
    uint64_t bytes, stored;
    bool broken;
};

static bool fail(GError **error, const char *path, int why)
{
    g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "%s: %s", path,
                why == ENOSPC || why == EDQUOT ? "the disk is full" : g_strerror(why));
    return false;
}

static char *keep_room(const char *folder)
{
    char *path = g_build_filename(folder, ".room", NULL);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0) {
        posix_fallocate(fd, 0, RESERVE_BYTES); /* without it the end has to do with what room there is */
        close(fd);
    }
    return path;
}

static void give_room_back(struct xt_trace_file *file)
{
    if (!file->reserve_path)
        return;
    unlink(file->reserve_path);
    g_clear_pointer(&file->reserve_path, g_free);
}

struct xt_trace_file *xt_trace_file_create(const char *folder, int level, GError **error)
{
    struct xt_trace_file *file = g_new0(struct xt_trace_file, 1);

    file->name = level ? "trace.xen.zst" : "trace.xen";
    file->path = g_build_filename(folder, file->name, NULL);
    file->fd = open(file->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file->fd < 0) {
        fail(error, file->path, errno);
        g_free(file->path);
        g_free(file);
        return NULL;
    }
    if (level) {
        file->zstd = ZSTD_createCCtx();
        ZSTD_CCtx_setParameter(file->zstd, ZSTD_c_compressionLevel, level);
        ZSTD_CCtx_setParameter(file->zstd, ZSTD_c_checksumFlag, 1);
        file->frame = g_byte_array_new();
    }
    file->reserve_path = keep_room(folder);
    return file;
}

/* Writes all of it, or leaves the file as it was (a plain one with what did fit). */
static bool put(struct xt_trace_file *file, const void *data, size_t bytes, GError **error)
{
    const uint64_t before = file->stored;
    const char *from = data;

    while (bytes > 0) {
        ssize_t n = write(file->fd, from, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int why = errno;
            file->broken = true;
            if (file->zstd && ftruncate(file->fd, (off_t)before) == 0)
                file->stored = before;
            return fail(error, file->path, why);
        }
        from += n;
        bytes -= (size_t)n;
        file->stored += (uint64_t)n;
    }
    return true;
}

static bool compress(struct xt_trace_file *file, const void *data, size_t bytes, ZSTD_EndDirective end,
                     GError **error)
{
    char piece[1 << 14];
    ZSTD_inBuffer in = { data, bytes, 0 };
    size_t left;

    do {
        ZSTD_outBuffer out = { piece, sizeof piece, 0 };
        left = ZSTD_compressStream2(file->zstd, &out, &in, end);
        if (ZSTD_isError(left)) {
            file->broken = true;
            g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "%s: cannot compress: %s", file->path,
                        ZSTD_getErrorName(left));
            return false;
        }
        g_byte_array_append(file->frame, (const guint8 *)piece, (guint)out.pos);
    } while (end == ZSTD_e_continue ? in.pos < in.size : left > 0);
    return true;
}

bool xt_trace_file_write(struct xt_trace_file *file, const void *data, size_t bytes, GError **error)
{
    if (file->broken)
        return fail(error, file->path, EIO);
    if (!file->zstd) {
        bool good = put(file, data, bytes, error);
        file->bytes = file->stored;
        return good;
    }
    if (!compress(file, data, bytes, ZSTD_e_continue, error))
        return false;
    file->in_frame += bytes;
    return file->in_frame < FRAME_BYTES || xt_trace_file_flush(file, error);
}

bool xt_trace_file_flush(struct xt_trace_file *file, GError **error)
{
    if (file->broken || !file->zstd || file->in_frame == 0)
        return true;
    if (!compress(file, NULL, 0, ZSTD_e_end, error) || !put(file, file->frame->data, file->frame->len, error))
        return false;
    file->bytes += file->in_frame;
    file->in_frame = 0;
    g_byte_array_set_size(file->frame, 0);
    return true;
}

uint64_t xt_trace_file_bytes(const struct xt_trace_file *file)
{
    return file->bytes + (file->broken ? 0 : file->in_frame);
}

uint64_t xt_trace_file_stored(const struct xt_trace_file *file)
{
    return file->stored;
}

const char *xt_trace_file_name(const struct xt_trace_file *file)
{
    return file->name;
}

bool xt_trace_file_close(struct xt_trace_file *file, GError **error)
{
    bool good;

    give_room_back(file);
    good = xt_trace_file_flush(file, error);
    if (good && !file->broken && fsync(file->fd) != 0)
        good = fail(error, file->path, errno);
    if (close(file->fd) != 0 && good)
        good = fail(error, file->path, errno);
    ZSTD_freeCCtx(file->zstd);
    if (file->frame)
        g_byte_array_unref(file->frame);
    g_free(file->path);
    g_free(file);
    return good;
}
