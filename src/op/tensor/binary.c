// SPDX-License-Identifier: Apache-2.0
// The walk over two tensors that broadcast: dimensions that both step through alike are taken together, the last of
// what remains is the run of a loop, the others are counted.
#include "op/tensor/binary.h"

#include <string.h>

// The result's dimensions, fewest possible, with the steps of both operands.
typedef struct Walk {
    int rank;
    int64_t dims[SHAPE_MOST_DIMS], a[SHAPE_MOST_DIMS], b[SHAPE_MOST_DIMS];
} Walk;

// Dimension i goes into the one before it where both operands step through the two as through one.
static Walk walk_make(const Shape *x, const Shape *y, const Shape *to) {
    Walk walk = {0};
    int64_t a[SHAPE_MOST_DIMS], b[SHAPE_MOST_DIMS];
    shape_broadcast_strides(x, to, a);
    shape_broadcast_strides(y, to, b);
    for (int i = 0; i < to->rank; i++) {
        int last = walk.rank - 1;
        if (to->dims[i] == 1)
            continue;
        if (last >= 0 && walk.a[last] == a[i] * to->dims[i] && walk.b[last] == b[i] * to->dims[i]) {
            walk.dims[last] *= to->dims[i];
            walk.a[last] = a[i];
            walk.b[last] = b[i];
            continue;
        }
        walk.dims[walk.rank] = to->dims[i];
        walk.a[walk.rank] = a[i];
        walk.b[walk.rank++] = b[i];
    }
    if (!walk.rank) {
        walk.rank = 1;
        walk.dims[0] = 1;
    }
    return walk;
}

typedef struct Job {
    Walk walk;
    BinaryLoop *loop;
    const unsigned char *a, *b;
    unsigned char *y;
    size_t in_bytes, out_bytes, run; // `run`: results of one call of the loop
} Job;

static void work(void *context, size_t first, size_t last) {
    const Job *job = context;
    const Walk *walk = &job->walk;
    int inner = walk->rank - 1;
    for (size_t i = first; i < last; i++) {
        size_t rest = i;
        int64_t a = 0, b = 0;
        for (int d = inner - 1; d >= 0; d--) {
            int64_t at = (int64_t)(rest % (size_t)walk->dims[d]);
            rest /= (size_t)walk->dims[d];
            a += at * walk->a[d];
            b += at * walk->b[d];
        }
        job->loop(job->a + (size_t)a * job->in_bytes, (size_t)walk->a[inner], job->b + (size_t)b * job->in_bytes,
                  (size_t)walk->b[inner], job->run, job->y + i * job->run * job->out_bytes);
    }
}

// A single long run is cut into pieces for the threads.
static void work_flat(void *context, size_t first, size_t last) {
    const Job *job = context;
    size_t a = (size_t)job->walk.a[0], b = (size_t)job->walk.b[0];
    job->loop(job->a + first * a * job->in_bytes, a, job->b + first * b * job->in_bytes, b, last - first,
              job->y + first * job->out_bytes);
}

typedef struct Operand {
    const void *data;
    Shape shape;
} Operand;

static void pair_run(const Evaluation *run, BinaryLoop *loop, DType dtype, bool compares, Operand x, Operand y,
                     const Shape *to, void *out) {
    Job job = {.walk = walk_make(&x.shape, &y.shape, to), .loop = loop, .a = x.data, .b = y.data, .y = out};
    size_t count = shape_count(to);
    job.in_bytes = dtype_bytes(dtype);
    job.out_bytes = compares ? 1 : job.in_bytes;
    job.run = (size_t)job.walk.dims[job.walk.rank - 1];
    if (!count)
        return;
    if (job.walk.rank == 1)
        evaluate_parallel(run, count, count, work_flat, &job);
    else
        evaluate_parallel(run, count / job.run, count, work, &job);
}

static bool is_half(DType dtype) {
    return dtype == DTYPE_F16 || dtype == DTYPE_BF16;
}

