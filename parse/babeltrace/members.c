#include "parse/babeltrace/members.h"

#include <string.h>

static bool is_packed(const struct xt_field *field)
{
    return field->type == XT_FIELD_VCPU || field->type == XT_FIELD_DV || field->type == XT_FIELD_VD;
}

static bool is_wide(const struct xt_field *field)
{
    return field->type == XT_FIELD_U64 || field->type == XT_FIELD_X64;
}

static bool is_present(const struct xt_field *field, unsigned n_words)
{
    return field->type == XT_FIELD_STATE || field->word + (is_wide(field) ? 2u : 1u) <= n_words;
}

static uint8_t whole_bytes(unsigned bits)
{
    return bits <= 8 ? 8 : bits <= 16 ? 16 : bits <= 32 ? 32 : 64;
}

static enum xt_member_type type_of(const struct xt_field *field)
{
    switch ((enum xt_field_type)field->type) {
    case XT_FIELD_SINT:
        return XT_MEMBER_INT;
    case XT_FIELD_HEX:
    case XT_FIELD_X64:
        return XT_MEMBER_HEX;
    case XT_FIELD_STATE:
        return XT_MEMBER_STATE;
    default:
        return XT_MEMBER_UINT;
    }
}

static void set_name(struct xt_member *m, const struct xt_field *field, const char *suffix)
{
    int n;

    if (!suffix)
        n = g_snprintf(m->name, sizeof(m->name), "%s", field->name);
    else if (!strcmp(field->name, "vcpu"))
        n = g_snprintf(m->name, sizeof(m->name), "%s", suffix);
    else
        n = g_snprintf(m->name, sizeof(m->name), "%s_%s", field->name, suffix);
    g_assert(n < XT_MAX_MEMBER_NAME);
}

unsigned xt_members_of(const struct xt_layout *layout, unsigned n_words, struct xt_member members[XT_MAX_MEMBERS])
{
    unsigned n = 0;

    for (unsigned f = 0; f < layout->n_fields; f++) {
        const struct xt_field *field = &layout->fields[f];
        if (!is_present(field, n_words))
            continue;
        g_assert(n + 2 <= XT_MAX_MEMBERS);
        if (is_packed(field)) {
            members[n] = (struct xt_member){ .field = field, .part = XT_PART_DOMID, .bits = 16 };
            set_name(&members[n++], field, "dom");
            members[n] = (struct xt_member){ .field = field, .part = XT_PART_VCPU, .bits = 16 };
            set_name(&members[n++], field, "vcpu");
            continue;
        }
        bool named = !field->unit || g_str_has_suffix(field->name, field->unit);
        members[n] = (struct xt_member){ .field = field, .type = type_of(field), .bits = whole_bytes(field->bits) };
        set_name(&members[n++], field, named ? NULL : field->unit);
    }
    return n;
}

int64_t xt_member_value(const struct xt_member *member, const struct xt_record *record, bool vd)
{
    int64_t value = xt_field_value(member->field, record, vd);

    switch ((enum xt_member_part)member->part) {
    case XT_PART_DOMID:
        return value >> 16 & 0xffff;
    case XT_PART_VCPU:
        return value & 0xffff;
    case XT_PART_WHOLE:
        break;
    }
    return value;
}

char *xt_odd_event_name(const struct xt_layout_index *layouts, uint32_t event, bool known)
{
    const struct xt_layout *row;

    for (unsigned i = 0; known && (row = xt_layout_nth(layouts, i)); i++)
        if (row->event == event)
            return g_strconcat("malformed:", row->name, NULL);
    return xt_event_unknown_name(event);
}
