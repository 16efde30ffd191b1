/* xentrail-workload: periodic real-time tasks in a guest; see docs/xentrail-lab.1 and docs/recording.md. */
#include "workload.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, EXIT_SYSTEM = 4, MAX_TASKS = 64, MAX_CPUS = 1024 };

struct options {
    enum policy policy;
    uint64_t duration_ns, lead_ns, gap_ns;
    double start_at_s; /* seconds since the epoch, 0 at once */
    const char *directory, *csv, *name;
    bool wait, background;
};

struct run {
    struct options options;
    struct task tasks[MAX_TASKS];
    size_t n_tasks;
    struct clock_map clock;
    struct work_limits limits;
    uint64_t first_release_ns, end_ns;
};

struct thread {
    pthread_t id;
    struct run *run;
    struct task *task;
    volatile unsigned char *buffer;
};

/* glibc has no wrapper for it; the layout is the kernel's. */
struct deadline_attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

static const char *const policy_names[] = { "rm", "dm", "edf", "partitioned" };

static int die(int status, const char *what)
{
    fprintf(stderr, "xentrail-workload: %s\n", what);
    return status;
}

static int fifo(int priority)
{
    struct sched_param param = { .sched_priority = priority };
    return sched_setscheduler(0, SCHED_FIFO, &param);
}

static int earliest_deadline(const struct task *task)
{
    /* The kernel throttles a task at its runtime. The margin is for what the job does beside its work. */
    uint64_t runtime_ns = task->wcet_ns + task->wcet_ns / 10 + 100000;
    uint64_t most_ns = task->deadline_ns < task->period_ns ? task->deadline_ns : task->period_ns;
    struct deadline_attr attr = {
        .size = sizeof attr,
        .policy = 6, /* SCHED_DEADLINE */
        .runtime_ns = runtime_ns < most_ns ? runtime_ns : most_ns,
        .deadline_ns = most_ns,
        .period_ns = task->period_ns,
    };
    return (int)syscall(SYS_sched_setattr, 0, &attr, 0);
}

static int stay_on(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((unsigned)cpu, &set);
    return sched_setaffinity(0, sizeof set, &set);
}

static void sleep_until(uint64_t at_ns)
{
    struct timespec t = { (time_t)(at_ns / 1000000000u), (long)(at_ns % 1000000000u) };
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

/* Only jobs whose deadline lies within the run are released, so that each has a verdict. One that the end
 * overtakes has no completion: it was late. */
static void *run_task(void *data)
{
    struct thread *thread = data;
    struct run *run = thread->run;
    struct task *task = thread->task;
    uint64_t release_ns = run->first_release_ns + task->phase_ns;

    if (task->cpu >= 0 && stay_on(task->cpu))
        return (void *)"cannot be pinned to its cpu";
    if (run->options.policy == POLICY_EDF ? earliest_deadline(task) : fifo(task->priority))
        return (void *)"cannot have its real-time priority (root? enough capacity for SCHED_DEADLINE?)";

    for (; release_ns + task->deadline_ns <= run->end_ns && task->n_jobs < task->max_jobs;
         release_ns += task->period_ns) {
        struct job *job = &task->jobs[task->n_jobs];
        job->release_ns = release_ns;
        task->n_jobs++;
        if (mono_ns() >= run->end_ns)
            continue; /* too late to start, but it was released */
        sleep_until(release_ns);
        job->start_tsc = tsc_now();
        if (work(&run->limits, task->wcet_ns, thread->buffer, task->cache_bytes))
            job->completion_tsc = tsc_now();
    }
    return NULL;
}

/* Keeps a VCPU busy at the lowest priority there is: RTDS then spends the budget whether or not there are
 * jobs, which turns its deferrable server into a periodic one. */
static void *run_background(void *data)
{
    struct sched_param param = { 0 };
    uint64_t turn = tsc_now();
    if (stay_on((int)(intptr_t)data))
        return NULL;
    sched_setscheduler(0, SCHED_IDLE, &param);
    for (;;)
        turn = take_turns(turn, tsc_now());
}

/* All memory is locked, and a small guest has no room for stacks of the default size. */
static int start_thread(pthread_t *thread, void *(*function)(void *), void *data)
{
    const size_t stack_bytes = 256 * 1024;
    pthread_attr_t attr;
    int why;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, stack_bytes);
    why = pthread_create(thread, &attr, function, data);
    pthread_attr_destroy(&attr);
    return why;
}

