/* VCPUs by domain << 16 | vcpu: open addressing, never more than a quarter full. {0} is an empty map. Private to parse/. */
#pragma once

#include <glib.h>
#include <stdint.h>

struct vcpu_place {
    uint64_t key; /* id + 1; 0: nobody's place */
    void *value;
};

struct vcpu_map {
    struct vcpu_place *places;
    unsigned shift; /* 2^(32 - shift) places */
    uint32_t n;
};

static inline uint32_t vcpu_map_room(const struct vcpu_map *map)
{
    return 1u << (32 - map->shift);
}

/* The place of id, or where it would go. The upper half of an id is as telling as the lower. */
static inline struct vcpu_place *vcpu_map_place(const struct vcpu_map *map, uint32_t id)
{
    struct vcpu_place *places = map->places;
    uint32_t i = id * 2654435761u >> map->shift;

    while (places[i].key != id + (uint64_t)1 && places[i].key)
        i = (i + 1) & (vcpu_map_room(map) - 1);
    return &places[i];
}

/* NULL if there is none. */
static inline void *vcpu_map_find(const struct vcpu_map *map, uint32_t id)
{
    return map->places ? vcpu_map_place(map, id)->value : NULL;
}

static inline void vcpu_map_grow(struct vcpu_map *map)
{
    struct vcpu_map old = *map;

    map->shift = old.places ? old.shift - 1 : 24;
    map->places = g_new0(struct vcpu_place, vcpu_map_room(map));
    for (uint32_t i = 0; old.places && i < vcpu_map_room(&old); i++)
        if (old.places[i].key)
            *vcpu_map_place(map, (uint32_t)(old.places[i].key - 1)) = old.places[i];
    g_free(old.places);
}

/* id is not in it yet. */
static inline void vcpu_map_add(struct vcpu_map *map, uint32_t id, void *value)
{
    if (!map->places || 4 * map->n >= vcpu_map_room(map))
        vcpu_map_grow(map);
    *vcpu_map_place(map, id) = (struct vcpu_place){ id + (uint64_t)1, value };
    map->n++;
}

/* The next value from place *i on, in no order of note; NULL past the last. */
static inline void *vcpu_map_next(const struct vcpu_map *map, uint32_t *i)
{
    while (map->places && *i < vcpu_map_room(map))
        if (map->places[(*i)++].key)
            return map->places[*i - 1].value;
    return NULL;
}

static inline void vcpu_map_clear(struct vcpu_map *map)
{
    g_clear_pointer(&map->places, g_free);
    *map = (struct vcpu_map){ 0 };
}
