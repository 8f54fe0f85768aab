// SPDX-License-Identifier: Apache-2.0
// A list of keys; a request holds the one it came with, so that a reload never takes it away.
#include "serve/keys.h"

#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"

enum { NAME_BYTES = 64, MOST_KEYS = 10000, KEY_BYTES_MOST = 512 };

struct Key {
    char name[NAME_BYTES + 1];
    char digest[SHA256_TEXT_BYTES];
    uint64_t tenant;
    int64_t per_minute, at_once; // 0: any number
    int priority;
    bool listed;   // in the file as it was read last
    size_t owners; // exchanges
    int64_t running;
    double tokens; // of the bucket that per_minute fills
    uint64_t filled_ns;
    Key *next;
};

struct Keys {
    char path[1024];
    pthread_mutex_t lock;
    Key *first;
};

static bool is_name(const char *text) {
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("._-@", *c))
            return false;
    return *text && strlen(text) <= NAME_BYTES;
}

static bool is_digest(const char *text) {
    return strlen(text) == SHA256_TEXT_BYTES - 1 && strspn(text, "0123456789abcdefABCDEF") == SHA256_TEXT_BYTES - 1;
}

static bool read_option(const char *word, const char *name, int64_t high, int64_t *ret) {
    size_t bytes = strlen(name);
    if (strncmp(word, name, bytes) != 0 || word[bytes] != '=' || !isdigit((unsigned char)word[bytes + 1]))
        return false;
    char *end;
    long long value = strtoll(word + bytes + 1, &end, 10);
    *ret = value;
    return !*end && value >= 0 && value <= high;
}

// One line, which is changed: words are cut apart in place.
static Status read_line(char *line, const char *where, Key *ret, Error *err) {
    char *rest = line, *words[8];
    size_t count = 0;
    for (char *word; (word = strsep(&rest, " \t\r")) && count < 8;)
        if (*word)
            words[count++] = word;
    if (count < 2 || !is_name(words[0]) || !is_digest(words[1]))
        return FAIL(err, ERR_FORMAT,
                    "%s: expected 'NAME SHA256 [requests-per-minute=N] [requests=N] [priority=N]', a name of letters, "
                    "digits and ._-@ and 64 hexadecimal digits",
                    where);
    *ret = (Key){.priority = 5, .listed = true};
    memcpy(ret->name, words[0], strlen(words[0]) + 1);
    for (size_t i = 0; i < SHA256_TEXT_BYTES; i++)
        ret->digest[i] = (char)tolower((unsigned char)words[1][i]);
    int64_t priority = 5;
    for (size_t i = 2; i < count; i++)
        if (!read_option(words[i], "requests-per-minute", 1000000, &ret->per_minute) &&
            !read_option(words[i], "requests", 1000000, &ret->at_once) &&
            !read_option(words[i], "priority", 9, &priority))
            return FAIL(err, ERR_FORMAT, "%s: '%.80s' is no option of a key, or out of range", where, words[i]);
    ret->priority = (int)priority;
    return OK;
}

static Status check_rights(const char *path, Error *err) {
    struct stat stat_;
    if (stat(path, &stat_) == 0 && (stat_.st_mode & (S_IROTH | S_IWOTH | S_IWGRP)))
        return FAIL(err, ERR_FORMAT,
                    "file '%s' can be read or written by others (mode %03o): keys and their limits are its owner's "
                    "(chmod 640)",
                    path, (unsigned)(stat_.st_mode & 0777));
    return OK;
}

static void free_list(Key *first) {
    for (Key *key = first, *next; key; key = next) {
        next = key->next;
        memory_free(key);
    }
}

static Status add_line(Arena *arena, const char *text, size_t bytes, const char *where, Key **first, Error *err) {
    char *line = arena_copy_text(arena, text, bytes, err);
    TRY_NEW(line);
    line += strspn(line, " \t");
    if (!*line || *line == '#' || *line == '\r')
        return OK;
    Key read;
    TRY(read_line(line, where, &read, err));
    for (const Key *key = *first; key; key = key->next)
        if (strcmp(key->name, read.name) == 0 || strcmp(key->digest, read.digest) == 0)
            return FAIL(err, ERR_FORMAT, "%s: '%s' has the name or the digest of '%s'", where, read.name, key->name);
    Key *key = memory_new(1, sizeof *key, err);
    TRY_NEW(key);
    *key = read;
    key->next = *first;
    *first = key;
    return OK;
}

static Status read_list(const char *path, Key **ret_first, Error *err) {
    TRY(check_rights(path, err));
    Arena arena;
    arena_init(&arena, 0);
    Bytes bytes;
    Key *first = NULL;
    Status status = file_map(&arena, path, &bytes, err);
    size_t number = 0;
    for (size_t at = 0; status == OK && at < bytes.size; at++) {
        const char *text = (const char *)bytes.data + at;
        const char *end = memchr(text, '\n', bytes.size - at);
        size_t length = end ? (size_t)(end - text) : bytes.size - at;
        char where[1100];
        snprintf(where, sizeof where, "file '%s' line %zu", path, ++number);
        status = number > MOST_KEYS ? FAIL(err, ERR_LIMIT, "%s: at most %d lines are read", where, MOST_KEYS)
                                    : add_line(&arena, text, length, where, &first, err);
        at += length;
    }
    arena_done(&arena);
    if (status == OK && !first)
        status = FAIL(err, ERR_FORMAT, "file '%s' holds no key", path);
    if (status != OK) {
        free_list(first);
        return status;
    }
    *ret_first = first;
    return OK;
}

