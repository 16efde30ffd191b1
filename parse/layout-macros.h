/* Shorthands for the rows of the decode-*.c tables; for those files only. */
#pragma once

#include "parse/layout.h"
#include "parse/sink.h"

#define F(name_, word_) { .name = name_, .type = XT_FIELD_UINT, .word = word_, .bits = 32 }
#define F_NS(name_, word_) { .name = name_, .type = XT_FIELD_UINT, .word = word_, .bits = 32, .unit = "ns" }
#define F_S32(name_, word_, unit_) { .name = name_, .type = XT_FIELD_SINT, .word = word_, .bits = 32, .unit = unit_ }
#define F_HEX(name_, word_) { .name = name_, .type = XT_FIELD_HEX, .word = word_, .bits = 32 }
#define F_BITS(name_, word_, lo_, bits_) { .name = name_, .type = XT_FIELD_UINT, .word = word_, .lo = lo_, .bits = bits_ }
#define F_PCPU(name_, word_) { .name = name_, .type = XT_FIELD_UINT, .word = word_, .bits = 32, .unit = "pcpu" }
#define F_U64(name_, word_, unit_) { .name = name_, .type = XT_FIELD_U64, .word = word_, .bits = 64, .unit = unit_ }
#define F_X64(name_, word_) { .name = name_, .type = XT_FIELD_X64, .word = word_, .bits = 64 }
#define F_VCPU(word_) { .name = "vcpu", .type = XT_FIELD_VCPU, .word = word_, .bits = 32, .slot = XT_SLOT_DOMID }
#define F_DV(word_) { .name = "vcpu", .type = XT_FIELD_DV, .word = word_, .bits = 32, .slot = XT_SLOT_DOMID }

#define XT_ROW(event_, words_, kind_, scheduler_, name_, versions_, ...) \
    { .event = event_, .min_words = words_, .max_words = words_, .kind = kind_, .scheduler = scheduler_, \
      .name = name_, .versions = versions_, XT_FIELDS(__VA_ARGS__) }
#define XT_ROW0(event_, kind_, scheduler_, name_, versions_) \
    { .event = event_, .kind = kind_, .scheduler = scheduler_, .name = name_, .versions = versions_ }
