/* Recordings: what a host said, read from real captures and from hostile copies of them. */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parse/error.h"
#include "parse/recording.h"

static const char vcpu_list_header[] =
    "Name                                ID  VCPU   CPU State   Time(s) Affinity (Hard / Soft)\n";
static const char pools_0_1[] = "Name               CPUs   Sched     Active   Domain count\n"
                                "Pool-0               2      rtds       y          2\n"
                                "Name               CPU list\n"
                                "Pool-0             0,1\n";

/* A recording folder under construction. */
struct folder {
    char *path;
};

static void put_n(const struct folder *f, const char *name, const char *text, gssize length)
{
    char *path = g_build_filename(f->path, name, NULL);
    char *parent = g_path_get_dirname(path);
    g_assert_cmpint(g_mkdir_with_parents(parent, 0700), ==, 0);
    g_assert_true(g_file_set_contents(path, text, length, NULL));
    g_free(parent);
    g_free(path);
}

static void put(const struct folder *f, const char *name, const char *text)
{
    put_n(f, name, text, -1);
}

static struct folder folder_new(void)
{
    struct folder f = {g_dir_make_tmp("xt-recording-XXXXXX", NULL)};
    g_assert_nonnull(f.path);
    put(&f, "trace.xen", "not looked at");
    return f;
}

static void remove_tree(const char *path)
{
    GDir *dir = g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        char *inside = g_build_filename(path, name, NULL);
        remove_tree(inside);
        g_free(inside);
    }
    if (dir)
        g_dir_close(dir);
    g_remove(path);
}

static void folder_free(struct folder *f)
{
    remove_tree(f->path);
    g_free(f->path);
}

static struct xt_recording *open_ok(const char *path)
{
    GError *error = NULL;
    struct xt_recording *r = xt_recording_open(path, &error);
    g_assert_no_error(error);
    g_assert_nonnull(r);
    return r;
}

static void assert_note(const struct xt_recording *r, const char *part)
{
    for (guint i = 0; i < r->notes->len; i++)
        if (strstr(r->notes->pdata[i], part))
            return;
    g_error("no note says \"%s\" (%u notes)", part, r->notes->len);
}

static char *example(const char *name)
{
    char *path = g_test_build_filename(G_TEST_DIST, "..", "..", "examples", name, NULL);
    if (!g_file_test(path, G_FILE_TEST_IS_DIR))
        g_error("%s is missing", path);
    return path;
}

/* Policies and numbers that examples/README.md states. */
static void test_examples(void)
{
    static const struct {
        const char *name, *policy;
    } all[] = {{"gedf", "gEDF"}, {"pedf", "pEDF"}, {"credit", "credit"}, {"noisy-gedf", "gEDF"}, {"noisy-credit", "credit"}};
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
        char *path = example(all[i].name);
        struct xt_recording *r = open_ok(path);
        g_assert_cmpstr(r->policy, ==, all[i].policy);
        g_assert_cmpstr(r->name, ==, all[i].name);
        g_assert_true(r->is_folder);
        g_assert_true(r->emulated);
        g_assert_cmpstr(r->xen_version, ==, "4.17.5");
        g_assert_cmpfloat(r->cpu_mhz, ==, 1000);
        g_assert_cmpint(r->nr_cpus, ==, 3);
        g_assert_cmpuint(r->notes->len, ==, 0);
        g_assert_cmpuint(r->guests->len, ==, 3);
        g_assert_cmpstr(r->guests->pdata[2], ==, "vm3");
        g_assert_cmpuint(r->vcpus->len, ==, g_str_has_prefix(all[i].name, "noisy") ? 8 : 6);
        const struct xt_host_vcpu *v = xt_recording_vcpu(r, 3, 0);
        g_assert_nonnull(v);
        g_assert_cmpstr(v->domain, ==, "vm3");
        g_assert_cmpstr(v->cpupool, ==, "Pool-0");
        bool rtds = strstr(all[i].policy, "EDF") != NULL;
        g_assert_cmpint(v->period_ns, ==, rtds ? 10000000 : 0);
        g_assert_cmpint(v->budget_ns, ==, rtds ? 3000000 : 0); /* xl-sched.txt claims 4000 us, the default */
        g_assert_cmpint(v->extratime, ==, rtds ? 0 : -1);
        g_assert_cmpint(v->weight, ==, rtds ? 0 : 256);
        g_assert_cmpint(v->ref_period_ns, ==, rtds ? 0 : 10000000);
        g_assert_cmpint(v->ref_budget_ns, ==, rtds ? 0 : 3000000);
        g_assert_null(xt_recording_vcpu(r, 3, 1));
        g_assert_cmpstr(xt_recording_domain_name(r, 0), ==, "Domain-0");
        xt_recording_free(r);
        g_free(path);
    }
}