static Status loop_find(const Evaluation *run, const Binary *binary, BinaryLoop **ret_loop, Error *err) {
    DTypeSet types = 0;
    for (DType d = 0; d < DTYPE_COUNT; d++)
        if (binary->loops[is_half(d) ? DTYPE_F32 : d])
            types |= DTYPE_BIT(d);
    TRY(evaluate_type(run, 0, types, err));
    DType dtype = run->inputs[0].dtype;
    *ret_loop = binary->loops[is_half(dtype) ? DTYPE_F32 : dtype];
    return OK;
}

static Status shapes_fit(const Evaluation *run, const Shape *a, const Shape *b, Shape *ret_shape, Error *err) {
    char x[SHAPE_TEXT_BYTES], y[SHAPE_TEXT_BYTES];
    if (shape_broadcast(a, b, ret_shape))
        return OK;
    return FAIL(err, ERR_FORMAT, "%s: shapes %s and %s do not broadcast", evaluate_name(run), shape_text(a, x),
                shape_text(b, y));
}

static Status operand_make(Evaluation *run, size_t index, Operand *ret, Error *err) {
    const Tensor *tensor = &run->inputs[index];
    *ret = (Operand){tensor->data, tensor->shape};
    if (is_half(tensor->dtype))
        TRY(evaluate_as_f32(run, index, (const float **)&ret->data, err));
    return OK;
}

Status binary_evaluate(Evaluation *run, const Binary *binary, Error *err) {
    BinaryLoop *loop;
    Operand x, y;
    Shape shape;
    TRY(loop_find(run, binary, &loop, err));
    TRY(evaluate_same_type(run, 0, 1, err));
    TRY(shapes_fit(run, &run->inputs[0].shape, &run->inputs[1].shape, &shape, err));
    TRY(operand_make(run, 0, &x, err));
    TRY(operand_make(run, 1, &y, err));
    DType dtype = run->inputs[0].dtype;
    void *out;
    TRY(evaluate_output(run, 0, binary->compares ? DTYPE_BOOL : dtype, &shape, &out, err));
    if (!is_half(dtype) || binary->compares) {
        pair_run(run, loop, is_half(dtype) ? DTYPE_F32 : dtype, binary->compares, x, y, &shape, out);
        return OK;
    }
    float *wide = arena_alloc(run->scratch, shape_count(&shape) * sizeof *wide, 64, err);
    TRY_NEW(wide);
    pair_run(run, loop, DTYPE_F32, false, x, y, &shape, wide);
    real_store(dtype, wide, shape_count(&shape), out);
    return OK;
}

Status binary_fold(Evaluation *run, const Binary *binary, Error *err) {
    BinaryLoop *loop;
    TRY(loop_find(run, binary, &loop, err));
    DType dtype = run->inputs[0].dtype, wide_dtype = is_half(dtype) ? DTYPE_F32 : dtype;
    Operand sum;
    TRY(operand_make(run, 0, &sum, err));
    for (size_t i = 1; i < run->node->input_count; i++) {
        Operand next;
        Shape shape;
        TRY(evaluate_same_type(run, 0, i, err));
        TRY(shapes_fit(run, &sum.shape, &run->inputs[i].shape, &shape, err));
        TRY(operand_make(run, i, &next, err));
        void *out = arena_alloc(run->scratch, shape_count(&shape) * dtype_bytes(wide_dtype), 64, err);
        TRY_NEW(out);
        pair_run(run, loop, wide_dtype, false, sum, next, &shape, out);
        sum = (Operand){out, shape};
    }
    void *out;
    TRY(evaluate_output(run, 0, dtype, &sum.shape, &out, err));
    if (is_half(dtype))
        real_store(dtype, sum.data, shape_count(&sum.shape), out);
    else if (shape_count(&sum.shape))
        memcpy(out, sum.data, shape_count(&sum.shape) * dtype_bytes(dtype));
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
