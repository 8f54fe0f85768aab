// SPDX-License-Identifier: Apache-2.0
// Pairs of elements of two tensors that broadcast, and folds of more.
#include "op/tensor/binary.h"

#include <string.h>

#include "op/tensor/walk.h"

typedef struct Job {
    BinaryLoop *loop;
    const unsigned char *a, *b;
    unsigned char *y;
    size_t in_bytes, out_bytes;
} Job;

static void pairs_loop(const void *context, const size_t *at, const size_t *steps, size_t first, size_t count) {
    const Job *job = context;
    job->loop(job->a + at[0] * job->in_bytes, steps[0], job->b + at[1] * job->in_bytes, steps[1], count,
              job->y + first * job->out_bytes);
}

void binary_pairs(const Evaluation *run, BinaryLoop *loop, BinaryOperand x, BinaryOperand y, size_t in_bytes,
                  const Shape *to, size_t out_bytes, void *out) {
    Walk walk = walk_make((const Shape *[]){&x.shape, &y.shape}, 2, to);
    Job job = {.loop = loop, .a = x.data, .b = y.data, .y = out, .in_bytes = in_bytes, .out_bytes = out_bytes};
    walk_run(run, &walk, pairs_loop, &job);
}

static Status loop_find(const Evaluation *run, const Binary *binary, BinaryLoop **ret_loop, Error *err) {
    DTypeSet types = 0;
    for (DType d = 0; d < DTYPE_COUNT; d++)
        if (binary->loops[loops_dtype(d)])
            types |= DTYPE_BIT(d);
    TRY(evaluate_type(run, 0, types, err));
    *ret_loop = binary->loops[loops_dtype(run->inputs[0].dtype)];
    return OK;
}

static Status operand_make(Evaluation *run, size_t index, BinaryOperand *ret, Error *err) {
    const Tensor *tensor = &run->inputs[index];
    *ret = (BinaryOperand){tensor->data, tensor->shape};
    if (loops_dtype(tensor->dtype) != tensor->dtype)
        TRY(evaluate_as_f32(run, index, (const float **)&ret->data, err));
    return OK;
}

Status binary_evaluate(Evaluation *run, const Binary *binary, Error *err) {
    BinaryLoop *loop;
    BinaryOperand x, y;
    TRY(loop_find(run, binary, &loop, err));
    TRY(evaluate_same_type(run, 0, 1, err));
    Shape shape = run->inputs[0].shape;
    TRY(walk_broadcast(run, &shape, &run->inputs[1].shape, err));
    TRY(operand_make(run, 0, &x, err));
    TRY(operand_make(run, 1, &y, err));
    DType dtype = run->inputs[0].dtype, wide_dtype = loops_dtype(dtype);
    size_t bytes = dtype_bytes(wide_dtype);
    void *out;
    TRY(evaluate_output(run, 0, binary->compares ? DTYPE_BOOL : dtype, &shape, &out, err));
    if (wide_dtype == dtype || binary->compares) {
        binary_pairs(run, loop, x, y, bytes, &shape, binary->compares ? 1 : bytes, out);
        return OK;
    }
    float *wide = arena_alloc(run->scratch, shape_count(&shape) * sizeof *wide, 64, err);
    TRY_NEW(wide);
    binary_pairs(run, loop, x, y, bytes, &shape, bytes, wide);
    real_store(dtype, wide, shape_count(&shape), out);
    return OK;
}

static void values_divide(DType dtype, void *values, size_t count, size_t by) {
    if (dtype == DTYPE_F64)
        for (size_t i = 0; i < count; i++)
            ((double *)values)[i] /= (double)by;
    else
        for (size_t i = 0; i < count; i++)
            ((float *)values)[i] /= (float)by;
}

Status binary_fold(Evaluation *run, const Binary *binary, Error *err) {
    BinaryLoop *loop;
    TRY(loop_find(run, binary, &loop, err));
    DType dtype = run->inputs[0].dtype, wide_dtype = loops_dtype(dtype);
    size_t bytes = dtype_bytes(wide_dtype), inputs = run->node->input_count;
    BinaryOperand sum;
    TRY(operand_make(run, 0, &sum, err));
    for (size_t i = 1; i < inputs; i++) {
        BinaryOperand next;
        Shape shape = sum.shape;
        TRY(evaluate_same_type(run, 0, i, err));
        TRY(walk_broadcast(run, &shape, &run->inputs[i].shape, err));
        TRY(operand_make(run, i, &next, err));
        void *out = arena_alloc(run->scratch, shape_count(&shape) * bytes, 64, err);
        TRY_NEW(out);
        binary_pairs(run, loop, sum, next, bytes, &shape, bytes, out);
        if (binary->averages && i == inputs - 1)
            values_divide(dtype, out, shape_count(&shape), inputs);
        sum = (BinaryOperand){out, shape};
    }
    void *out;
    TRY(evaluate_output(run, 0, dtype, &sum.shape, &out, err));
    if (wide_dtype != dtype)
        real_store(dtype, sum.data, shape_count(&sum.shape), out);
    else if (shape_count(&sum.shape))
        memcpy(out, sum.data, shape_count(&sum.shape) * bytes);
    return OK;
}

Status binary_infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ret_types[0] = infer_broadcast(infer_type(node, 0), infer_type(node, 1));
    return OK;
}

Status binary_infer_bool(const Node *node, ValueType *ret_types, Error *err) {
    TRY(binary_infer(node, ret_types, err));
    ret_types[0] = infer_as(ret_types[0], DTYPE_BOOL);
    return OK;
}

Status binary_infer_fold(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ret_types[0] = infer_type(node, 0);
    for (size_t i = 1; i < node->input_count; i++)
        ret_types[0] = infer_broadcast(ret_types[0], infer_type(node, i));
    return OK;
}
