/* Work that counts only time really run. A guest cannot see when its VCPU was taken off the pCPU: without
 * paravirtual time accounting a thread's CPU clock goes on meanwhile. But the TSC jumps then. So progress is
 * the sum of the small steps between two looks at the TSC; and since another thread of the same guest can run
 * for less than such a jump, the thread's CPU clock, which does exclude that, is a second bound at the end.
 */
#include "workload.h"

#include <time.h>

static uint64_t thread_cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* An emulator that runs all pCPUs in one thread (QEMU in virtual time) goes on to the next one only where this one lets it, and
 * one that computes without a break can starve another for tens of milliseconds. At PAUSE it goes on. On hardware one PAUSE in
 * 10 us is nothing, and far from the tight loop that a hypervisor would take for a guest waiting for a lock. */
uint64_t take_turns(uint64_t turn_tsc, uint64_t now_tsc)
{
    const uint64_t turn_cycles = 10000;
    if (now_tsc - turn_tsc < turn_cycles)
        return turn_tsc;
    __builtin_ia32_pause();
    return now_tsc;
}

static bool burn(const struct work_limits *limits, uint64_t cycles, volatile unsigned char *buffer,
                 size_t buffer_bytes, size_t *position)
{
    enum { LINE = 64, LINES_PER_LOOK = 16 };
    uint64_t done = 0, last = tsc_now(), turn = last;

    while (done < cycles) {
        if (buffer) {
            for (int i = 0; i < LINES_PER_LOOK; i++) {
                buffer[*position]++;
                *position += LINE;
                if (*position >= buffer_bytes)
                    *position = 0;
            }
        }
        uint64_t now = tsc_now();
        if (now - last < limits->gap_cycles)
            done += now - last;
        last = now;
        turn = take_turns(turn, now);
        if (now >= limits->end_tsc)
            return false;
    }
    return true;
}

bool work(const struct work_limits *limits, uint64_t wcet_ns, volatile unsigned char *buffer,
          size_t buffer_bytes)
{
    const uint64_t close_enough_ns = 5000;
    const double cycles_per_ns = (double)limits->tsc_hz / 1e9;
    const uint64_t cpu_start_ns = thread_cpu_ns();
    uint64_t todo_ns = wcet_ns;
    size_t position = 0;

    for (;;) {
        if (!burn(limits, (uint64_t)((double)todo_ns * cycles_per_ns), buffer, buffer_bytes, &position))
            return false;
        uint64_t ran_ns = thread_cpu_ns() - cpu_start_ns;
        if (ran_ns + close_enough_ns >= wcet_ns)
            return true;
        todo_ns = wcet_ns - ran_ns;
    }
}
