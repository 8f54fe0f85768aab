// SPDX-License-Identifier: Apache-2.0
#include "cli/batch_line.h"

#include <string.h>

#include "base/digest.h"
#include "base/json_text.h"
#include "base/memory.h"

// Digests of the ids, open addressing, at most half full; an id's own digest is never all zero but by chance, and then
// merely never found twice.
struct BatchIds {
    DigestKey key;
    Digest *slots;
    size_t capacity, count;
};

Status batch_ids_new(BatchIds **ret_ids, Error *err) {
    BatchIds *ids = memory_new(1, sizeof *ids, err);
    TRY_NEW(ids);
    *ids = (BatchIds){0};
    Status status = digest_key_draw(&ids->key, err);
    if (status != OK) {
        memory_free(ids);
        return status;
    }
    *ret_ids = ids;
    return OK;
}

void batch_ids_free(BatchIds *ids) {
    if (!ids)
        return;
    memory_free(ids->slots);
    memory_free(ids);
}

static Digest *slot_find(Digest *slots, size_t capacity, const Digest *digest) {
    static const Digest none = {0};
    size_t at;
    memcpy(&at, digest->bytes, sizeof at);
    for (;; at++) {
        Digest *slot = &slots[at & (capacity - 1)];
        if (digest_equal(slot, &none) || digest_equal(slot, digest))
            return slot;
    }
}

static Status ids_grow(BatchIds *ids, Error *err) {
    size_t capacity = ids->capacity ? 2 * ids->capacity : 1024;
    Digest *slots = memory_new(capacity, sizeof *slots, err);
    TRY_NEW(slots);
    memset(slots, 0, capacity * sizeof *slots);
    for (size_t i = 0; i < ids->capacity; i++)
        *slot_find(slots, capacity, &ids->slots[i]) = ids->slots[i];
    memory_free(ids->slots);
    ids->slots = slots;
    ids->capacity = capacity;
    return OK;
}

static Status ids_add(BatchIds *ids, const char *id, bool *ret_new, Error *err) {
    if (2 * ids->count >= ids->capacity)
        TRY(ids_grow(ids, err));
    Digest digest = digest_make(&ids->key, id, strlen(id));
    Digest *slot = slot_find(ids->slots, ids->capacity, &digest);
    *ret_new = !digest_equal(slot, &digest);
    ids->count += *ret_new;
    *slot = digest;
    return OK;
}

static Status wrong(BatchLine *line, const char *code, Status status, Error *err) {
    line->code = code;
    line->error = *err;
    return status == ERR_MEMORY ? status : OK;
}

// The route of a line; what it may be is what generates under /v1.
static const ApiRoute *route_of(const json_t *value, const char *name, Error *err) {
    const char *method = "", *url = "";
    char model[64];
    bool known;
    if (json_get_text(value, name, "method", &method, err) != OK || json_get_text(value, name, "url", &url, err) != OK)
        return NULL;
    const ApiRoute *route = api_route(method, url, model, sizeof model, &known);
    if (!route || route->shape > API_SUMMARIZE) {
        FAIL(err, ERR_FORMAT,
             "%s: method and url are '%s %s', expected POST and /v1/completions, /v1/chat/completions or /v1/summarize",
             name, method, url);
        return NULL;
    }
    return route;
}

static Status body_read(Arena *arena, const json_t *value, Bytes text, const char *name, const GenerationOptions *own,
                        BatchLine *line, Error *err) {
    JsonItem item;
    if (!(line->route = route_of(value, name, err)))
        return wrong(line, "invalid_url", OK, err);
    if (!json_is_object(json_object_get(value, "body")) ||
        !json_text_find(text, json_text_start(text), "body", &item)) {
        Status status = FAIL(err, ERR_FORMAT, "%s: expected an object under 'body'", name);
        return wrong(line, "invalid_body", status, err);
    }
    Bytes body = {text.data + item.start, item.end - item.start};
    Status status = api_read(arena, line->route, body, own, &line->call, &line->param, err);
    line->served = status == OK;
    line->error = *err;
    return status == ERR_MEMORY ? status : OK;
}

Status batch_line_read(Arena *arena, BatchIds *ids, Bytes text, const char *name, bool whole,
                       const GenerationOptions *own, BatchLine *ret, Error *err) {
    json_t *value;
    bool new = true;
    *ret = (BatchLine){0};
    Status status = json_parse(arena, name, text, false, &value, err);
    if (status == OK && !json_is_object(value))
        status = FAIL(err, ERR_FORMAT, "%s: expected an object with custom_id, method, url and body", name);
    if (status != OK)
        return wrong(ret, "invalid_line", status, err);
    status = json_get_text(value, name, "custom_id", &ret->id, err);
    if (status == OK && !ret->id)
        status = FAIL(err, ERR_FORMAT, "%s: expected a string under 'custom_id'", name);
    if (status != OK)
        return wrong(ret, "invalid_custom_id", status, err);
    TRY(ids_add(ids, ret->id, &new, err));
    if (!new) {
        status = FAIL(err, ERR_FORMAT, "%s: custom_id '%s' was there before", name, ret->id);
        return wrong(ret, "duplicate_custom_id", status, err);
    }
    return whole ? body_read(arena, value, text, name, own, ret, err) : OK;
}
