// SPDX-License-Identifier: Apache-2.0
// The sets of names in a graph: XXH3 with a seed of the process's own, so that no file can have names chosen to fall
// into one place; open addressing with linear probing, grown in the graph's arena.
#include "graph/names.h"

#include <string.h>
#include <sys/auxv.h>
#include <xxhash.h>

#include "base/utf8.h"

// The kernel gives each process 16 random bytes.
uint64_t names_hash(const void *data, size_t bytes) {
    const void *random = (const void *)(uintptr_t)getauxval(AT_RANDOM);
    uint64_t seed = 0;
    if (random)
        memcpy(&seed, random, sizeof seed);
    return XXH3_64bits_withSeed(data, bytes, seed);
}

static uint64_t name_hash(const char *name) {
    return names_hash(name, strlen(name));
}

// The entry of that name, or the free slot where it would go. The table has free slots.
static NameEntry *slot_of(const NameTable *table, const char *name, uint64_t hash) {
    for (size_t i = hash & (table->room - 1);; i = (i + 1) & (table->room - 1)) {
        NameEntry *entry = &table->slots[i];
        if (!entry->name || (entry->hash == hash && strcmp(entry->name, name) == 0))
            return entry;
    }
}

NameEntry *names_find(const NameTable *table, const char *name) {
    if (!table->room)
        return NULL;
    NameEntry *entry = slot_of(table, name, name_hash(name));
    return entry->name ? entry : NULL;
}

static Status table_grow(NameTable *table, Arena *arena, Error *err) {
    NameTable larger = {.room = table->room ? table->room * 2 : 64, .count = table->count};
    TRY_NEW(larger.slots = arena_array(arena, larger.room, sizeof *larger.slots, err));
    for (size_t i = 0; i < table->room; i++)
        if (table->slots[i].name)
            *slot_of(&larger, table->slots[i].name, table->slots[i].hash) = table->slots[i];
    *table = larger;
    return OK;
}

Status names_add(NameTable *table, Arena *arena, const char *name, const void *object, int output, Error *err) {
    if (table->count * 2 >= table->room)
        TRY(table_grow(table, arena, err));
    uint64_t hash = name_hash(name);
    NameEntry *entry = slot_of(table, name, hash);
    if (!entry->name)
        table->count++;
    *entry = (NameEntry){.hash = hash, .name = name, .object = object, .output = output};
    return OK;
}

Status names_choose(NameTable *table, Arena *arena, const char *wish, const char **ret_name, Error *err) {
    size_t bytes = strlen(wish);
    if (bytes == 0 || utf8_valid_prefix(wish, bytes) != bytes)
        return FAIL(err, ERR_FORMAT, "'%s' cannot be a name in a graph: expected text in UTF-8", wish);
    NameEntry *taken = names_find(table, wish);
    const char *name;
    if (!taken) {
        TRY_NEW(name = arena_copy_text(arena, wish, bytes, err));
    } else {
        do
            TRY_NEW(name = arena_format(arena, err, "%s.%u", wish, ++taken->last_suffix));
        while (names_find(table, name));
    }
    *ret_name = name;
    return OK;
}

void names_clear(NameTable *table) {
    if (table->room)
        memset(table->slots, 0, table->room * sizeof *table->slots);
    table->count = 0;
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool name_is_bare_char(char c) {
    return is_letter(c) || is_digit(c) || c == '.' || c == '-';
}

bool name_is_identifier(const char *name) {
    if (!is_letter(*name))
        return false;
    for (const char *p = name; *p; p++)
        if (!is_letter(*p) && !is_digit(*p))
            return false;
    return true;
}

bool name_is_bare(const char *name) {
    for (const char *p = name; *p; p++)
        if (!name_is_bare_char(*p))
            return false;
    return *name != '\0';
}
