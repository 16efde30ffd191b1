/* What a record means: one row per event id and word count. The decode-*.c files hold the rows, one file per
 * scheduler; everything that reads fields (dump, reconstruction, the CTF source) reads them through these rows. */
#pragma once

#include "parse/record.h"

/* What reconstruction must know of a record; XT_EV_OTHER is everything that it can ignore. */
enum xt_event_kind {
    XT_EV_OTHER,
    XT_EV_LOST,
    XT_EV_WRAP,
    XT_EV_RUNSTATE,
    XT_EV_CONTINUE,
    XT_EV_YIELD,
    XT_EV_BLOCK,
    XT_EV_SWITCH,
    XT_EV_INFPREV,
    XT_EV_INFNEXT,
    XT_EV_INFCONT,
    XT_EV_SCHEDULE,
    XT_EV_PICK,
    XT_EV_BURN,
    XT_EV_REPLENISH,
    XT_EV_TASKLET,
    XT_EV_RATELIMIT,
    XT_EV_TICKLE,
    XT_EV_OVERHEAD,
};

/* Where a field's value goes when a record is decoded; XT_SLOT_NONE is for people only. */
enum xt_slot {
    XT_SLOT_NONE,
    XT_SLOT_DOMID,
    XT_SLOT_VCPU,
    XT_SLOT_NEXT_DOMID,
    XT_SLOT_NEXT_VCPU,
    XT_SLOT_OLD_STATE,
    XT_SLOT_NEW_STATE,
    XT_SLOT_BUDGET,
    XT_SLOT_DELTA,
    XT_SLOT_LEVEL,
    XT_SLOT_DEADLINE,
    XT_SLOT_RUN,
    XT_SLOT_SLICE,
    XT_SLOT_TICKLED,
    XT_SLOT_MIGRATED,
    XT_SLOT_DURATION,
    XT_SLOT_PCPU,
    XT_N_SLOTS
};

enum xt_field_type {
    XT_FIELD_UINT, /* bits of one word */
    XT_FIELD_SINT, /* likewise, sign-extended */
    XT_FIELD_HEX,  /* UINT, printed in hex */
    XT_FIELD_U64,  /* two words, low first */
    XT_FIELD_X64,  /* U64, printed in hex */
    XT_FIELD_VCPU, /* one packed word: domain and VCPU, the halves as the generation packs them; the slot is that of
                      the domain, the next slot takes the VCPU */
    XT_FIELD_DV,   /* packed word, domain in the upper half in every version */
    XT_FIELD_VD,   /* packed word, domain in the lower half in every version */
    XT_FIELD_STATE, /* runstate in bits of the event id */
};

struct xt_field {
    const char *name;
    uint8_t type; /* enum xt_field_type */
    uint8_t word; /* first word */
    uint8_t lo;   /* lowest bit (of the event id for XT_FIELD_STATE) */
    uint8_t bits;
    uint8_t slot;     /* enum xt_slot */
    const char *unit; /* "ns", "pcpu", "cycles", …; NULL: plain number */
};

/* How the value of a slot is taken out of a record's words: what its field says, without asking the field again. */
enum xt_slot_form {
    XT_FORM_NONE,   /* no field fills it: 0 */
    XT_FORM_UINT,
    XT_FORM_SINT,
    XT_FORM_WIDE,   /* two words, low first */
    XT_FORM_PACKED, /* VCPU, the halves as the generation packs them; it takes the next slot, too */
    XT_FORM_DV,
    XT_FORM_VD,
};
struct xt_slot_source {
    uint8_t form; /* enum xt_slot_form */
    uint8_t word; /* first word */
    uint8_t up, down; /* shifts that leave the field's bits alone */
};

struct xt_layout {
    uint32_t event;
    uint8_t min_words, max_words; /* fields beyond the words present do not exist */
    uint8_t kind;                 /* enum xt_event_kind */
    uint8_t scheduler;            /* enum xt_scheduler that wrote it, XT_SCHED_UNKNOWN for all others */
    const char *name;
    const char *versions; /* of Xen, e.g. "4.10-" */
    const struct xt_field *fields;
    uint8_t n_fields;
    struct xt_slot_source by_slot[XT_N_SLOTS]; /* made by xt_layout_index_new */
};

struct xt_layout_table {
    const struct xt_layout *rows;
    unsigned n_rows;
};
extern const struct xt_layout_table xt_layouts_core, xt_layouts_credit, xt_layouts_credit2, xt_layouts_rtds,
    xt_layouts_null, xt_layouts_rtxen2, xt_layouts_other;