// Tenants are numbered by their names, so that a key keeps its number over reloads and restarts.
static uint64_t tenant_of(const char *name) {
    uint64_t hash = 14695981039346656037u; // FNV-1a
    for (const char *c = name; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    return hash ? hash : 1;
}

// The list as read becomes the list that holds; called with the lock held.
static void adopt(Keys *keys, Key *first) {
    for (Key *key = keys->first; key; key = key->next)
        key->listed = false;
    for (Key *read = first, *next; read; read = next) {
        next = read->next;
        read->tenant = tenant_of(read->name);
        Key *known = keys->first;
        while (known && (strcmp(known->name, read->name) != 0 || strcmp(known->digest, read->digest) != 0))
            known = known->next;
        if (known) {
            known->listed = true;
            known->per_minute = read->per_minute;
            known->at_once = read->at_once;
            known->priority = read->priority;
            memory_free(read);
            continue;
        }
        read->tokens = (double)read->per_minute;
        read->next = keys->first;
        keys->first = read;
    }
}

static void sweep(Keys *keys) {
    for (Key **link = &keys->first; *link;) {
        Key *key = *link;
        if (key->listed || key->owners) {
            link = &key->next;
            continue;
        }
        *link = key->next;
        memory_free(key);
    }
}

Status keys_reload(Keys *keys, Error *err) {
    Key *first;
    TRY(read_list(keys->path, &first, err));
    pthread_mutex_lock(&keys->lock);
    adopt(keys, first);
    sweep(keys);
    pthread_mutex_unlock(&keys->lock);
    return OK;
}

Status keys_new(const char *path, Keys **ret_keys, Error *err) {
    Keys *keys = memory_new(1, sizeof *keys, err);
    TRY_NEW(keys);
    *keys = (Keys){0};
    snprintf(keys->path, sizeof keys->path, "%s", path);
    pthread_mutex_init(&keys->lock, NULL);
    Status status = keys_reload(keys, err);
    if (status != OK) {
        keys_free(keys);
        return status;
    }
    *ret_keys = keys;
    return OK;
}

void keys_free(Keys *keys) {
    if (!keys)
        return;
    free_list(keys->first);
    pthread_mutex_destroy(&keys->lock);
    memory_free(keys);
}

// Every byte is looked at, whatever differs first.
static bool same(const char *a, const char *b) {
    unsigned difference = 0;
    for (size_t i = 0; i < SHA256_TEXT_BYTES - 1; i++)
        difference |= (unsigned char)a[i] ^ (unsigned char)b[i];
    return difference == 0;
}

static const char *presented(const char *authorization, const char *api_key) {
    if (api_key)
        return api_key;
    if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0)
        return NULL;
    return authorization + 7 + strspn(authorization + 7, " ");
}

Key *keys_find(Keys *keys, const char *authorization, const char *api_key) {
    const char *text = presented(authorization, api_key);
    size_t bytes = text ? strnlen(text, KEY_BYTES_MOST) : 0;
    Sha256 hash;
    char digest[SHA256_TEXT_BYTES];
    sha256_init(&hash);
    sha256_add(&hash, text ? text : "", bytes);
    sha256_text(&hash, digest);
    Key *found = NULL;
    pthread_mutex_lock(&keys->lock);
    for (Key *key = keys->first; key; key = key->next)
        if (same(key->digest, digest) & key->listed)
            found = key;
    if (!bytes || bytes == KEY_BYTES_MOST)
        found = NULL;
    if (found)
        found->owners++;
    pthread_mutex_unlock(&keys->lock);
    return found;
}

void key_release(Keys *keys, Key *key) {
    pthread_mutex_lock(&keys->lock);
    key->owners--;
    sweep(keys);
    pthread_mutex_unlock(&keys->lock);
}

const char *key_name(const Key *key) {
    return key->name;
}

uint64_t key_tenant(const Key *key) {
    return key->tenant;
}

int key_priority(Keys *keys, const Key *key, int asked) {
    pthread_mutex_lock(&keys->lock);
    int most = key->priority;
    pthread_mutex_unlock(&keys->lock);
    return asked < most ? most : asked;
}

static void bucket_fill(Key *key, uint64_t now_ns) {
    double most = (double)key->per_minute;
    double passed = key->filled_ns ? (double)(now_ns - key->filled_ns) / 60e9 : 1;
    key->tokens += passed * most;
    key->tokens = key->tokens < most ? key->tokens : most;
    key->filled_ns = now_ns;
}

static Status count(Key *key, uint64_t now_ns, unsigned *ret_retry_s, Error *err) {
    if (key->at_once && key->running >= key->at_once) {
        *ret_retry_s = 1;
        return FAIL(err, ERR_LIMIT, "the key '%s' has %lld requests running, which is its limit", key->name,
                    (long long)key->running);
    }
    if (key->per_minute) {
        bucket_fill(key, now_ns);
        if (key->tokens < 1) {
            *ret_retry_s = 1 + (unsigned)(60 * (1 - key->tokens) / (double)key->per_minute);
            return FAIL(err, ERR_LIMIT, "the key '%s' may send %lld requests a minute", key->name,
                        (long long)key->per_minute);
        }
        key->tokens -= 1;
    }
    key->running++;
    return OK;
}

Status key_begin(Keys *keys, Key *key, uint64_t now_ns, unsigned *ret_retry_s, Error *err) {
    pthread_mutex_lock(&keys->lock);
    Status status = count(key, now_ns, ret_retry_s, err);
    pthread_mutex_unlock(&keys->lock);
    return status;
}

void key_end(Keys *keys, Key *key) {
    pthread_mutex_lock(&keys->lock);
    key->running--;
    pthread_mutex_unlock(&keys->lock);
}
