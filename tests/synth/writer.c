#include "writer.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>

#include "options.h"
#include "ring.h"

struct sy_writer {
    FILE *out;    /* owned */
    char *buffer; /* owned, stdio's */
    char *path;   /* owned */
    uint64_t bytes, windows;
    unsigned next; /* pCPU to read next in this round */
    bool reading, ending, failed;
    int error;
};

enum { BUFFER_BYTES = 1 << 20 };

struct sy_writer *sy_writer_new(struct sy_sim *sim, const char *path, GError **error)
{
    FILE *out = fopen(path, "wb");

    if (!out) {
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "cannot write %s: %s", path,
                    g_strerror(errno));
        return NULL;
    }
    struct sy_writer *w = g_new0(struct sy_writer, 1);
    w->out = out;
    w->path = g_strdup(path);
    w->buffer = g_malloc(BUFFER_BYTES);
    setvbuf(out, w->buffer, _IOFBF, BUFFER_BYTES);
    return w;
}

static void drain(struct sy_sim *sim, unsigned pcpu)
{
    struct sy_writer *w = sim->writer;
    int64_t n = sy_ring_drain(sim->pcpu[pcpu].ring, pcpu, w->out);

    if (n < 0) {
        w->failed = true;
        w->error = errno;
        sim->stop = true;
        return;
    }
    w->bytes += (uint64_t)n;
    if (n)
        w->windows++;
}

/* One pCPU a step, so that a round takes time and rounds overlap with what is being recorded. */
static void poll_step(struct sy_sim *sim, void *arg, uint64_t at)
{
    struct sy_writer *w = sim->writer;

    drain(sim, w->next++);
    w->reading = w->next < sim->pcpus;
    if (sim->opt->bytes && w->bytes >= sim->opt->bytes && !w->ending) {
        w->ending = true;
        sy_timer_set(sim, &sim->end, at);
    }
    if (w->reading) {
        sy_timer_set(sim, &sim->poll, at + sy_us(sim, 2));
        return;
    }
    w->next = 0;
    sy_timer_set(sim, &sim->poll, at + sy_us(sim, sim->opt->poll_ms * 1e3));
}

void sy_writer_start(struct sy_sim *sim)
{
    sy_timer_init(&sim->poll, poll_step, NULL);
    sy_timer_set(sim, &sim->poll, sim->t0 + sy_us(sim, sim->opt->poll_ms * 1e3));
}

void sy_writer_high_water(struct sy_sim *sim, uint64_t at)
{
    if (sim->writer->reading)
        return;
    /* xentrace is a process in dom0: it takes a while to get going. */
    uint64_t when = at + sy_us(sim, 200 + 200 * sy_rng_unit(&sim->rng_cost));
    if (when < sim->poll.at)
        sy_timer_set(sim, &sim->poll, when);
}

void sy_writer_stop(struct sy_sim *sim, uint64_t at)
{
    bool untold = false;

    for (unsigned i = 0; i < sim->pcpus; i++) {
        struct sy_pcpu *c = &sim->pcpu[i];
        if (!c->ring->lost)
            continue;
        /* Room, and a decision to use it: Xen tells of a loss only with the next record that fits. */
        untold = true;
        c->ring->drop = false;
        drain(sim, i);
        sy_interrupt(c, at);
        sy_raise_softirq(sim, c, i);
    }
    if (untold)
        sy_timer_set(sim, &sim->end, at + sy_us(sim, 50));
    else
        sim->stop = true;
}

bool sy_writer_finish(struct sy_sim *sim, GError **error)
{
    struct sy_writer *w = sim->writer;

    for (unsigned i = w->next; i < sim->pcpus && w->next; i++) /* the round that was under way */
        drain(sim, i);
    for (unsigned i = 0; i < sim->pcpus; i++)
        drain(sim, i);
    if (!w->failed && fclose(w->out) != 0) {
        w->failed = true;
        w->error = errno;
    } else if (w->failed) {
        fclose(w->out);
    }
    w->out = NULL;
    if (w->failed)
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(w->error), "cannot write %s: %s", w->path,
                    g_strerror(w->error));
    return !w->failed;
}

void sy_writer_free(struct sy_writer *w)
{
    if (!w)
        return;
    if (w->out)
        fclose(w->out);
    g_free(w->buffer);
    g_free(w->path);
    g_free(w);
}

uint64_t sy_writer_bytes(const struct sy_writer *w)
{
    return w->bytes;
}
