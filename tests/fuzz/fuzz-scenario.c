/* libFuzzer: any bytes as a scenario file of the lab. It is refused with a message, or what it says is within bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collect/lab/scenario.h"
#include "parse/error.h"

static void check_scenario(struct xt_scenario *s)
{
    const char *names[] = { NULL, NULL };
    GError *error = NULL;

    if (s->duration_s <= 0 || s->pcpus == 0 || s->policies->len == 0 || s->domains->len == 0)
        abort();
    for (guint i = 0; i < s->domains->len; i++) {
        const struct xt_lab_domain *d = g_ptr_array_index(s->domains, i);
        if (d->vcpus == 0 || d->budget_ns > d->period_ns || !*d->name)
            abort();
    }
    const struct xt_lab_policy *last = g_ptr_array_index(s->policies, s->policies->len - 1);
    char *name = g_strdup(last->name);
    names[0] = name;
    if (!xt_scenario_select(s, names, &error) || s->policies->len != 1)
        abort();
    g_free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    GError *error = NULL;
    char path[64];
    int fd = memfd_create("scenario", MFD_CLOEXEC);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    g_snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct xt_scenario *s = xt_scenario_load(path, &error);
    if (s)
        check_scenario(s);
    else if (error->domain != XT_ERROR || !*error->message)
        abort();
    g_clear_error(&error);
    xt_scenario_free(s);
    close(fd);
    return 0;
}