static void test_hostile_names(void)
{
    struct folder f = folder_new();
    char *list = g_strconcat(
        vcpu_list_header,
        /* a name with spaces, one that looks like a row, one wider than its column, none at all, an unplugged VCPU */
        "web server 2                         7     0    1   -b-       6.2  1 / all\n"
        "x 1 0 0 r-- 1.0 all / all            8     3    0   r--      16.0  0-1 / 0\n"
        "a-name-of-more-than-thirty-two-bytes-in-all     9     0    1   r--      4.5  all / all\n"
        "                                    10     0    1   r--       4.5  all / all\n"
        "vm                                  11     1     -   --p       0.0  all / all\n"
        "vm                                  11     0     1   r--       0.5  1 / all\r\n"
        "garbage\n"
        "vm                               40000     0     1   r--       0.5  1 / all\n"
        "vm                                  12     0     1   r--       0.5  1-x / all\n",
        NULL);
    put(&f, "host/xl-vcpu-list-before.txt", list);
    put(&f, "host/xl-vcpu-list-after.txt", "Name                                ID  VCPU   CPU State   Time(s) CPU Affinity\n"
                                           "web server 2                         7     0    1   -b-       7.2  any cpu\n");
    put(&f, "host/xl-sched-credit.txt", "Cpupool My pool: x: tslice=30ms ratelimit=1000us migration-delay=0us\n"
                                        "Name                                ID Weight  Cap\n"
                                        "web server 2                         7    512   50\n");
    struct xt_recording *r = open_ok(f.path);
    g_assert_cmpuint(r->vcpus->len, ==, 6);
    const struct xt_host_vcpu *v = xt_recording_vcpu(r, 7, 0);
    g_assert_cmpstr(v->domain, ==, "web server 2");
    g_assert_cmpstr(v->cpupool, ==, "My pool: x");
    g_assert_cmpstr(v->hard_affinity, ==, "1");
    g_assert_true(v->affinity_changed);
    g_assert_cmpint(v->weight, ==, 512);
    g_assert_cmpint(v->cap, ==, 50);
    g_assert_cmpfloat(v->cpu_time_before_s, ==, 6.2);
    g_assert_cmpfloat(v->cpu_time_after_s, ==, 7.2);
    v = xt_recording_vcpu(r, 8, 3);
    g_assert_cmpstr(v->domain, ==, "x 1 0 0 r-- 1.0 all / all");
    g_assert_cmpstr(v->hard_affinity, ==, "0-1");
    g_assert_cmpfloat(v->cpu_time_after_s, ==, -1);
    g_assert_cmpstr(xt_recording_vcpu(r, 9, 0)->domain, ==, "a-name-of-more-than-thirty-two-bytes-in-all");
    g_assert_null(xt_recording_vcpu(r, 10, 0)->domain);
    g_assert_false(xt_recording_vcpu(r, 11, 1)->online);
    g_assert_true(xt_recording_vcpu(r, 11, 0)->online);
    assert_note(r, "host/xl-vcpu-list-before.txt: 3 lines");
    assert_note(r, "the first is line 8");
    xt_recording_free(r);
    g_free(list);
    folder_free(&f);
}

