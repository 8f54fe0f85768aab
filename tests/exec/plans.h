// SPDX-License-Identifier: Apache-2.0
// Graphs made from text, with constants filled at random, and plans of them run on inputs of our own.
#pragma once

#include "base/random.h"
#include "check.h"
#include "exec/plan.h"
#include "graph/print.h"

static inline float plan_noise(Random *random) {
    return (float)(random_unit(random) * 2 - 1);
}

// Values for a constant as its dtype and scheme store them.
static inline void constant_noise(Arena *arena, Constant *c, Random *random) {
    Error err;
    size_t count;
    ck_assert(shape_elements(&c->shape, &count));
    void *data = arena_alloc(arena, count * dtype_bytes(c->dtype), 64, &err);
    ck_assert_ptr_nonnull(data);
    for (size_t i = 0; i < count; i++) {
        float value = plan_noise(random);
        if (c->dtype == DTYPE_F32)
            ((float *)data)[i] = value;
        else if (c->dtype == DTYPE_F16)
            ((uint16_t *)data)[i] = f32_to_f16(value);
        else if (c->dtype == DTYPE_BF16)
            ((uint16_t *)data)[i] = f32_to_bf16(value);
        else
            ((int8_t *)data)[i] = (int8_t)(value * 127);
    }
    c->data = data;
    if (c->scheme != SCHEME_INT8_ROW)
        return;
    float *scales = arena_array(arena, (size_t)c->shape.dims[0], sizeof *scales, &err);
    for (int64_t r = 0; r < c->shape.dims[0]; r++)
        scales[r] = 0.01f + 0.01f * plan_noise(random) * plan_noise(random);
    c->scales = scales;
}

// A verified graph whose constants of the same name have the same values under the same seed.
static inline Graph *graph_from(Arena *arena, const char *text, uint64_t seed) {
    Error err;
    Graph *graph = NULL;
    CHECK_OK(graph_parse(arena, "text", (Bytes){(const unsigned char *)text, strlen(text)}, &graph, &err));
    CHECK_OK(op_verify(graph, &err));
    for (size_t i = 0; i < graph->constant_count; i++) {
        Random random = {seed};
        for (const char *c = graph->constants[i]->name; *c; c++)
            random.state = random.state * 31 + (unsigned char)*c;
        if (!graph->constants[i]->part_count)
            constant_noise(arena, graph->constants[i], &random);
    }
    return graph;
}

static inline Plan *plan_of(Arena *arena, const Graph *graph, const Kernels *kernels, Pool *pool, size_t most_rows) {
    Error err;
    Plan *plan = NULL;
    size_t dims[4] = {most_rows, most_rows, most_rows, most_rows};
    PlanSettings settings = {kernels, pool, dims, most_rows};
    CHECK_OK(plan_make(arena, graph, &settings, &plan, &err));
    return plan;
}

// Fills every input for `rows` rows: ids below `ids`, or noise.
static inline void plan_fill_inputs(const Plan *plan, size_t rows, uint32_t ids, uint64_t seed) {
    Random random = {seed};
    const Graph *graph = plan_graph(plan);
    for (size_t n = 0, index = 0; n < graph->node_count; n++) {
        const ValueType *type = &graph->nodes[n]->types[0];
        if (graph->nodes[n]->op != OP_INPUT)
            continue;
        void *data = plan_input(plan, index++);
        size_t count = rows * (type->rank == 2 ? (size_t)type->dims[1].value : 1);
        for (size_t i = 0; i < count; i++)
            if (type->dtype == DTYPE_I32)
                ((int32_t *)data)[i] = (int32_t)random_below(&random, ids);
            else
                ((float *)data)[i] = plan_noise(&random);
    }
}

// The same numbers: equal, or both NaN. Zeros of either sign are equal, as passes take them to be.
static inline bool slabs_equal(const Slab *a, const Slab *b) {
    bool equal = a->rows == b->rows && a->columns == b->columns;
    for (size_t r = 0; r < a->rows && equal; r++)
        for (size_t c = 0; c < a->columns; c++) {
            float x = ((const float *)a->data)[r * a->row_stride + c],
                  y = ((const float *)b->data)[r * b->row_stride + c];
            equal &= x == y || (x != x && y != y);
        }
    return equal;
}
