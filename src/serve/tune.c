// SPDX-License-Identifier: Apache-2.0
// Made-up work for the search of the batch size.
#include "serve/tune.h"

#include "base/random.h"

enum { SOURCES = 64, SOURCE_TOKENS = 200, LEAST_NEW = 10, MOST_NEW = 80 };

typedef struct Sources {
    const int32_t *ids[SOURCES];
    size_t lengths[SOURCES];
} Sources;

static Status sources_draw(Arena *arena, const ModelInfo *info, Sources *ret, Error *err) {
    Random random = {1};
    for (size_t i = 0; i < SOURCES; i++) {
        size_t length = SOURCE_TOKENS / 2 + random_next(&random) % SOURCE_TOKENS;
        length = length < info->most_positions ? length : info->most_positions;
        int32_t *ids = arena_array(arena, length, sizeof *ids, err);
        TRY_NEW(ids);
        for (size_t k = 0; k < length; k++)
            ids[k] = (int32_t)(random_next(&random) % info->vocabulary);
        ret->ids[i] = ids;
        ret->lengths[i] = length;
    }
    return OK;
}

Status tune_batch(Runtime *runtime, size_t most, double target_ms, BatchCurve *ret_curve, Error *err) {
    Arena arena;
    arena_init(&arena, 0);
    Sources sources;
    size_t positions = runtime->info->most_positions;
    BatchSearch search = {.work = {.sources = sources.ids,
                                   .source_lengths = sources.lengths,
                                   .source_count = SOURCES,
                                   .outputs = {LENGTHS_UNIFORM, (double)(positions < LEAST_NEW ? positions : LEAST_NEW),
                                               (double)(positions < MOST_NEW ? positions : MOST_NEW)},
                                   .options = *model_generation(runtime->model)},
                          .most_batch = most,
                          .target_ms = target_ms,
                          .point_s = 0.3};
    search.work.options.num_beams = search.work.options.num_return_sequences = 1;
    search.work.options.do_sample = false;
    search.work.options.min_length = 0;
    Status status = sources_draw(&arena, runtime->info, &sources, err);
    if (status == OK)
        status = find_batch(runtime->engine, &search, ret_curve, err);
    arena_done(&arena);
    return status;
}
