/* Members of events: every layout with every word count must give libbabeltrace2 names that it accepts. */
#include "parse/babeltrace/members.h"

#include <string.h>

static void check_names(const struct xt_layout *layout, unsigned n_words)
{
    struct xt_member members[XT_MAX_MEMBERS];
    unsigned n = xt_members_of(layout, n_words, members);

    for (unsigned i = 0; i < n; i++) {
        g_assert_true(g_ascii_isalpha(members[i].name[0]));
        g_assert_cmpuint(strspn(members[i].name, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "_"), ==,
                         strlen(members[i].name));
        for (unsigned j = 0; j < i; j++)
            g_assert_cmpstr(members[i].name, !=, members[j].name);
    }
}

static void test_names(void)
{
    struct xt_layout_index *index = xt_layout_index_new();
    const struct xt_layout *layout;
    unsigned n = 0;

    for (; (layout = xt_layout_nth(index, n)); n++)
        for (unsigned words = layout->min_words; words <= layout->max_words; words++)
            check_names(layout, words);
    g_assert_cmpuint(n, >, 100);
    xt_layout_index_free(index);
}

struct expected {
    const char *name;
    int64_t value;
};

static void check(uint32_t event, const uint32_t *words, unsigned n_words, bool vd, const struct expected *want, unsigned n)
{
    struct xt_layout_index *index = xt_layout_index_new();
    struct xt_member members[XT_MAX_MEMBERS];
    struct xt_record record = { .event = event, .n_words = (uint8_t)n_words, .words = words };
    bool known;
    const struct xt_layout *layout = xt_layout_find(index, event, n_words, &known);

    g_assert_nonnull(layout);
    g_assert_cmpuint(xt_members_of(layout, n_words, members), ==, n);
    for (unsigned i = 0; i < n; i++) {
        g_assert_cmpstr(members[i].name, ==, want[i].name);
        g_assert_cmpint(xt_member_value(&members[i], &record, vd), ==, want[i].value);
    }
    xt_layout_index_free(index);
}

static void test_packed(void)
{
    const uint32_t burn[] = { 0x00030002, 0xfffffff0, 1, 0xffffff9c, 7, 0xabcdef01 };
    const struct expected as_new[] = {
        { "dom", 3 }, { "vcpu", 2 }, { "budget_ns", 0x1fffffff0 }, { "delta_ns", -100 }, { "priority_level", 7 },
        { "has_extratime", 1 },
    };
    const struct expected as_old[] = { { "dom", 2 }, { "vcpu", 3 }, { "budget_ns", 0x1fffffff0 }, { "delta_ns", -100 } };

    check(0x22803, burn, 6, false, as_new, G_N_ELEMENTS(as_new));
    check(0x22803, burn, 4, true, as_old, G_N_ELEMENTS(as_old));
}

static void test_lost(void)
{
    const uint32_t lost[] = { 5, 0x00010004, 0x10, 0x2 };
    const struct expected want[] = {
        { "lost", 5 }, { "current_dom", 4 }, { "current_vcpu", 1 }, { "first_tsc_cycles", 0x200000010 },
    };

    check(0x1f001, lost, 4, false, want, G_N_ELEMENTS(want));
}

static void test_state(void)
{
    const uint32_t words[] = { 0x00010000 };
    const struct expected want[] = { { "dom", 1 }, { "vcpu", 0 }, { "old", 2 }, { "new", 1 } };

    check(0x21211, words, 1, false, want, G_N_ELEMENTS(want)); /* blocked -> runnable */
}

static void test_optional_words(void)
{
    const uint32_t words[] = { 0x100019, 0xdeadbeef };
    const struct expected want[] = { { "op", 0x19 & 0xfffff }, { "a0", 0xdeadbeef } };

    check(0x20100d, (const uint32_t[]){ 0x00000019 }, 1, false, (const struct expected[]){ { "op", 0x19 } }, 1);
    check(0x20100d, words, 2, false, want, G_N_ELEMENTS(want));
}

static void test_odd_names(void)
{
    struct xt_layout_index *index = xt_layout_index_new();
    char *name = xt_odd_event_name(index, 0x2800a, true);

    g_assert_cmpstr(name, ==, "malformed:switch");
    g_free(name);
    name = xt_odd_event_name(index, 0x22fff, false);
    g_assert_cmpstr(name, ==, "sched_class:0x0022fff");
    g_free(name);
    xt_layout_index_free(index);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/members/names", test_names);
    g_test_add_func("/members/packed", test_packed);
    g_test_add_func("/members/lost", test_lost);
    g_test_add_func("/members/state", test_state);
    g_test_add_func("/members/optional-words", test_optional_words);
    g_test_add_func("/members/odd-names", test_odd_names);
    return g_test_run();
}
