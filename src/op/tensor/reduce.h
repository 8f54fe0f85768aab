// SPDX-License-Identifier: Apache-2.0
// Reduce: folding the elements of a tensor along axes. A file of an operator gives what is folded:
//
//     REDUCE_LOOPS(squares, uint64_t, uint64_t, 0, x * x, a + v)   // element x gives v, folded into a, from 0 on
//
// Reals are folded in double, so that sums of any length are right to the last places of f32; integers in 64 bits,
// where they wrap. Results are accumulators of 8 bytes until they are stored.
#pragma once

#include "op/tensor/evaluate.h"
#include "op/tensor/infer.h"
#include "op/tensor/integers.h"

// `run` folds `count` elements into the one accumulator, `rows` folds element i into accumulator i. `shifts`: a number
// that belongs to each accumulator (a mean, a maximum), NULL: 0.
typedef void ReduceLoop(const void *x, size_t count, const void *shifts, void *accumulators);
typedef struct ReduceLoops {
    ReduceLoop *run, *rows;
} ReduceLoops;

// Loops of f32 and f64, both into double.
typedef struct ReduceReals {
    ReduceLoops f32, f64;
} ReduceReals;

extern const ReduceReals reduce_sums;       // x
extern const ReduceReals reduce_magnitudes; // |x|
extern const ReduceReals reduce_squares;    // (x - shift)^2
extern const ReduceReals reduce_exponents;  // e^(x - shift)
extern const ReduceReals reduce_products;
extern const ReduceReals reduce_maxima; // NaN stays
extern const ReduceReals reduce_minima;

// Which elements fold together. Dimensions that do so, or do not, side by side are one; the last of these groups is
// `inner`, the others are counted, the fastest first.
typedef struct ReducePlan {
    size_t outputs, reduced; // accumulators, elements folded into each
    size_t inner;
    bool inner_reduced;
    int kept_rank, reduced_rank;
    size_t kept_dims[SHAPE_MOST_DIMS], kept_steps[SHAPE_MOST_DIMS];
    size_t reduced_dims[SHAPE_MOST_DIMS], reduced_steps[SHAPE_MOST_DIMS];
} ReducePlan;

ReducePlan reduce_plan(const Shape *shape, const bool reduced[SHAPE_MOST_DIMS]);
// Folds into accumulators that hold their start.
void reduce_fold(const Evaluation *run, const ReducePlan *plan, ReduceLoops loops, const void *x, size_t element_bytes,
                 const void *shifts, void *accumulators);
// Real elements of an input as the loops take them: f64 as they are, others as f32.
MUST_CHECK Status reduce_reals(Evaluation *run, size_t index, const ReduceReals *reals, const void **ret_x,
                               size_t *ret_element_bytes, ReduceLoops *ret_loops, Error *err);
// The shape without the reduced axes, or with 1 in their place.
Shape reduce_shape(const Shape *shape, const bool reduced[SHAPE_MOST_DIMS], bool keep);
// Doubles become elements of a real type.
MUST_CHECK Status reals_store(Evaluation *run, DType dtype, const double *values, size_t count, void *ret_elements,
                              Error *err);

typedef enum ReduceStart { REDUCE_ZERO, REDUCE_ONE, REDUCE_LOWEST, REDUCE_HIGHEST } ReduceStart;

typedef struct Reduction {
    const ReduceReals *reals;
    ReduceLoops i64, u64; // without loops, integers are folded as f64 and truncated
    ReduceStart start;
    bool bools;   // takes bool
    bool shifted; // reals are folded once for their maximum, which is the shift
    double (*finish)(double folded, double count, double shift); // of reals; NULL: as folded
} Reduction;

// An ONNX reduction: input 0 along the axes in input 1 {keepdims, noop_with_empty_axes} to output 0.
MUST_CHECK Status reduce_evaluate(Evaluation *run, const Reduction *reduction, Error *err);
Status reduce_infer(const Node *node, ValueType *ret_types, Error *err);

// Several lanes at once: sums do not wait for each other, and the compiler has vectors to make.
enum { REDUCE_LANES = 8 };

#define REDUCE_LOOPS(name, In, Acc, neutral, element, fold)                                                            \
    static inline Acc name##_one(Acc a, In x, Acc shift) {                                                             \
        (void)shift;                                                                                                   \
        Acc v = element;                                                                                               \
        return fold;                                                                                                   \
    }                                                                                                                  \
    static inline Acc name##_two(Acc a, Acc v) {                                                                       \
        return fold;                                                                                                   \
    }                                                                                                                  \
    static void name##_run(const void *from, size_t count, const void *shifts, void *accumulators) {                   \
        const In *x = from;                                                                                            \
        Acc *acc = accumulators, shift = shifts ? *(const Acc *)shifts : 0, lanes[REDUCE_LANES];                       \
        size_t i = 0;                                                                                                  \
        for (int l = 0; l < REDUCE_LANES; l++)                                                                         \
            lanes[l] = neutral;                                                                                        \
        for (; i + REDUCE_LANES <= count; i += REDUCE_LANES)                                                           \
            for (size_t l = 0; l < REDUCE_LANES; l++)                                                                  \
                lanes[l] = name##_one(lanes[l], x[i + l], shift);                                                      \
        for (; i < count; i++)                                                                                         \
            lanes[0] = name##_one(lanes[0], x[i], shift);                                                              \
        for (int l = 0; l < REDUCE_LANES; l++)                                                                         \
            *acc = name##_two(*acc, lanes[l]);                                                                         \
    }                                                                                                                  \
    static void name##_rows(const void *from, size_t count, const void *shifts, void *accumulators) {                  \
        const In *x = from;                                                                                            \
        Acc *acc = accumulators;                                                                                       \
        const Acc *shift = shifts;                                                                                     \
        if (shift)                                                                                                     \
            for (size_t i = 0; i < count; i++)                                                                         \
                acc[i] = name##_one(acc[i], x[i], shift[i]);                                                           \
        else                                                                                                           \
            for (size_t i = 0; i < count; i++)                                                                         \
                acc[i] = name##_one(acc[i], x[i], 0);                                                                  \
    }
#define REDUCE_LOOPS_OF(name)                                                                                          \
    { name##_run, name##_rows }