#define XT_FIELDS(...) \
    .fields = (const struct xt_field[]){ __VA_ARGS__ }, \
    .n_fields = sizeof((const struct xt_field[]){ __VA_ARGS__ }) / sizeof(struct xt_field)
#define XT_LAYOUTS(rows_) { .rows = (rows_), .n_rows = sizeof(rows_) / sizeof((rows_)[0]) }

/* Lookup by event id and word count; built once per trace. The members are for xt_layout_lookup alone. */
#define XT_LAYOUT_HASH_BITS 12
struct xt_layout_index {
    unsigned n_rows;
    struct xt_layout *rows; /* copies, sorted by (event, min_words): a row's number is its place */
    struct xt_layout_key {
        uint32_t key;  /* event and word count as in a record's header */
        uint16_t row;  /* its number */
        uint8_t kind, scheduler; /* of that row */
        const struct xt_layout *layout;
    } hash[1 << XT_LAYOUT_HASH_BITS];
    uint32_t multiplier; /* one by which no two rows meet in one place */
};
struct xt_layout_index *xt_layout_index_new(void);
void xt_layout_index_free(struct xt_layout_index *index);

/* The row that fits. NULL if none does: *known tells whether the event id as such is known (then its size is wrong). */
const struct xt_layout *xt_layout_find(const struct xt_layout_index *index, uint32_t event, unsigned n_words,
                                       bool *known);

#define XT_LAYOUT_KEY(header) ((header) & 0x7fffffffu)


/* What is known of a record from its header alone; NULL if no row fits. */
static inline const struct xt_layout_key *xt_layout_lookup(const struct xt_layout_index *index, uint32_t header)
{
    uint32_t key = XT_LAYOUT_KEY(header);
    const struct xt_layout_key *found = &index->hash[key * index->multiplier >> (32 - XT_LAYOUT_HASH_BITS)];

    return found->key == key ? found : NULL;
}

/* Rows in the order of their number; NULL past the last. For tools that need every event there is. */
const struct xt_layout *xt_layout_nth(const struct xt_layout_index *index, unsigned n);
unsigned xt_layout_number(const struct xt_layout_index *index, const struct xt_layout *layout);

static inline uint32_t xt_swap_halves(uint32_t word)
{
    return word << 16 | word >> 16;
}

/* The value that stands there, packed VCPUs whole, as domain << 16 | vcpu. */
static inline int64_t xt_take_value(struct xt_slot_source from, const uint32_t *words, bool vd)
{
    uint32_t word = words[from.word];

    if (from.form == XT_FORM_WIDE)
        return (int64_t)(word | (uint64_t)words[from.word + 1] << 32);
    if (from.form == XT_FORM_SINT)
        return (int32_t)(word << from.up) >> from.down;
    if (from.form == XT_FORM_VD || (from.form == XT_FORM_PACKED && vd))
        return xt_swap_halves(word);
    return word << from.up >> from.down;
}

/* Value of a slot of an indexed row, 0 if it has none. */
static inline int64_t xt_slot_of_words(const struct xt_layout *row, enum xt_slot slot, const uint32_t *words, bool vd)
{
    struct xt_slot_source from = row->by_slot[slot];

    return from.form == XT_FORM_NONE ? 0 : xt_take_value(from, words, vd);
}

/* The VCPU that fills domid_slot and the slot behind it: domain << 16 | vcpu. */
static inline uint32_t xt_vcpu_of_words(const struct xt_layout *row, enum xt_slot domid_slot, const uint32_t *words,
                                        bool vd)
{
    uint32_t domid = (uint32_t)xt_slot_of_words(row, domid_slot, words, vd);

    if (row->by_slot[domid_slot + 1].form == XT_FORM_NONE)
        return domid; /* packed in one word, or nothing */
    return domid << 16 | ((uint32_t)xt_slot_of_words(row, (enum xt_slot)(domid_slot + 1), words, vd) & 0xffff);
}

/* Value of one field; for packed VCPU words domain << 16 | vcpu. vd: packed with the domain in the low half (<= 4.6).
 * Unsigned 64-bit fields come as their two's complement. */
int64_t xt_field_value(const struct xt_field *field, const struct xt_record *record, bool vd);

/* Writes the values of all fields that have a slot. */
void xt_decode(const struct xt_layout *layout, const struct xt_record *record, bool vd, int64_t slots[XT_N_SLOTS]);

/* Name of the class and number of an event that no row knows, e.g. "unknown:sched_class:0x22fff". Caller frees. */
char *xt_event_unknown_name(uint32_t event);
