#include "parse/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "parse/error.h"
#include "parse/format.h"
#include "parse/spill.h"

void xt_trace_note(const struct xt_trace_options *options, const char *format, ...)
{
    if (!options->note)
        return;
    va_list args;
    va_start(args, format);
    char *message = g_strdup_vprintf(format, args);
    va_end(args);
    options->note(options->user, message);
    g_free(message);
}

static const struct {
    const char *magic;
    unsigned n, offset;
    const char *what;
} magics[] = {
    { "\x89PNG", 4, 0, "a PNG picture" },
    { "\x1f\x8b", 2, 0, "gzip-compressed data (unpack it, or compress with zstd)" },
    { "\xfd" "7zXZ", 5, 0, "xz-compressed data (unpack it, or compress with zstd)" },
    { "BZh", 3, 0, "bzip2-compressed data (unpack it, or compress with zstd)" },
    { "PK\x03\x04", 4, 0, "a zip archive" },
    { "\x7f" "ELF", 4, 0, "an ELF program or object" },
    { "SQLite format 3", 16, 0, "an SQLite database (open it with --db)" },
    { "%PDF", 4, 0, "a PDF document" },
    { "\xff\xd8\xff", 3, 0, "a JPEG picture" },
    { "\x17\x08\x44tracing", 10, 0, "a Linux trace.dat file (trace-cmd)" },
    { "PERFILE2", 8, 0, "a Linux perf.data file" },
    { "\xc1\x1f\xfc\xc1", 4, 0, "a CTF stream" },
    { "/* CTF", 6, 0, "CTF metadata" },
    { "ustar", 5, 257, "a tar archive" },
};

const char *xt_source_guess(const unsigned char *head, size_t n)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(magics); i++)
        if (n >= magics[i].offset + magics[i].n && !memcmp(head + magics[i].offset, magics[i].magic, magics[i].n))
            return magics[i].what;
    size_t zeros = 0;
    for (size_t i = 0; i < n; i++) {
        if (head[i] && head[i] < 32 && !strchr("\t\n\r\f", head[i]))
            return NULL;
        zeros += !head[i];
    }
    if (n && zeros == n)
        return "nothing but zeros (a copy that failed, or a disk that was full)";
    return n && !zeros ? "text" : NULL;
}

int64_t xt_source_read(const struct xt_source *source, uint64_t offset, void *out, size_t n, GError **error)
{
    size_t done = 0;

    while (done < n) {
        ssize_t got = pread(source->fd, (char *)out + done, n - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "%s: cannot read at offset %" G_GUINT64_FORMAT ": %s",
                        source->name, offset + done, g_strerror(errno));
            return -1;
        }
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (int64_t)done;
}

static bool write_all(int fd, const void *data, size_t n, GError **error)
{
    for (size_t done = 0; done < n;) {
        ssize_t put = write(fd, (const char *)data + done, n - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0) {
            g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM,
                        "cannot unpack the trace to a temporary file: %s (set TMPDIR to a folder with room)",
                        g_strerror(errno));
            return false;
        }
        done += (size_t)put;
    }
    return true;
}

static ssize_t read_some(int fd, void *out, size_t n)
{
    ssize_t got;

    do
        got = read(fd, out, n);
    while (got < 0 && errno == EINTR);
    return got;
}

/* Copies fd to spool_fd, through zstd if its first bytes say so. */
struct spooler {
    const char *name;
    int from, to;
    ZSTD_DStream *zstd;
    size_t zstd_hint; /* 0: at the end of a frame */
    uint64_t bytes_in, bytes_out;
    unsigned char head[4]; /* of what was unpacked */
    char in[64 << 10], out[256 << 10];
};

static bool put(struct spooler *s, const char *data, size_t n, GError **error)
{
    for (size_t i = 0; i < n && s->bytes_out + i < sizeof(s->head); i++)
        s->head[s->bytes_out + i] = (unsigned char)data[i];
    s->bytes_out += n;
    return write_all(s->to, data, n, error);
}

/* No trace: the survey will say what it is instead from its first bytes. */
static bool is_hopeless(const struct spooler *s)
{
    uint32_t header;

    memcpy(&header, s->head, sizeof(header));
    return s->bytes_out >= 512 && GUINT32_FROM_LE(header) != XT_CPU_CHANGE_HEADER;
}