static void test_hostile_files(void)
{
    struct folder f = folder_new();
    static const char binary[] = "xen_scheduler : rtds\nname\0more";
    put_n(&f, "host/xl-info.txt", binary, sizeof(binary) - 1);
    put(&f, "host/xl-sched.txt", "Cpupool P\xff: sched=RTDS\nName      ID    Period    Budget  Extra time\nvm\xff  1  10  4  yes\n");
    put(&f, "host/xl-list.txt", "Name   ID   Mem VCPUs\tState\tTime(s)\nvm1   1   128     2");
    put(&f, "host/xl-cpupool-list.txt", "Name               CPU list\nPool-0             0,1,99999999999\n");
    char *path = g_build_filename(f.path, "host/xl-vcpu-list-before.txt", NULL);
    FILE *huge = fopen(path, "w");
    g_assert_nonnull(huge);
    g_assert_cmpint(ftruncate(fileno(huge), (16 << 20) + 1), ==, 0);
    fclose(huge);
    g_free(path);
    path = g_build_filename(f.path, "host/xl-dmesg.txt", NULL);
    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    g_free(path);
    path = g_build_filename(f.path, "host/vm1.cfg", NULL);
    g_assert_cmpint(symlink("/etc/passwd", path), ==, 0);
    g_free(path);
    put(&f, "recording.json", "{\"emulated\": \"yes\", \"policy\": 7, \"reservations\": [1]");
    struct xt_recording *r = open_ok(f.path);
    g_assert_null(r->xen_scheduler);
    g_assert_null(r->policy);
    g_assert_false(r->emulated);
    assert_note(r, "xl-info.txt: not a text (NUL byte at offset 25)");
    assert_note(r, "xl-sched.txt: not UTF-8");
    assert_note(r, "xl-list.txt: line 2");
    assert_note(r, "xl-cpupool-list.txt: line 2");
    assert_note(r, "xl-vcpu-list-before.txt: 16777217 bytes");
    assert_note(r, "xl-dmesg.txt: cannot be read (not a regular file)");
    assert_note(r, "vm1.cfg: cannot be read (not a regular file)");
    assert_note(r, "recording.json: ");
    xt_recording_free(r);
    folder_free(&f);
}

static void test_json(void)
{
    struct folder f = folder_new();
    GString *deep = g_string_new("{\"a\":");
    for (int i = 0; i < 100000; i++)
        g_string_append_c(deep, '[');
    put(&f, "recording.json", deep->str);
    g_string_free(deep, TRUE);
    struct xt_recording *r = open_ok(f.path);
    assert_note(r, "nested");
    xt_recording_free(r);

    put(&f, "host/xl-vcpu-list-before.txt", "d7 1 0 1 -b- 6.2 0 / all\nd7 1 1 1 -b- 6.2 0-1 / all\n");
    put(&f, "recording.json",
        "{\"emulated\": true, \"policy\": \"gEDF\", \"server\": \"periodic\", \"new\": [{}], \"complete\": false, \"tsc_hz\": 2596148000,"
        "\"reservations\": ["
        "{\"domain\": \"d7\", \"period_ns\": 10000000, \"budget_ns\": 4000000},"
        "{\"domain\": \"d7\", \"vcpu\": 1, \"period_ns\": 20000000, \"budget_ns\": 5000000},"
        "{\"domain\": \"d7\", \"vcpu\": 9, \"period_ns\": 20000000, \"budget_ns\": 5000000},"
        "{\"domain\": \"d7\", \"vcpu\": 1, \"period_ns\": \"20ms\", \"budget_ns\": 5000000},"
        "{\"domain\": 7}, 1]}");
    r = open_ok(f.path);
    g_assert_true(r->emulated);
    g_assert_cmpstr(r->policy, ==, "gEDF");
    g_assert_cmpstr(r->server, ==, "periodic");
    g_assert_cmpint(xt_recording_vcpu(r, 1, 0)->ref_budget_ns, ==, 4000000);
    g_assert_cmpint(xt_recording_vcpu(r, 1, 1)->ref_budget_ns, ==, 5000000);
    g_assert_cmpuint(r->vcpus->len, ==, 2);
    g_assert_cmpuint(r->notes->len, ==, 5);
    assert_note(r, "broke off");
    g_assert_cmpfloat(r->cpu_mhz, ==, 2596.148);
    xt_recording_free(r);

    put(&f, "recording.json", "{\"server\": \"quantum\"}");
    r = open_ok(f.path);
    g_assert_null(r->server);
    assert_note(r, "server");
    xt_recording_free(r);
    folder_free(&f);
}

