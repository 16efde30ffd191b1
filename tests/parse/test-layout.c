/* The tables of events: every row is found, none hides another, no field lies outside its record. */
#include "parse/format.h"
#include "parse/layout.h"
#include "parse/sink.h"

static struct xt_layout_index *layouts;

static bool is_wide(const struct xt_field *field)
{
    return field->type == XT_FIELD_U64 || field->type == XT_FIELD_X64;
}

static void test_rows(void)
{
    bool known;

    for (unsigned n = 0; xt_layout_nth(layouts, n); n++) {
        const struct xt_layout *row = xt_layout_nth(layouts, n);
        g_assert_cmpuint(row->event >> 28, ==, 0);
        g_assert_cmpuint(row->min_words, <=, row->max_words);
        g_assert_cmpuint(row->max_words, <=, 7);
        g_assert_true(row->name && *row->name && row->versions);
        g_assert_cmpuint(xt_layout_number(layouts, row), ==, n);
        for (unsigned words = row->min_words; words <= row->max_words; words++) {
            /* a second row for the same words would never be found */
            g_assert_true(xt_layout_find(layouts, row->event, words, &known) == row);
            g_assert_true(known);
        }
    }
}

static void test_fields(void)
{
    for (unsigned n = 0; xt_layout_nth(layouts, n); n++) {
        const struct xt_layout *row = xt_layout_nth(layouts, n);
        for (unsigned f = 0; f < row->n_fields; f++) {
            const struct xt_field *field = &row->fields[f];
            g_test_message("%s.%s", row->name, field->name);
            g_assert_true(field->name && *field->name);
            g_assert_cmpuint(field->slot, <, XT_N_SLOTS);
            if (field->type == XT_FIELD_STATE) {
                g_assert_cmpuint(field->lo + field->bits, <=, 28);
                continue;
            }
            /* rows of plain words name all seven; those beyond the record do not exist */
            if (field->name[0] != 'w' || !g_ascii_isdigit(field->name[1]))
                g_assert_cmpuint(field->word + (is_wide(field) ? 2u : 1u), <=, row->max_words);
            g_assert_cmpuint(field->bits, >, 0);
            g_assert_cmpuint(field->lo + field->bits, <=, is_wide(field) ? 64 : 32);
            /* what reconstruction reads must be in every record of that row */
            if (field->slot != XT_SLOT_NONE)
                g_assert_cmpuint(field->word + (is_wide(field) ? 2u : 1u), <=, row->min_words);
        }
    }
}

/* Two fields of a row never tell the same bits. */
static void test_overlaps(void)
{
    for (unsigned n = 0; xt_layout_nth(layouts, n); n++) {
        const struct xt_layout *row = xt_layout_nth(layouts, n);
        for (unsigned f = 0; f < row->n_fields; f++)
            for (unsigned g = 0; g < f; g++) {
                const struct xt_field *a = &row->fields[f], *b = &row->fields[g];
                if ((a->type == XT_FIELD_STATE) != (b->type == XT_FIELD_STATE))
                    continue;
                unsigned a_lo = a->word * 32u + a->lo, b_lo = b->word * 32u + b->lo;
                g_test_message("%s: %s, %s", row->name, a->name, b->name);
                g_assert_true(a_lo + a->bits <= b_lo || b_lo + b->bits <= a_lo);
            }
    }
}