static void assign_priorities(struct run *run)
{
    const int lowest = 10;
    if (run->options.policy == POLICY_EDF)
        return;
    for (size_t i = 0; i < run->n_tasks; i++) {
        struct task *task = &run->tasks[i];
        task->priority = lowest;
        for (size_t k = 0; k < run->n_tasks; k++) {
            const struct task *other = &run->tasks[k];
            bool above = run->options.policy == POLICY_DM ? task->deadline_ns < other->deadline_ns
                                                          : task->period_ns < other->period_ns;
            task->priority += above;
        }
    }
}

static double utilization(const struct task *task)
{
    return (double)task->wcet_ns / (double)task->period_ns;
}

static struct task *heaviest_unplaced(struct run *run)
{
    struct task *heaviest = NULL;
    for (size_t i = 0; i < run->n_tasks; i++) {
        struct task *task = &run->tasks[i];
        if (task->cpu < 0 && (!heaviest || utilization(task) > utilization(heaviest)))
            heaviest = task;
    }
    return heaviest;
}

/* Worst fit, heaviest first: each task without a CPU of its own goes where most is left. */
static void assign_cpus(struct run *run)
{
    double load[MAX_CPUS] = { 0 };
    long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
    struct task *task;

    if (run->options.policy != POLICY_PARTITIONED)
        return;
    if (n_cpus > MAX_CPUS)
        n_cpus = MAX_CPUS;
    for (size_t i = 0; i < run->n_tasks; i++)
        if (run->tasks[i].cpu >= 0)
            load[run->tasks[i].cpu] += utilization(&run->tasks[i]);
    while ((task = heaviest_unplaced(run)) != NULL) {
        int best = 0;
        for (int cpu = 1; cpu < n_cpus; cpu++)
            if (load[cpu] < load[best])
                best = cpu;
        task->cpu = best;
        load[best] += utilization(task);
    }
}

static void *touched(size_t bytes)
{
    void *memory = malloc(bytes);
    if (memory)
        memset(memory, 0, bytes);
    return memory;
}

static int allocate(struct run *run, struct thread *threads)
{
    const uint64_t anchor_every_ns = 250000000;

    run->clock.max = run->options.duration_ns / anchor_every_ns + 64;
    run->clock.anchors = touched(run->clock.max * sizeof *run->clock.anchors);
    if (!run->clock.anchors)
        return -1;
    for (size_t i = 0; i < run->n_tasks; i++) {
        struct task *task = &run->tasks[i];
        task->id = (unsigned)i;
        task->max_jobs = run->options.duration_ns / task->period_ns + 1;
        task->jobs = touched(task->max_jobs * sizeof *task->jobs);
        threads[i] = (struct thread){ .run = run, .task = task };
        if (task->cache_bytes)
            threads[i].buffer = touched(task->cache_bytes);
        if (!task->jobs || (task->cache_bytes && !threads[i].buffer))
            return -1;
    }
    return 0;
}

/* False if standard input ended first. */
static bool wait_for_line(void)
{
    int c;
    puts("READY");
    fflush(stdout);
    while ((c = getchar()) != '\n')
        if (c == EOF)
            return false;
    return true;
}