/* One row per rule: pools, vcpu-list before, after -> policy, part of the reason. */
static void test_policy(void)
{
    static const char two_pools[] = "Name               CPUs   Sched     Active   Domain count\n"
                                    "Pool-0               1   credit2       y          1\n"
                                    "rt                   2      rtds       y          2\n"
                                    "a-pool-with-a-wide-name  1      rtds       y          0\n"
                                    "Name               CPU list\n"
                                    "Pool-0             0\n"
                                    "rt                 2,3\n"
                                    "a-pool-with-a-wide-name4\n";
    static const char list_pools[] =
        "Name                                        ID   Mem VCPUs\tState\tTime(s)         Cpupool\n"
        "Domain-0                                     0  1024     1     r-----      41.9          Pool-0\n"
        "vm1                                          1   128     2     -b----      10.4              rt\n"
        "vm2                                          2   128     2     -b----      10.0  a-pool-with-a-wide-name\n";
    static const struct {
        const char *pools, *list, *before, *after, *policy, *why;
    } all[] = {
        {pools_0_1, NULL, "vm1 1 0 1 -b- 6.2 0-1 / all\nvm1 1 1 1 -b- 6.2 all / all\n", NULL, "gEDF", "VCPUs: 2"},
        {pools_0_1, NULL, "vm1 1 0 1 -b- 6.2 1 / all\nvm1 1 1 1 -b- 6.2 0 / all\n", NULL, "pEDF", "VCPUs: 2"},
        {pools_0_1, NULL, "vm1 1 0 1 -b- 6.2 1-7 / all\n", NULL, "pEDF", "VCPUs: 1"}, /* 2 to 7 are not in the pool */
        {pools_0_1, NULL, "vm1 1 0 1 -b- 6.2 1 / all\nvm2 2 1 1 -b- 6.2 0-1 / all\n", NULL, NULL, "d2v1 may move"},
        {pools_0_1, NULL, "vm1 1 0 1 -b- 6.2 5 / all\n", NULL, NULL, "d1v0"}, /* nowhere in its pool */
        {pools_0_1, NULL, "vm1 1 0 1 -b- 6.2 1 / all\n", "vm1 1 0 1 -b- 6.2 0 / all\n", NULL, "changed"},
        {pools_0_1, NULL, "vm1 1 0 1 -b- 6.2 1 / all\nvm1 1 1 - --p 0.0 all / all\n", NULL, "pEDF", "VCPUs: 1"},
        {pools_0_1, NULL, "Domain-0 0 0 0 r-- 6.2 0 / all\nvm1 1 0 1 -b- 6.2 all / all\n", NULL, "gEDF", "guests"},
        {pools_0_1, NULL, "Domain-0 0 0 0 r-- 6.2 0 / all\n", NULL, "pEDF", "dom0"},
        {two_pools, list_pools, "Domain-0 0 0 0 r-- 6.2 all / all\nvm1 1 0 2 -b- 6.2 all / all\n", NULL, "gEDF", "VCPUs: 1"},
        {two_pools, list_pools, "vm2 2 0 4 r-- 6.2 all / all\n", NULL, "pEDF", "VCPUs: 1"},
        {two_pools, list_pools, "vm1 1 0 2 r-- 6.2 all / all\nvm2 2 0 4 r-- 6.2 all / all\n", NULL, NULL, "mixed"},
        {two_pools, NULL, "vm1 1 0 2 r-- 6.2 all / all\n", NULL, NULL, "does not tell the scheduler"},
        {NULL, NULL, "vm1 1 0 1 -b- 6.2 all / all\n", NULL, "gEDF", "VCPUs: 1"},
        {NULL, NULL, NULL, NULL, NULL, "no `xl vcpu-list`"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
        struct folder f = folder_new();
        put(&f, "host/xl-info.txt", "nr_cpus                : 2\nxen_scheduler          : rtds\n");
        if (all[i].pools)
            put(&f, "host/xl-cpupool-list.txt", all[i].pools);
        if (all[i].list)
            put(&f, "host/xl-list.txt", all[i].list);
        char *before = g_strconcat(vcpu_list_header, all[i].before, NULL);
        if (all[i].before)
            put(&f, "host/xl-vcpu-list-before.txt", before);
        if (all[i].after)
            put(&f, "host/xl-vcpu-list-after.txt", all[i].after);
        struct xt_recording *r = open_ok(f.path);
        g_test_message("case %zu: %s, %s", i, r->policy ? r->policy : "none", r->policy_why);
        g_assert_cmpstr(r->policy, ==, all[i].policy);
        g_assert_nonnull(strstr(r->policy_why, all[i].why));
        g_assert_cmpuint(r->notes->len, ==, 0);
        xt_recording_free(r);
        g_free(before);
        folder_free(&f);
    }
}

static void test_granularity(void)
{
    struct folder f = folder_new();
    put(&f, "host/xl-info.txt", "xen_commandline        : sched=credit2 sched-gran=core\nxen_scheduler : credit2\n");
    struct xt_recording *r = open_ok(f.path);
    g_assert_cmpstr(r->granularity, ==, "core");
    g_assert_cmpstr(r->policy, ==, "credit2");
    assert_note(r, "core scheduling");
    xt_recording_free(r);
    put(&f, "host/xl-dmesg.txt", "(XEN) Scheduling granularity: cpu, 1 CPU per sched-resource\n");
    r = open_ok(f.path);
    g_assert_cmpstr(r->granularity, ==, "cpu"); /* what Xen did, not what it was asked to do */
    xt_recording_free(r);
    folder_free(&f);
}

/* xl list as -v, -c and -n print it. */
static void test_domain_list(void)
{
    static const struct {
        const char *text, *name, *pool;
    } all[] = {
        {"Name                                        ID   Mem VCPUs\tState\tTime(s)         Cpupool\n"
         "my rt vm                                     7   128     2     -b----      10.4          rt pool\n",
         "my rt vm", "rt pool"},
        {"Name                                        ID   Mem VCPUs\tState\tTime(s)         Cpupool\n"
         "vm                                           7   128     2     ---s?-      10.4a-pool-of-20-letters\n",
         "vm", "a-pool-of-20-letters"},
        {"Name                                        ID   Mem VCPUs\tState\tTime(s)         Cpupool NODE Affinity\n"
         "x 1 2 3 r----- 5.0                           7   128     2     -b----      10.4          r-----   all\n",
         "x 1 2 3 r----- 5.0", "r-----"},
        {"Name                                        ID   Mem VCPUs\tState\tTime(s)   UUID                            "
         "Reason-Code\tSecurity Label         Cpupool\n"
         "vm                                           7   128     2     -b----      10.4 "
         "5a3bf1d2-0000-4c3f-9d3e-1f4c5d6e7f80        -                -              rt\n",
         "vm", "rt"},
        {"Name                                        ID   Mem VCPUs\tState\tTime(s)\n"
         "vm                                           7   128     2     r-----      10.4\n", "vm", NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
        struct folder f = folder_new();
        put(&f, "host/xl-list.txt", all[i].text);
        struct xt_recording *r = open_ok(f.path);
        g_assert_cmpuint(r->notes->len, ==, 0);
        g_assert_cmpuint(r->domains->len, ==, 1);
        const struct xt_host_domain *d = r->domains->pdata[0];
        g_assert_cmpint(d->domid, ==, 7);
        g_assert_cmpstr(d->name, ==, all[i].name);
        g_assert_cmpstr(d->cpupool, ==, all[i].pool);
        xt_recording_free(r);
        folder_free(&f);
    }
}

static void test_before_wins(void)
{
    static const char format[] = "Cpupool Pool-0: sched=RTDS\n"
                                 "Name                                ID VCPU    Period    Budget  Extratime\n"
                                 "vm1                                  1    0     10000      %d000         no\n"
                                 "vm2                                  %d    0     10000      4000         no\n";
    struct folder f = folder_new();
    char *before = g_strdup_printf(format, 3, 2), *after = g_strdup_printf(format, 5, 9);
    put(&f, "host/xl-sched-rtds-vcpus.txt", before);
    put(&f, "host/xl-sched-rtds-vcpus-after.txt", after);
    put(&f, "host/xl-cpupool-list.txt", pools_0_1);
    put(&f, "host/xl-cpupool-list-after.txt", "Name               CPU list\nPool-0             0,1,2\n");
    struct xt_recording *r = open_ok(f.path);
    g_assert_cmpint(xt_recording_vcpu(r, 1, 0)->budget_ns, ==, 3000000);
    g_assert_cmpint(xt_recording_vcpu(r, 9, 0)->budget_ns, ==, 4000000);
    g_assert_cmpuint(((struct xt_host_cpupool *)r->cpupools->pdata[0])->pcpus->len, ==, 2);
    xt_recording_free(r);
    g_free(before);
    g_free(after);
    folder_free(&f);
}

/* xl sched-rtds without -v: defaults since Xen 4.7, the truth before. */
static void test_rtds_domain_rows(void)
{
    static const char sched[] = "Cpupool Pool-0: sched=RTDS\nName                                ID    Period    Budget\n"
                                "vm1                                  1     20000      5000\n";
    struct folder f = folder_new();
    put(&f, "host/xl-vcpu-list-before.txt", "vm1 1 0 1 -b- 6.2 all / all\n");
    put(&f, "host/xl-sched.txt", sched);
    put(&f, "host/xl-info.txt", "xen_version : 4.6.0\n");
    struct xt_recording *r = open_ok(f.path);
    g_assert_cmpint(xt_recording_vcpu(r, 1, 0)->budget_ns, ==, 5000000);
    g_assert_cmpint(xt_recording_vcpu(r, 1, 0)->extratime, ==, -1);
    xt_recording_free(r);
    put(&f, "host/xl-info.txt", "xen_version : 4.17.5\n");
    r = open_ok(f.path);
    g_assert_cmpint(xt_recording_vcpu(r, 1, 0)->budget_ns, ==, 0);
    assert_note(r, "defaults");
    xt_recording_free(r);
    folder_free(&f);
}

static void test_time(void)
{
    static const struct {
        const char *text;
        int64_t ns; /* -1: refused */
    } all[] = {
        {"17", 17}, {"0", 0}, {"1.5ms", 1500000}, {"250us", 250000}, {"3s", 3000000000}, {" 10 ms ", 10000000},
        {"250\xc2\xb5s", 250000}, {"0.000000001s", 1}, {"1.000000001s", 1000000001}, {"1.10us", 1100},
        {"9223372036854775807", INT64_MAX}, {"9223372036.854775807s", INT64_MAX}, {"1.500000000000000000000ms", 1500000},
        {"9223372036854775808", -1}, {"9223372036.854775808s", -1}, {"-1ms", -1}, {"", -1}, {"ms", -1}, {"1.5", -1},
        {"1.ms", -1}, {".5ms", -1}, {"1ks", -1}, {"1 m s", -1}, {"1.0000000001s", -1}, {"0x10", -1}, {"1e3", -1}, {"nan", -1},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
        GError *error = NULL;
        int64_t ns = -2;
        bool ok = xt_parse_time_ns(all[i].text, &ns, &error);
        g_test_message("\"%s\": %s", all[i].text, error ? error->message : "accepted");
        g_assert_true(ok == (all[i].ns >= 0));
        if (ok)
            g_assert_cmpint(ns, ==, all[i].ns);
        else
            g_assert_error(error, XT_ERROR, XT_ERROR_USAGE);
        g_clear_error(&error);
    }
}

static void test_reservation(void)
{
    struct folder f = folder_new();
    put(&f, "host/xl-vcpu-list-before.txt", "a=b 1 0 1 -b- 6.2 all / all\na=b 1 1 1 -b- 6.2 all / all\nd1 2 0 1 -b- 6.2 all / all\n");
    struct xt_recording *r = open_ok(f.path);
    g_assert_true(xt_recording_set_reservation(r, "a=b=10ms/4ms", NULL));
    g_assert_cmpint(xt_recording_vcpu(r, 1, 0)->ref_period_ns, ==, 10000000);
    g_assert_cmpint(xt_recording_vcpu(r, 1, 1)->ref_budget_ns, ==, 4000000);
    g_assert_true(xt_recording_set_reservation(r, "d1=20ms/5ms", NULL)); /* the domain's number, not the name */
    g_assert_cmpint(xt_recording_vcpu(r, 1, 1)->ref_budget_ns, ==, 5000000);
    g_assert_cmpint(xt_recording_vcpu(r, 2, 0)->ref_budget_ns, ==, 0);
    g_assert_true(xt_recording_set_reservation(r, "d1v5=20ms/20ms", NULL));
    g_assert_cmpstr(xt_recording_vcpu(r, 1, 5)->domain, ==, "a=b");
    g_assert_true(xt_recording_set_reservation(r, "d0v0=2/1", NULL));
    g_assert_cmpint(xt_recording_vcpu(r, 0, 0)->ref_period_ns, ==, 2);
    static const char *const bad[] = {"", "=", "d1v0", "d1v0=", "d1v0=10ms", "=10ms/4ms", "d1v0=4ms/10ms", "d1v0=10ms/0",
                                      "d9=10ms/4ms", "nobody=10ms/4ms", "d1v0=10/4/2", "d1v99999=2/1", "d99999v0=2/1"};
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        GError *error = NULL;
        g_assert_false(xt_recording_set_reservation(r, bad[i], &error));
        g_assert_error(error, XT_ERROR, XT_ERROR_USAGE);
        g_test_message("%s", error->message);
        g_clear_error(&error);
    }
    xt_recording_free(r);
    folder_free(&f);
}

/* The documented digest, computed by coreutils. */
static char *reference_hash(const char *folder)
{
    char *out = NULL;
    const char *argv[] = {"sh", "-c",
                          "cd \"$1\" && { { find host guests -type f 2>/dev/null; echo trace; } | LC_ALL=C sort | while read -r f; do "
                          "if [ \"$f\" = trace ]; then g=trace.xen; else g=$f; fi; "
                          "printf '%s  %s\\0' \"$(sha256sum <\"$g\" | cut -c1-64)\" \"$f\"; done; } | sha256sum | cut -c1-64",
                          "sh", folder, NULL};
    g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, NULL, NULL, NULL));
    return g_strstrip(out);
}

