/* VCPUs by domain << 16 | vcpu: open addressing, never more than a quarter full. {0} is an empty map. Private to parse/. */
#pragma once

#include <glib.h>
#include <stdint.h>

struct vcpu_place {
    uint32_t id;
    void *value; /* NULL: nobody's place */
};

struct vcpu_map {
    struct vcpu_place *places;
    unsigned bits; /* 2^bits places */
    uint32_t n;
};

/* The place of id, or where it would go. The upper half of an id is as telling as the lower. */
static inline struct vcpu_place *vcpu_map_place(const struct vcpu_map *map, uint32_t id)
{
    uint32_t i = id * 2654435761u >> (32 - map->bits);

    while (map->places[i].value && map->places[i].id != id)
        i = (i + 1) & ((1u << map->bits) - 1);
    return &map->places[i];
}

/* NULL if there is none. */
static inline void *vcpu_map_find(const struct vcpu_map *map, uint32_t id)
{
    return map->n ? vcpu_map_place(map, id)->value : NULL;
}

/* id is not in it yet; value is not NULL. */
static inline void vcpu_map_add(struct vcpu_map *map, uint32_t id, void *value)
{
    if (4 * map->n >= (map->places ? 1u << map->bits : 0)) {
        struct vcpu_map grown = { .bits = map->places ? map->bits + 1 : 8, .n = map->n };
        grown.places = g_new0(struct vcpu_place, (gsize)1 << grown.bits);
        for (gsize i = 0; map->places && i < (gsize)1 << map->bits; i++)
            if (map->places[i].value)
                *vcpu_map_place(&grown, map->places[i].id) = map->places[i];
        g_free(map->places);
        *map = grown;
    }
    *vcpu_map_place(map, id) = (struct vcpu_place){ id, value };
    map->n++;
}

/* The next value from place *i on, in no order of note; NULL past the last. */
static inline void *vcpu_map_next(const struct vcpu_map *map, gsize *i)
{
    while (map->places && *i < (gsize)1 << map->bits)
        if (map->places[(*i)++].value)
            return map->places[*i - 1].value;
    return NULL;
}

static inline void vcpu_map_clear(struct vcpu_map *map)
{
    g_clear_pointer(&map->places, g_free);
    *map = (struct vcpu_map){ 0 };
}