static bool spool_chunk(struct spooler *s, size_t n, GError **error)
{
    if (!s->zstd)
        return put(s, s->in, n, error);
    ZSTD_inBuffer in = { s->in, n, 0 };
    while (in.pos < in.size) {
        ZSTD_outBuffer out = { s->out, sizeof(s->out), 0 };
        size_t at = in.pos;
        s->zstd_hint = ZSTD_decompressStream(s->zstd, &out, &in);
        if (ZSTD_isError(s->zstd_hint)) {
            g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                        "%s: damaged zstd data near byte %" G_GUINT64_FORMAT ": %s (copy the file again)", s->name,
                        s->bytes_in + at, ZSTD_getErrorName(s->zstd_hint));
            return false;
        }
        if (!put(s, s->out, out.pos, error))
            return false;
    }
    /* what is still buffered inside the decoder */
    for (;;) {
        ZSTD_outBuffer out = { s->out, sizeof(s->out), 0 };
        ZSTD_inBuffer none = { NULL, 0, 0 };
        if (s->zstd_hint == 0)
            return true;
        s->zstd_hint = ZSTD_decompressStream(s->zstd, &out, &none);
        if (ZSTD_isError(s->zstd_hint) || out.pos == 0)
            return true;
        if (!put(s, s->out, out.pos, error))
            return false;
    }
}

static bool cannot_read(const struct spooler *s, GError **error)
{
    g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "%s: cannot read: %s", s->name, g_strerror(errno));
    return false;
}

static bool spool(struct spooler *s, const struct xt_trace_options *options, GError **error)
{
    static const unsigned char zstd_magic[4] = { 0x28, 0xb5, 0x2f, 0xfd };
    size_t have = 0;
    ssize_t got;

    do {
        got = read_some(s->from, s->in + have, sizeof(s->in) - have);
        have += (size_t)MAX(got, 0);
    } while (got > 0 && have < sizeof(zstd_magic));
    if (got < 0)
        return cannot_read(s, error);
    if (have >= sizeof(zstd_magic) && !memcmp(s->in, zstd_magic, sizeof(zstd_magic))) {
        s->zstd = ZSTD_createDStream();
        ZSTD_initDStream(s->zstd);
    }
    while (have) {
        if (!spool_chunk(s, have, error))
            return false;
        s->bytes_in += have;
        if (is_hopeless(s))
            return true;
        got = read_some(s->from, s->in, sizeof(s->in));
        if (got < 0)
            return cannot_read(s, error);
        have = (size_t)got;
    }
    if (s->zstd && s->zstd_hint != 0)
        xt_trace_note(options, "%s: the compressed data ends in mid-frame: the trace is cut", s->name);
    return true;
}

static bool needs_spool(int fd, const struct stat *st)
{
    static const unsigned char zstd_magic[4] = { 0x28, 0xb5, 0x2f, 0xfd };
    unsigned char head[4];

    if (!S_ISREG(st->st_mode))
        return true;
    return pread(fd, head, sizeof(head), 0) == sizeof(head) && !memcmp(head, zstd_magic, sizeof(head));
}

bool xt_source_open(struct xt_source *source, const char *path, const struct xt_trace_options *options, GError **error)
{
    bool is_stdin = !strcmp(path, "-");
    struct stat st;

    memset(source, 0, sizeof(*source));
    source->name = g_strdup(is_stdin ? "standard input" : path);
    source->fd = is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (source->fd < 0 || fstat(source->fd, &st)) {
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT, "%s: cannot open: %s", source->name, g_strerror(errno));
        xt_source_close(source);
        return false;
    }
    if (S_ISDIR(st.st_mode)) {
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT, "%s: is a folder, and no trace.xen or trace.xen.zst is in it",
                    source->name);
        xt_source_close(source);
        return false;
    }
    if (!needs_spool(source->fd, &st)) {
        source->bytes = (uint64_t)st.st_size;
        return true;
    }
    struct spooler *s = g_new0(struct spooler, 1);
    s->name = source->name;
    s->from = source->fd;
    s->to = xt_temp_file(options->spool_dir, error);
    bool ok = s->to >= 0 && spool(s, options, error);
    if (ok) {
        xt_trace_note(options, "%s: unpacked to a temporary file of %" G_GUINT64_FORMAT " bytes (a trace is read out of order)",
                      source->name, s->bytes_out);
        close(source->fd);
        source->fd = s->to;
        source->bytes = s->bytes_out;
    } else {
        if (s->to >= 0)
            close(s->to);
        xt_source_close(source);
    }
    ZSTD_freeDStream(s->zstd);
    g_free(s);
    return ok;
}

void xt_source_close(struct xt_source *source)
{
    if (source->fd >= 0)
        close(source->fd);
    g_free(source->name);
    source->fd = -1;
    source->name = NULL;
}