/* Word counts of 4.17, from the format's description rather than from the tables. */
static void test_known(void)
{
    static const struct {
        uint32_t event;
        unsigned words;
        enum xt_event_kind kind;
        enum xt_scheduler scheduler;
    } rows[] = {
        { 0x1f001, 4, XT_EV_LOST, XT_SCHED_UNKNOWN },      { 0x21011, 1, XT_EV_RUNSTATE, XT_SCHED_UNKNOWN },
        { 0x21002, 1, XT_EV_CONTINUE, XT_SCHED_UNKNOWN },  { 0x2800a, 4, XT_EV_SWITCH, XT_SCHED_UNKNOWN },
        { 0x2800e, 3, XT_EV_INFPREV, XT_SCHED_UNKNOWN },   { 0x2800e, 2, XT_EV_INFPREV, XT_SCHED_UNKNOWN },
        { 0x2800f, 4, XT_EV_INFNEXT, XT_SCHED_UNKNOWN },   { 0x2800f, 3, XT_EV_INFNEXT, XT_SCHED_UNKNOWN },
        { 0x28011, 4, XT_EV_INFCONT, XT_SCHED_UNKNOWN },   { 0x28005, 2, XT_EV_YIELD, XT_SCHED_UNKNOWN },
        { 0x28006, 2, XT_EV_BLOCK, XT_SCHED_UNKNOWN },     { 0x22009, 1, XT_EV_SCHEDULE, XT_SCHED_CREDIT },
        { 0x22215, 2, XT_EV_SCHEDULE, XT_SCHED_CREDIT2 },  { 0x22806, 1, XT_EV_SCHEDULE, XT_SCHED_RTDS },
        { 0x22a05, 2, XT_EV_SCHEDULE, XT_SCHED_NULL },     { 0x22803, 4, XT_EV_BURN, XT_SCHED_RTDS },
        { 0x22803, 6, XT_EV_BURN, XT_SCHED_RTDS },         { 0x22804, 5, XT_EV_REPLENISH, XT_SCHED_RTDS },
        { 0x22804, 6, XT_EV_REPLENISH, XT_SCHED_RTDS },    { 0x22802, 0, XT_EV_PICK, XT_SCHED_RTDS },
        { 0x22802, 5, XT_EV_PICK, XT_SCHED_RTDS },         { 0x22805, 5, XT_EV_PICK, XT_SCHED_RTDS },
        { 0x22805, 0, XT_EV_TASKLET, XT_SCHED_RTDS },      { 0x24001, 6, XT_EV_OVERHEAD, XT_SCHED_RTXEN2 },
    };
    static const uint32_t unknown[] = { 0x21001, 0x21111, 0x22600, 0x22fff, 0x1f000, 0 };
    bool known;

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        const struct xt_layout *row = xt_layout_find(layouts, rows[i].event, rows[i].words, &known);
        g_test_message("0x%05x with %u words", rows[i].event, rows[i].words);
        g_assert_nonnull(row);
        g_assert_cmpint(row->kind, ==, rows[i].kind);
        g_assert_cmpint(row->scheduler, ==, rows[i].scheduler);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(unknown); i++) {
        g_assert_null(xt_layout_find(layouts, unknown[i], 1, &known));
        g_assert_false(known);
    }
    g_assert_null(xt_layout_find(layouts, 0x22803, 5, &known));
    g_assert_true(known);
}

/* A burn of 4.17, word by word; the bytes beside the flag are garbage there. */
static void test_values(void)
{
    const uint32_t words[] = { 7u << 16 | 3, 0x89abcdef, 0x00000001, (uint32_t)-5, 2, 0xdeadbe01 };
    const struct xt_record record = { .event = 0x22803, .n_words = 6, .words = words };
    int64_t slots[XT_N_SLOTS] = { 0 };
    bool known;
    const struct xt_layout *row = xt_layout_find(layouts, 0x22803, 6, &known);

    xt_decode(row, &record, false, slots);
    g_assert_cmpint(slots[XT_SLOT_DOMID], ==, 7);
    g_assert_cmpint(slots[XT_SLOT_VCPU], ==, 3);
    g_assert_cmpint(slots[XT_SLOT_BUDGET], ==, 0x189abcdef);
    g_assert_cmpint(slots[XT_SLOT_DELTA], ==, -5);
    g_assert_cmpint(slots[XT_SLOT_LEVEL], ==, 2);
    xt_decode(row, &record, true, slots);
    g_assert_cmpint(slots[XT_SLOT_DOMID], ==, 3);
    g_assert_cmpint(slots[XT_SLOT_VCPU], ==, 7);
    for (unsigned f = 0; f < row->n_fields; f++)
        if (!g_strcmp0(row->fields[f].name, "has_extratime"))
            g_assert_cmpint(xt_field_value(&row->fields[f], &record, false), ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    layouts = xt_layout_index_new();
    g_test_add_func("/layout/rows", test_rows);
    g_test_add_func("/layout/fields", test_fields);
    g_test_add_func("/layout/overlaps", test_overlaps);
    g_test_add_func("/layout/known", test_known);
    g_test_add_func("/layout/values", test_values);
    int status = g_test_run();
    xt_layout_index_free(layouts);
    return status;
}
