/* libFuzzer: a trace, from bytes to the statistics of a run. The first byte says whether damage is salvaged. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "parse/reconstruct.h"
#include "parse/stats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_run(struct xt_trace *trace)
{
    struct xt_reconstruct_options options = {.tolerance_ns = XT_DEFAULT_TOLERANCE_NS};
    struct xt_stats *stats = xt_stats_new();
    const struct xt_sink *sinks[] = {xt_stats_sink(stats)};
    if (xt_reconstruct(trace, NULL, &options, sinks, G_N_ELEMENTS(sinks), NULL, NULL)) {
        int64_t duration = -1;
        for (uint32_t i = 0; i < xt_stats_n_vcpus(stats); i++) {
            const struct xt_vcpu_stats *v = xt_stats_vcpu(stats, i);
            int64_t sum = 0;
            if (v->changes == 0)
                continue; /* only named by other records: nothing is known of its states */
            for (int s = 0; s < XT_NO_STATE; s++) {
                g_assert_cmpint(v->state_ns[s], >=, 0);
                sum += v->state_ns[s];
            }
            /* Whatever the bytes are: a VCPU's states tile the run, so all VCPUs' times have one sum. */
            if (duration >= 0)
                g_assert_cmpint(sum, ==, duration);
            duration = sum;
        }
    }
    xt_stats_free(stats);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    int fd = memfd_create("trace", MFD_CLOEXEC);
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(write(fd, data + 1, size - 1), ==, (ssize_t)(size - 1));
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct xt_trace_options options = {.salvage = data[0] & 1};
    struct xt_trace *trace = xt_trace_open(path, &options, NULL);
    if (trace)
        read_run(trace);
    g_clear_pointer(&trace, xt_trace_free);
    close(fd);
    return 0;
}