static void wait_for_start(double at_s)
{
    struct timespec t = { (time_t)at_s, (long)((at_s - (double)(time_t)at_s) * 1e9) };
    while (clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

static void calibrate(struct run *run)
{
    const uint64_t span_ns = 100000000;
    clock_map_sample(&run->clock);
    while (run->clock.n < 2) {
        sleep_until(mono_ns() + span_ns);
        clock_map_sample(&run->clock);
    }
}

static void set_limits(struct run *run)
{
    uint64_t hz = clock_map_hz(&run->clock);
    run->end_ns = run->first_release_ns + run->options.duration_ns;
    run->limits.tsc_hz = hz;
    run->limits.gap_cycles = (uint64_t)((double)run->options.gap_ns * (double)hz / 1e9);
    run->limits.end_tsc = clock_map_tsc(&run->clock, run->end_ns);
}

static const char *run_all(struct run *run, struct thread *threads)
{
    const uint64_t anchor_every_ns = 250000000;
    const char *failure = NULL;

    for (size_t i = 0; i < run->n_tasks; i++)
        if (start_thread(&threads[i].id, run_task, &threads[i]))
            return "cannot start a thread";
    for (uint64_t next_ns = mono_ns(); next_ns < run->end_ns; next_ns += anchor_every_ns) {
        sleep_until(next_ns);
        clock_map_sample(&run->clock);
    }
    sleep_until(run->end_ns);
    for (size_t i = 0; i < run->n_tasks; i++) {
        void *result;
        pthread_join(threads[i].id, &result);
        if (result)
            failure = result;
    }
    clock_map_sample(&run->clock);
    return failure;
}

bool job_missed(const struct task *task, const struct job *job, const struct clock_map *clock)
{
    uint64_t deadline_tsc = clock_map_tsc(clock, job->release_ns + task->deadline_ns);
    return !job->completion_tsc || job->completion_tsc > deadline_tsc;
}

static void report(const struct run *run)
{
    puts("task      wcet_us    period_us  jobs  missed");
    for (size_t i = 0; i < run->n_tasks; i++) {
        const struct task *task = &run->tasks[i];
        size_t n_missed = 0;
        for (size_t k = 0; k < task->n_jobs; k++)
            n_missed += job_missed(task, &task->jobs[k], &run->clock);
        printf("%4u %12.3f %12.3f %5zu %7zu\n", task->id, (double)task->wcet_ns / 1e3,
               (double)task->period_ns / 1e3, task->n_jobs, n_missed);
    }
    fflush(stdout);
}

static const char usage_text[] =
    "usage: xentrail-workload [OPTION]... TASK...\n"
    "Runs periodic real-time tasks and writes when each job was released, started and completed.\n"
    "\n"
    "TASK is wcet=TIME,period=TIME[,deadline=TIME][,phase=TIME][,cpu=N][,cache=SIZE]; TIME has ns, us, ms or "
    "s.\n"
    "\n"
    "  -d, --duration=TIME   how long jobs are released (default 5s)\n"
    "  -p, --policy=POLICY   rm (rate monotonic, default), dm (deadline monotonic), edf (SCHED_DEADLINE) or\n"
    "                        partitioned (rate monotonic, each task on one CPU)\n"
    "  -o, --output=DIR      write the job trace there as CTF\n"
    "      --csv=FILE        write the jobs there as a table, too\n"
    "  -n, --name=NAME       name of this VM in the trace (default: the host name)\n"
    "  -w, --wait            print READY and wait for a line on standard input\n"
    "      --start-at=SECS   wait until this time since the epoch\n"
    "      --lead=TIME       from the start to the first release (default 500ms)\n"
    "  -b, --background      keep every CPU busy at idle priority (a periodic server instead of a deferrable "
    "one)\n"
    "      --gap=TIME        a longer jump of the TSC counts as time not run (default 250us)\n"
    "  -h, --help, -V, --version\n";

static bool parse_policy(const char *text, enum policy *policy)
{
    for (size_t i = 0; i < sizeof policy_names / sizeof *policy_names; i++) {
        if (strcmp(text, policy_names[i]) == 0) {
            *policy = (enum policy)i;
            return true;
        }
    }
    return false;
}

enum { OPTION_START_AT = 256, OPTION_LEAD, OPTION_GAP, OPTION_CSV };

static bool set_option(struct options *o, int option, const char *value)
{
    char *end;
    switch (option) {
    case 'd': return parse_time_ns(value, &o->duration_ns) && o->duration_ns > 0;
    case 'p': return parse_policy(value, &o->policy);
    case 'o': o->directory = value; return true;
    case 'n': o->name = value; return true;
    case 'w': o->wait = true; return true;
    case 'b': o->background = true; return true;
    case OPTION_CSV: o->csv = value; return true;
    case OPTION_LEAD: return parse_time_ns(value, &o->lead_ns);
    case OPTION_GAP: return parse_time_ns(value, &o->gap_ns) && o->gap_ns > 0;
    case OPTION_START_AT:
        o->start_at_s = strtod(value, &end);
        return end != value && !*end && o->start_at_s >= 0;
    }
    return false;
}

/* -1: go on; else the exit status. */
static int parse_options(int argc, char **argv, struct run *run)
{
    static const struct option names[] = {
        { "duration", required_argument, NULL, 'd' },
        { "policy", required_argument, NULL, 'p' },
        { "output", required_argument, NULL, 'o' },
        { "name", required_argument, NULL, 'n' },
        { "wait", no_argument, NULL, 'w' },
        { "start-at", required_argument, NULL, OPTION_START_AT },
        { "lead", required_argument, NULL, OPTION_LEAD },
        { "background", no_argument, NULL, 'b' },
        { "gap", required_argument, NULL, OPTION_GAP },
        { "csv", required_argument, NULL, OPTION_CSV },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { 0 },
    };
    for (int option; (option = getopt_long(argc, argv, "d:p:o:n:wbhV", names, NULL)) != -1;) {
        if (option == 'h' || option == 'V') {
            fputs(option == 'h' ? usage_text : "xentrail-workload " XT_VERSION "\n", stdout);
            return 0;
        }
        if (option == '?')
            return EXIT_USAGE;
        if (!set_option(&run->options, option, optarg)) {
            fprintf(stderr, "xentrail-workload: \"%s\" is no value for that option; see --help\n", optarg);
            return EXIT_USAGE;
        }
    }
    for (; optind < argc; optind++) {
        const char *why;
        if (run->n_tasks == MAX_TASKS)
            return die(EXIT_USAGE, "too many tasks");
        if (!parse_task(argv[optind], &run->tasks[run->n_tasks], &why)) {
            fprintf(stderr, "xentrail-workload: task \"%s\": %s\n", argv[optind], why);
            return EXIT_USAGE;
        }
        run->n_tasks++;
    }
    if (run->n_tasks == 0 && !run->options.background)
        return die(EXIT_USAGE, "no task given; see --help");
    return -1;
}

static int write_logs(const struct run *run, const char *hostname)
{
    const struct options *o = &run->options;
    const struct ctf_description description = {
        .directory = o->directory,
        .domain = o->name ? o->name : hostname,
        .policy = policy_names[o->policy],
        .tasks = run->tasks,
        .n_tasks = run->n_tasks,
        .clock = &run->clock,
    };
    const char *failed = NULL;

    if (o->directory && ctf_write(&description))
        failed = o->directory;
    else if (o->csv && csv_write(o->csv, run->tasks, run->n_tasks, &run->clock))
        failed = o->csv;
    if (!failed)
        return 0;
    fprintf(stderr, "xentrail-workload: cannot write to %s: %s\n", failed, strerror(errno));
    return EXIT_SYSTEM;
}

int main(int argc, char **argv)
{
    static struct run run = {
        .options = { .duration_ns = 5000000000u, .lead_ns = 500000000u, .gap_ns = 250000u },
    };
    static struct thread threads[MAX_TASKS];
    char hostname[65] = "";

    int status = parse_options(argc, argv, &run);
    if (status >= 0)
        return status;
    gethostname(hostname, sizeof hostname - 1);
    assign_priorities(&run);
    assign_cpus(&run);
    if (allocate(&run, threads))
        return die(EXIT_SYSTEM, "out of memory");
    if (mlockall(MCL_CURRENT | MCL_FUTURE) || fifo(90))
        return die(EXIT_SYSTEM, "cannot lock memory or take a real-time priority: run as root");

    calibrate(&run);
    if (run.options.wait && !wait_for_line())
        return die(EXIT_SYSTEM, "standard input ended before the start");
    if (run.options.start_at_s > 0)
        wait_for_start(run.options.start_at_s);
    run.first_release_ns = mono_ns() + run.options.lead_ns;
    clock_map_sample(&run.clock);
    set_limits(&run);

    for (long cpu = 0; run.options.background && cpu < sysconf(_SC_NPROCESSORS_ONLN); cpu++) {
        pthread_t background;
        if (start_thread(&background, run_background, (void *)(intptr_t)cpu))
            return die(EXIT_SYSTEM, "cannot start a thread");
    }
    const char *failure = run_all(&run, threads);
    if (failure) {
        fprintf(stderr, "xentrail-workload: a task %s\n", failure);
        return EXIT_SYSTEM;
    }
    report(&run);
    return write_logs(&run, hostname);
}