static void test_hash(void)
{
    struct folder f = folder_new();
    put(&f, "host/xl-info.txt", "xen_version : 4.17.5\n");
    put(&f, "guests/vm1/metadata", "x");
    put(&f, "guests/vm 2.jobs.csv", "y");
    put(&f, "zebra.txt", "not part of it");
    struct xt_recording *r = open_ok(f.path);
    g_assert_cmpuint(r->guests->len, ==, 2);
    g_assert_cmpstr(r->guests->pdata[0], ==, "vm 2");
    GError *error = NULL;
    char *hash = xt_recording_hash(r, &error), *expected = reference_hash(f.path);
    g_assert_no_error(error);
    g_assert_cmpstr(hash, ==, expected);
    put(&f, "host/xl-info.txt", "xen_version : 4.17.6\n");
    char *other = xt_recording_hash(r, NULL);
    g_assert_cmpstr(hash, !=, other);
    put(&f, "host/xl-info.txt", "xen_version : 4.17.5\n");
    put(&f, "recording.json", "{}");
    char *again = xt_recording_hash(r, NULL);
    g_assert_cmpstr(hash, ==, again);
    xt_recording_free(r);
    g_free(hash);
    g_free(other);
    g_free(again);
    g_free(expected);
    folder_free(&f);
    r = open_ok("-");
    g_assert_null(xt_recording_hash(r, &error));
    g_assert_no_error(error);
    g_assert_cmpstr(r->name, ==, "stdin");
    xt_recording_free(r);
}

