#include "parse/parallel.h"

struct worker {
    void (*work)(gpointer user, unsigned worker);
    gpointer user;
    unsigned number;
    GThread *thread;
};

unsigned xt_parallel_helpers(unsigned most)
{
    return MIN(g_get_num_processors() - 1, most);
}

static gpointer run(gpointer data)
{
    struct worker *w = data;

    w->work(w->user, w->number);
    return NULL;
}

void xt_parallel_run(unsigned n_workers, void (*work)(gpointer user, unsigned worker), gpointer user)
{
    struct worker *workers = g_new0(struct worker, n_workers);

    for (unsigned i = 0; i < n_workers; i++) {
        workers[i] = (struct worker){ work, user, i, NULL };
        if (i)
            workers[i].thread = g_thread_new("xentrail-reader", run, &workers[i]);
    }
    work(user, 0);
    for (unsigned i = 1; i < n_workers; i++)
        g_thread_join(workers[i].thread);
    g_free(workers);
}
