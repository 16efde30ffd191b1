/* What is inside an event, as other people's tools want it: flat members with a name, a type and a unit in the name. Made
 * from the layouts of parse/layout.h and from nothing else; packed VCPU words become two members. */
#pragma once

#include "parse/layout.h"

#define XT_MAX_MEMBERS 24
#define XT_MAX_MEMBER_NAME 40

enum xt_member_type {
    XT_MEMBER_UINT,
    XT_MEMBER_HEX, /* unsigned, shown in hex */
    XT_MEMBER_INT,
    XT_MEMBER_STATE, /* enum xt_state */
};

enum xt_member_part { XT_PART_WHOLE, XT_PART_DOMID, XT_PART_VCPU };

struct xt_member {
    char name[XT_MAX_MEMBER_NAME]; /* unique within the event, a C identifier */
    const struct xt_field *field;
    uint8_t type; /* enum xt_member_type */
    uint8_t part; /* enum xt_member_part: which half of a packed word */
    uint8_t bits; /* 8, 16, 32 or 64 */
};

/* The members that a record of this layout with that many words has; returns how many. */
unsigned xt_members_of(const struct xt_layout *layout, unsigned n_words, struct xt_member members[XT_MAX_MEMBERS]);

/* vd as for xt_field_value. Unsigned 64-bit members come as their two's complement. */
int64_t xt_member_value(const struct xt_member *member, const struct xt_record *record, bool vd);

/* Name of an event that no layout fits: "malformed:NAME" if only its size is wrong, else class and id. Free with g_free. */
char *xt_odd_event_name(const struct xt_layout_index *layouts, uint32_t event, bool known);
