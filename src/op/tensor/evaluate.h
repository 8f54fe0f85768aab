// SPDX-License-Identifier: Apache-2.0
// Evaluate: how a tensor operator runs. Its inputs are dense row-major tensors of any type and shape, known only now;
// it checks them, asks for memory for its outputs, and fills them. Elements of 2 and 4 bits lie one to a byte.
//
//     static Status evaluate(Evaluation *run, Error *err) {
//         const Tensor *x = &run->inputs[0];
//         float *y;
//         TRY(evaluate_real(run, 0, err));                            // the types it takes, or a sentence
//         TRY(evaluate_output(run, 0, x->dtype, &x->shape, &y, err)); // memory, not zeroed
//         ...
//
// Whoever runs graphs (exec/evaluator.h, the pass that folds constants) is the host behind it.
#pragma once

#include "op/op.h"

typedef struct EvaluateHost EvaluateHost;

struct Evaluation {
    const Node *node;
    const Tensor *inputs; // [node->input_count]; absent ones have dtype DTYPE_COUNT
    Tensor *outputs;      // [node->output_count], filled by evaluate_output, evaluate_view, evaluate_result
    void *state;          // what prepare returned; NULL where nothing was prepared
    const Kernels *kernels;
    Pool *pool;
    Arena *scratch; // emptied after the run
    const EvaluateHost *host;
    void *host_context;
};

struct EvaluateHost {
    Status (*output)(Evaluation *run, size_t index, size_t bytes, void **ret_data, Error *err);
    // Output `index` looks into the memory of input `input`.
    Status (*view)(Evaluation *run, size_t index, size_t input, Error *err);
    // Runs a body once. Results live until `run` is over. NULL: bodies cannot be run here.
    Status (*body)(Evaluation *run, const Graph *body, const Tensor *inputs, size_t count, const Tensor **ret_results,
                   Error *err);
    // Output `index` takes over a body's result.
    Status (*result)(Evaluation *run, size_t index, const Tensor *result, Error *err);
    // A body's results will not be looked at any more. NULL: they wait for the end of `run`.
    void (*done)(Evaluation *run, const Tensor *results);
};

// "Add 'name'", for messages; valid until the next call in this thread.
const char *evaluate_name(const Evaluation *run);

// Whether input or output `index` is there (an output nobody reads is there too).
bool evaluate_has(const Evaluation *run, size_t input);

// Memory for output `index`, 64-byte aligned, not zeroed; *ret_data is a T **. ERR_LIMIT when it is more than the host
// gives. Call once per output.
#define evaluate_output(run, index, dtype, shape, ret_data, err)                                                       \
    evaluate_output_bytes(run, index, dtype, shape, (void **)(void *)(ret_data), err)
MUST_CHECK Status evaluate_output_bytes(Evaluation *run, size_t index, DType dtype, const Shape *shape, void **ret_data,
                                        Error *err);

// Output `index` is the bytes of input `input` under another shape (and type of equal width): nothing is copied.
MUST_CHECK Status evaluate_view(Evaluation *run, size_t index, size_t input, DType dtype, const Shape *shape,
                                Error *err);

// Bodies of If and Loop.
MUST_CHECK Status evaluate_body(Evaluation *run, const Graph *body, const Tensor *inputs, size_t count,
                                const Tensor **ret_results, Error *err);
MUST_CHECK Status evaluate_result(Evaluation *run, size_t index, const Tensor *result, Error *err);
// Gives back what one run of a body returned, but for what outputs and later results hold of it.
void evaluate_body_done(Evaluation *run, const Tensor *results);

// Sets of types, for evaluate_type: bits 1 << DType.
typedef uint32_t DTypeSet;
#define DTYPE_BIT(dtype) (UINT32_C(1) << (dtype))
#define DTYPES_REAL (DTYPE_BIT(DTYPE_F64) | DTYPE_BIT(DTYPE_F32) | DTYPE_BIT(DTYPE_F16) | DTYPE_BIT(DTYPE_BF16))
#define DTYPES_SIGNED (DTYPE_BIT(DTYPE_I64) | DTYPE_BIT(DTYPE_I32) | DTYPE_BIT(DTYPE_I16) | DTYPE_BIT(DTYPE_I8))
#define DTYPES_UNSIGNED (DTYPE_BIT(DTYPE_U64) | DTYPE_BIT(DTYPE_U32) | DTYPE_BIT(DTYPE_U16) | DTYPE_BIT(DTYPE_U8))
#define DTYPES_INTEGER (DTYPES_SIGNED | DTYPES_UNSIGNED)
#define DTYPES_NUMBER (DTYPES_REAL | DTYPES_INTEGER)
#define DTYPES_INDEX (DTYPE_BIT(DTYPE_I64) | DTYPE_BIT(DTYPE_I32))
#define DTYPES_BOOL DTYPE_BIT(DTYPE_BOOL)

// Input `index` must be there with a type of the set: ERR_FORMAT naming it where it is absent, ERR_UNSUPPORTED naming
// the type and those taken.
MUST_CHECK Status evaluate_type(const Evaluation *run, size_t index, DTypeSet types, Error *err);
// Inputs `a` and `b` must have one type.
MUST_CHECK Status evaluate_same_type(const Evaluation *run, size_t a, size_t b, Error *err);

// A small list or a single integer (i64, i32) out of input `index`: at most `most`.
MUST_CHECK Status evaluate_ints(const Evaluation *run, size_t index, size_t most, int64_t *ret_values,
                                size_t *ret_count, Error *err);
// The one number in input `index`, of any number type or bool.
MUST_CHECK Status evaluate_number(const Evaluation *run, size_t index, double *ret_value, Error *err);

// Attribute `name` as an axis of `rank` dimensions (negative: from the end), or `missing`; inclusive: `rank` itself
// too.
MUST_CHECK Status evaluate_axis(const Evaluation *run, const char *name, int64_t missing, int rank, bool inclusive,
                                int *ret_axis, Error *err);
// The same for a value that came from elsewhere.
MUST_CHECK Status evaluate_axis_value(const Evaluation *run, int64_t value, int rank, bool inclusive, int *ret_axis,
                                      Error *err);

// Elements of a shape that a tensor has (so nothing overflows), and of its dimensions [first, last).
size_t shape_count(const Shape *shape);
size_t shape_count_range(const Shape *shape, int first, int last);

// Where an element of one shape lies in another that broadcasts to it: elements to step per dimension, 0 where the
// smaller one repeats. `to` is the larger shape.
void shape_strides(const Shape *shape, int64_t ret_strides[SHAPE_MOST_DIMS]);
void shape_broadcast_strides(const Shape *from, const Shape *to, int64_t ret_strides[SHAPE_MOST_DIMS]);
// The shape that both broadcast to; false when they do not.
bool shape_broadcast(const Shape *a, const Shape *b, Shape *ret);

// Elements as f32 or as f64 in the run's scratch, exact where the type can hold them; f32 (f64) tensors are used as
// they are. Any type but strings.
MUST_CHECK Status evaluate_as_f32(Evaluation *run, size_t index, const float **ret_values, Error *err);
MUST_CHECK Status evaluate_as_f64(Evaluation *run, size_t index, const double **ret_values, Error *err);
// `count` f32 become elements of a real type, rounded to nearest, ties to even.
void real_store(DType dtype, const float *values, size_t count, void *ret_elements);

// Calls work(context, first, last) over [0, count), in parts on the pool where there are many elements in all.
void evaluate_parallel(const Evaluation *run, size_t count, size_t elements,
                       void (*work)(void *context, size_t first, size_t last), void *context);
