// SPDX-License-Identifier: Apache-2.0
// Golden cases of generation: {"source": ids, "options": as Hugging Face names them, "sequences": [{ids, score,
// finish}]}.
#pragma once

#include <math.h>

#include "check.h"
#include "engine/engine.h"

typedef struct Case {
    const json_t *json;
    int32_t *source;
    size_t source_count;
    GenerationOptions options;
    bool answered;
} Case;

static int32_t *ids_from_json(Arena *arena, const json_t *array, size_t *ret_count) {
    Error err;
    *ret_count = json_array_size(array);
    int32_t *ids = arena_array(arena, *ret_count + 1, sizeof *ids, &err);
    for (size_t i = 0; i < *ret_count; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(array, i));
    return ids;
}

// A JSON file below the sources.
static const json_t *golden_read(Arena *arena, const char *path) {
    Error err;
    const char *root = getenv("HONE_SOURCE");
    ck_assert_msg(root != NULL, "HONE_SOURCE must name the folder of the sources");
    json_t *value;
    CHECK_OK(json_read(arena, path_join(arena, root, path, &err), false, &value, &err));
    return value;
}

// All cases of an array; options over `defaults`.
static Case *cases_read(Arena *arena, const json_t *array, const GenerationOptions *defaults, size_t *ret_count) {
    Error err;
    *ret_count = json_array_size(array);
    ck_assert_uint_gt(*ret_count, 0);
    Case *cases = arena_array(arena, *ret_count, sizeof *cases, &err);
    for (size_t i = 0; i < *ret_count; i++) {
        cases[i].json = json_array_get(array, i);
        cases[i].source = ids_from_json(arena, json_object_get(cases[i].json, "source"), &cases[i].source_count);
        cases[i].options = *defaults;
        CHECK_OK(generation_read(arena, json_object_get(cases[i].json, "options"), "case", &cases[i].options, &err));
    }
    return cases;
}

// The answer of engine_step against what the case wants; `context` is not used, the request's `user` is the case.
static inline void case_check(void *context, const Answer *answer) {
    (void)context;
    Case *wanted = answer->user;
    char *text = json_dumps(json_object_get(wanted->json, "options"), JSON_COMPACT);
    ck_assert_msg(answer->error == NULL, "%s: %s", text, answer->error ? answer->error->message : "");
    const json_t *sequences = json_object_get(wanted->json, "sequences");
    ck_assert_uint_eq(answer->sequence_count, json_array_size(sequences));
    for (size_t i = 0; i < answer->sequence_count; i++) {
        const json_t *sequence = json_array_get(sequences, i);
        const json_t *ids = json_object_get(sequence, "ids");
        const Sequence *found = &answer->sequences[i];
        ck_assert_msg(found->count == json_array_size(ids), "%s: sequence %zu has %zu ids, expected %zu", text, i,
                      found->count, json_array_size(ids));
        for (size_t j = 0; j < found->count; j++) {
            int wanted_id = (int)json_integer_value(json_array_get(ids, j));
            ck_assert_msg(found->ids[j] == wanted_id, "%s: sequence %zu, id %zu is %d, expected %d", text, i, j,
                          found->ids[j], wanted_id);
        }
        double score = json_number_value(json_object_get(sequence, "score"));
        double slack = 1e-4 + 5e-6 * fabs(score); // negative length penalties multiply f32 sums by the length
        ck_assert_msg(fabs(found->score - score) < slack, "%s: score %.7f, expected %.7f", text, found->score, score);
        const char *finish = json_string_value(json_object_get(sequence, "finish"));
        ck_assert_msg(strcmp(finish, found->finish == FINISH_STOP ? "stop" : "length") == 0, "%s: not '%s'", text,
                      finish);
    }
    ck_assert(!wanted->answered);
    wanted->answered = true;
    memory_free(text);
}

// Runs all cases, as many in flight as the engine takes, and checks that each was answered rightly once.
static inline void cases_run(Engine *engine, Case *cases, size_t count) {
    Error err;
    for (size_t i = 0; i < count; i++)
        cases[i].answered = false;
    size_t next = 0;
    do {
        while (next < count && engine_has_room(engine)) {
            Case *one = &cases[next++];
            Request request = {.ids = one->source, .count = one->source_count, .options = one->options, .user = one};
            CHECK_OK(engine_submit(engine, &request, &err));
        }
    } while (engine_step(engine, case_check, NULL) || next < count);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(cases[i].answered, "case %zu was never answered", i);
}
