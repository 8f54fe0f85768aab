// SPDX-License-Identifier: Apache-2.0
// Where: x where the condition holds, else y; all three broadcast. Elements of any type are moved as bits.
#include "op/tensor/infer.h"
#include "op/tensor/walk.h"

typedef struct Job {
    const unsigned char *condition, *x, *y;
    unsigned char *to;
    size_t bytes; // of an element
} Job;

// The masks of attention are one side that stays the same: spelled out, so that the compiler makes vectors.
#define WHERE_LOOP(name, Type)                                                                                         \
    static void name(const unsigned char *c, const void *from_x, const void *from_y, const size_t *steps,              \
                     size_t count, void *to) {                                                                         \
        const Type *x = from_x, *y = from_y;                                                                           \
        Type *out = to;                                                                                                \
        if (steps[0] == 1 && steps[1] == 1 && steps[2] == 0) {                                                         \
            Type other = *y;                                                                                           \
            for (size_t i = 0; i < count; i++)                                                                         \
                out[i] = c[i] ? x[i] : other;                                                                          \
        } else if (steps[0] == 1 && steps[1] == 0 && steps[2] == 1) {                                                  \
            Type other = *x;                                                                                           \
            for (size_t i = 0; i < count; i++)                                                                         \
                out[i] = c[i] ? other : y[i];                                                                          \
        } else {                                                                                                       \
            for (size_t i = 0; i < count; i++)                                                                         \
                out[i] = c[i * steps[0]] ? x[i * steps[1]] : y[i * steps[2]];                                          \
        }                                                                                                              \
    }

WHERE_LOOP(where_8, uint8_t)
WHERE_LOOP(where_16, uint16_t)
WHERE_LOOP(where_32, uint32_t)
WHERE_LOOP(where_64, uint64_t)

static void where_loop(const void *context, const size_t *at, const size_t *steps, size_t first, size_t count) {
    const Job *job = context;
    const unsigned char *c = job->condition + at[0], *x = job->x + at[1] * job->bytes, *y = job->y + at[2] * job->bytes;
    unsigned char *to = job->to + first * job->bytes;
    if (job->bytes == 1)
        where_8(c, x, y, steps, count, to);
    else if (job->bytes == 2)
        where_16(c, x, y, steps, count, to);
    else if (job->bytes == 4)
        where_32(c, x, y, steps, count, to);
    else
        where_64(c, x, y, steps, count, to);
}

static Status evaluate(Evaluation *run, Error *err) {
    TRY(evaluate_type(run, 0, DTYPES_BOOL, err));
    TRY(evaluate_type(run, 1, DTYPES_NUMBER | DTYPES_BOOL, err));
    TRY(evaluate_same_type(run, 1, 2, err));
    const Tensor *in = run->inputs;
    Shape shape = in[0].shape;
    TRY(walk_broadcast(run, &shape, &in[1].shape, err));
    TRY(walk_broadcast(run, &shape, &in[2].shape, err));
    Job job = {.condition = in[0].data, .x = in[1].data, .y = in[2].data, .bytes = dtype_bytes(in[1].dtype)};
    TRY(evaluate_output(run, 0, in[1].dtype, &shape, &job.to, err));
    Walk walk = walk_make((const Shape *[]){&in[0].shape, &in[1].shape, &in[2].shape}, 3, &shape);
    walk_run(run, &walk, where_loop, &job);
    return OK;
}

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ret_types[0] = infer_broadcast(infer_broadcast(infer_type(node, 1), infer_type(node, 2)), infer_type(node, 0));
    return OK;
}

const OpDef op_tensor_where = {.infer = infer, .evaluate = evaluate};
