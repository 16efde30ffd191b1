#include "parse/layout.h"

#include <string.h>

#include "parse/format.h"
#include "parse/sink.h"

static const struct xt_layout_table *const tables[] = {
    &xt_layouts_core, &xt_layouts_rtds,   &xt_layouts_credit, &xt_layouts_credit2,
    &xt_layouts_null, &xt_layouts_rtxen2, &xt_layouts_other,
};

#define FIRST_MULTIPLIER 2654436941u /* serves the rows of today; the search from here goes through all odd numbers */

static int compare_rows(const void *a, const void *b)
{
    const struct xt_layout *x = a, *y = b;

    if (x->event != y->event)
        return x->event < y->event ? -1 : 1;
    return (x->min_words > y->min_words) - (x->min_words < y->min_words);
}

static struct xt_slot_source source_of(const struct xt_field *field)
{
    struct xt_slot_source from = {
        .form = XT_FORM_UINT,
        .word = field->word,
        .up = (uint8_t)(32 - field->lo - field->bits),
        .down = (uint8_t)(32 - field->bits),
    };

    switch ((enum xt_field_type)field->type) {
    case XT_FIELD_SINT:
        from.form = XT_FORM_SINT;
        return from;
    case XT_FIELD_U64:
    case XT_FIELD_X64:
        return (struct xt_slot_source){ XT_FORM_WIDE, field->word, 0, 0 };
    case XT_FIELD_VCPU:
        return (struct xt_slot_source){ XT_FORM_PACKED, field->word, 0, 0 };
    case XT_FIELD_DV:
        return (struct xt_slot_source){ XT_FORM_DV, field->word, 0, 0 };
    case XT_FIELD_VD:
        return (struct xt_slot_source){ XT_FORM_VD, field->word, 0, 0 };
    default:
        return from;
    }
}

static void index_slots(struct xt_layout *row)
{
    for (unsigned f = 0; f < row->n_fields; f++)
        if (row->fields[f].slot != XT_SLOT_NONE && row->fields[f].type != XT_FIELD_STATE)
            row->by_slot[row->fields[f].slot] = source_of(&row->fields[f]);
}

/* Puts all rows in their places; false if two meet. */
static bool fill_hash(struct xt_layout_index *index)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(index->hash); i++)
        index->hash[i].key = UINT32_MAX; /* no header's */
    for (unsigned r = 0; r < index->n_rows; r++) {
        const struct xt_layout *row = &index->rows[r];
        for (unsigned words = row->min_words; words <= row->max_words; words++) {
            uint32_t key = XT_LAYOUT_KEY(row->event | words << 28);
            struct xt_layout_key *place = &index->hash[key * index->multiplier >> (32 - XT_LAYOUT_HASH_BITS)];
            if (place->key == key)
                continue; /* the first row that fits */
            if (place->key != UINT32_MAX)
                return false;
            *place = (struct xt_layout_key){ key, (uint16_t)r, row->kind, row->scheduler, row };
        }
    }
    return true;
}

struct xt_layout_index *xt_layout_index_new(void)
{
    struct xt_layout_index *index = g_new0(struct xt_layout_index, 1);
    unsigned n = 0;

    for (unsigned t = 0; t < G_N_ELEMENTS(tables); t++)
        index->n_rows += tables[t]->n_rows;
    index->rows = g_new(struct xt_layout, index->n_rows);
    for (unsigned t = 0; t < G_N_ELEMENTS(tables); t++)
        for (unsigned r = 0; r < tables[t]->n_rows; r++)
            index->rows[n++] = tables[t]->rows[r];
    qsort(index->rows, n, sizeof(*index->rows), compare_rows);
    for (unsigned r = 0; r < n; r++)
        index_slots(&index->rows[r]);
    for (index->multiplier = FIRST_MULTIPLIER; !fill_hash(index); index->multiplier += 2)
        g_assert(index->multiplier != FIRST_MULTIPLIER - 2);
    return index;
}

void xt_layout_index_free(struct xt_layout_index *index)
{
    if (!index)
        return;
    g_free(index->rows);
    g_free(index);
}

const struct xt_layout *xt_layout_find(const struct xt_layout_index *index, uint32_t event, unsigned n_words,
                                       bool *known)
{
    const struct xt_layout_key *key = xt_layout_lookup(index, event | n_words << 28);
    unsigned lo = 0, hi = index->n_rows;

    *known = true;
    if (key)
        return key->layout;
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        if (index->rows[mid].event < event)
            lo = mid + 1;
        else
            hi = mid;
    }
    *known = lo < index->n_rows && index->rows[lo].event == event;
    return NULL;
}

const struct xt_layout *xt_layout_nth(const struct xt_layout_index *index, unsigned n)
{
    return n < index->n_rows ? &index->rows[n] : NULL;
}

unsigned xt_layout_number(const struct xt_layout_index *index, const struct xt_layout *layout)
{
    return (unsigned)(layout - index->rows);
}

static inline int64_t field_value(const struct xt_field *field, const struct xt_record *record, bool vd)
{
    return xt_take_value(source_of(field), field->type == XT_FIELD_STATE ? &record->event : record->words, vd);
}

int64_t xt_field_value(const struct xt_field *field, const struct xt_record *record, bool vd)
{
    return field_value(field, record, vd);
}

void xt_decode(const struct xt_layout *layout, const struct xt_record *record, bool vd, int64_t slots[XT_N_SLOTS])
{
    for (unsigned f = 0; f < layout->n_fields; f++) {
        const struct xt_field *field = &layout->fields[f];
        if (field->slot == XT_SLOT_NONE)
            continue;
        int64_t value = field_value(field, record, vd);
        if (field->type == XT_FIELD_VCPU || field->type == XT_FIELD_DV || field->type == XT_FIELD_VD) {
            slots[field->slot] = value >> 16;
            slots[field->slot + 1] = value & 0xffff;
        } else {
            slots[field->slot] = value;
        }
    }
}

static const struct {
    uint32_t subclass;
    const char *name;
} class_names[] = {
    { 0x1f000, "gen" },        { 0x21000, "sched_min" },   { 0x22000, "sched_class" }, { 0x24000, "sched_overhead" },
    { 0x28000, "sched_verbose" }, { 0x41000, "dom0op" },   { 0x81000, "hvm_entryexit" }, { 0x82000, "hvm_handler" },
    { 0x84000, "hvm_emul" },   { 0x10f000, "mem" },        { 0x201000, "pv_entry" },   { 0x202000, "pv_subcall" },
    { 0x20f000, "pv" },        { 0x40f000, "shadow" },     { 0x801000, "hw_pm" },      { 0x802000, "hw_irq" },
    { 0x80f000, "hw" },        { 0x800f000, "guest" },
};

char *xt_event_unknown_name(uint32_t event)
{
    const char *name = "unknown";

    for (unsigned i = 0; i < G_N_ELEMENTS(class_names); i++)
        if (XT_SUBCLASS(event) == class_names[i].subclass)
            name = class_names[i].name;
    return g_strdup_printf("%s:0x%07x", name, event);
}
