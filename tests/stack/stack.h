// SPDX-License-Identifier: Apache-2.0
// What the tests of the whole stack share: engines that come and go with
// their kernels and threads, and requests of many kinds.
#pragma once

#include "base/random.h"
#include "engine/engine.h"
#include "stack/quantized.h"

static inline const Model *model_of(Arena *arena, const char *path, bool passes) {
    Error err;
    const Model *model = NULL;
    CHECK_OK(model_open(arena, path, passes, &model, &err));
    return model;
}

typedef struct Stack {
    Kernels kernels;
    Pool *pool;
    Engine *engine;
} Stack;

static inline Stack *stack_make(Arena *arena, const Model *model, CpuLevel level, int threads,
                                EngineSettings settings) {
    Error err;
    Stack *stack = arena_array(arena, 1, sizeof *stack, &err);
    ck_assert_ptr_nonnull(stack);
    kernels_pick(level, &stack->kernels);
    CHECK_OK(pool_new(threads, &stack->pool, &err));
    CHECK_OK(engine_new(model_session(model), &stack->kernels, stack->pool, &settings, &stack->engine, &err));
    return stack;
}

static inline void stack_done(Stack *stack) {
    engine_free(stack->engine);
    pool_free(stack->pool);
}

// Ids 3.. of the vocabulary between <s> and </s>.
static inline size_t source_draw(Random *random, size_t vocabulary, size_t most, int32_t *ret_ids) {
    size_t count = 2 + random_below(random, (uint32_t)most - 1);
    ret_ids[0] = 0;
    for (size_t i = 1; i + 1 < count; i++)
        ret_ids[i] = (int32_t)(3 + random_below(random, (uint32_t)vocabulary - 3));
    ret_ids[count - 1] = 2;
    return count;
}

// A request, and the answer to it down to the bits of the scores.
enum { MOST_SOURCE = 512, MOST_ANSWER = 4 * 128 };

typedef struct Fixed {
    int32_t ids[MOST_SOURCE];
    size_t count;
    GenerationOptions options;
} Fixed;

typedef struct Recorded {
    int32_t ids[MOST_ANSWER];
    size_t counts[4], sequences;
    double scores[4];
    Finish finishes[4];
} Recorded;

// Into zeroed bytes, so that answers may be compared as bytes.
static inline void answer_record(const Answer *answer, Recorded *ret) {
    ck_assert_msg(answer->error == NULL, "%s", answer->error ? answer->error->message : "");
    ck_assert_uint_le(answer->sequence_count, ARRAY_COUNT(ret->scores));
    ret->sequences = answer->sequence_count;
    size_t used = 0;
    for (size_t s = 0; s < answer->sequence_count; s++) {
        const Sequence *sequence = &answer->sequences[s];
        ck_assert_uint_le(used + sequence->count, MOST_ANSWER);
        memcpy(ret->ids + used, sequence->ids, sequence->count * sizeof *ret->ids);
        used += sequence->count;
        ret->counts[s] = sequence->count;
        ret->scores[s] = sequence->score;
        ret->finishes[s] = sequence->finish;
    }
}