static void test_open(void)
{
    struct folder f = folder_new();
    char *trace = g_build_filename(f.path, "trace.xen", NULL), *packed = g_build_filename(f.path, "trace.xen.zst", NULL);
    struct xt_recording *r = open_ok(trace);
    g_assert_false(r->is_folder);
    g_assert_cmpstr(r->name, ==, "trace");
    g_assert_cmpuint(r->notes->len, ==, 0);
    xt_recording_free(r);
    put(&f, "trace.xen.zst", "z");
    r = open_ok(f.path);
    g_assert_cmpstr(r->trace_path, ==, trace);
    assert_note(r, "both");
    xt_recording_free(r);
    g_remove(trace);
    r = open_ok(f.path);
    g_assert_cmpstr(r->trace_path, ==, packed);
    xt_recording_free(r);
    put(&f, "host/xl-info.txt", "");
    r = open_ok(packed);
    g_assert_cmpstr(r->name, ==, "trace");
    assert_note(r, "name the folder");
    xt_recording_free(r);
    g_remove(packed);

    const char *const bad[] = {f.path, "/nonexistent/x", ""};
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        GError *error = NULL;
        g_assert_null(xt_recording_open(bad[i], &error));
        g_assert_error(error, XT_ERROR, XT_ERROR_INPUT);
        g_clear_error(&error);
    }
    g_free(trace);
    g_free(packed);
    folder_free(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/recording/examples", test_examples);
    g_test_add_func("/recording/open", test_open);
    g_test_add_func("/recording/hostile-names", test_hostile_names);
    g_test_add_func("/recording/hostile-files", test_hostile_files);
    g_test_add_func("/recording/json", test_json);
    g_test_add_func("/recording/policy", test_policy);
    g_test_add_func("/recording/granularity", test_granularity);
    g_test_add_func("/recording/domain-list", test_domain_list);
    g_test_add_func("/recording/before-wins", test_before_wins);
    g_test_add_func("/recording/rtds-domain-rows", test_rtds_domain_rows);
    g_test_add_func("/recording/time", test_time);
    g_test_add_func("/recording/reservation", test_reservation);
    g_test_add_func("/recording/hash", test_hash);
    return g_test_run();
}
