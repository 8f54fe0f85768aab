// SPDX-License-Identifier: Apache-2.0
#include "bench/plan.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

enum { MOST_SOURCES = 1 << 20, MOST_TOKENS = 1 << 20 };

static Status source_read(Arena *arena, const char *name, const json_t *line, PlanSource *ret, Error *err) {
    const json_t *ids = NULL;
    const char *text = NULL;
    TRY(json_get_array(line, name, "input_ids", &ids, err));
    if (!ids)
        TRY(json_get_text(line, name, "text", &text, err));
    if (!ids && !text)
        return FAIL(err, ERR_FORMAT, "%s has neither 'input_ids' nor 'text'", name);
    Buffer json = {0};
    json_print(ids ? ids : json_object_get(line, "text"), JSON_COMPACT | JSON_ENCODE_ANY, &json);
    Status status = buffer_status(&json, err);
    if (status == OK) {
        *ret = (PlanSource){arena_copy_text(arena, json.data, json.bytes, err), json.bytes, json_array_size(ids)};
        status = ret->json ? OK : err->status;
    }
    buffer_done(&json);
    return status;
}

static size_t count_lines(Bytes file) {
    size_t count = 0;
    for (size_t i = 0; i < file.size; i++)
        count += file.data[i] == '\n' || i + 1 == file.size;
    return count;
}

static Status lines_read(Arena *arena, Arena *scratch, const char *path, Bytes file, Plan *plan, Error *err) {
    size_t line = 0;
    for (size_t at = 0, end; at < file.size; at = end + 1, line++) {
        const unsigned char *found = memchr(file.data + at, '\n', file.size - at);
        end = found ? (size_t)(found - file.data) : file.size;
        char name[512];
        snprintf(name, sizeof name, "%.400s, line %zu", path, line + 1);
        json_t *value;
        TRY(json_parse(scratch, name, (Bytes){file.data + at, end - at}, false, &value, err));
        if (!json_is_object(value))
            return FAIL(err, ERR_FORMAT, "%s is no object", name);
        TRY(source_read(arena, name, value, &plan->sources[plan->source_count++], err));
    }
    return OK;
}

Status plan_read(Arena *arena, const char *path, Plan *ret_plan, Error *err) {
    Arena scratch;
    arena_init(&scratch, 0);
    Bytes file;
    Status status = file_map(&scratch, path, &file, err);
    size_t count = status == OK ? count_lines(file) : 0;
    if (status == OK && (!count || count > MOST_SOURCES))
        status = FAIL(err, ERR_FORMAT, "'%s' has %zu lines, expected 1 to %d sources", path, count, MOST_SOURCES);
    if (status == OK && !(ret_plan->sources = arena_array(arena, count, sizeof *ret_plan->sources, err)))
        status = err->status;
    ret_plan->source_count = 0;
    if (status == OK)
        status = lines_read(arena, &scratch, path, file, ret_plan, err);
    arena_done(&scratch);
    return status;
}

Planned plan_request(const Plan *plan, uint64_t index) {
    Random mix = {plan->seed};
    Random random = {random_next(&mix) + index};
    random.state = random_next(&random); // neighbours have nothing in common
    Planned planned = {.source = random_below(&random, (uint32_t)plan->source_count), .bad = -1};
    planned.tokens = (uint32_t)lengths_draw(&plan->lengths, &random);
    bool bad = random_unit(&random) < plan->bad;
    planned.leaves = random_unit(&random) < plan->leave;
    planned.moment = random_unit(&random);
    if (bad)
        planned.bad = (int)random_below(&random, PLAN_BAD_WAYS);
    return planned;
}

double plan_gap_s(Random *random, double rate) {
    return -log1p(-random_unit(random)) / rate;
}
