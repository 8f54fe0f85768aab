// SPDX-License-Identifier: Apache-2.0
// Gemm: alpha A B + beta C of matrices; C broadcasts to the result. {alpha=1, beta=1, transA=0, transB=0}
#include "op/tensor/product.h"

static Status prepare(const OpPrepare *args, void **ret_state, Error *err) {
    const Constant *b = args->node->inputs[1].constant;
    if (!b || b->shape.rank != 2)
        return OK;
    bool turned = node_int(args->node, "transB", 0) != 0;
    size_t rows = (size_t)b->shape.dims[0], columns = (size_t)b->shape.dims[1];
    ProductWeights weights = {.count = 1,
                              .n = turned ? rows : columns,
                              .k = turned ? columns : rows,
                              .k_step = turned ? 1 : columns,
                              .n_step = turned ? columns : 1};
    const PackedWeights *packed = NULL;
    TRY(product_prepare(args, b, &weights, &packed, err));
    *ret_state = (void *)(uintptr_t)packed;
    return OK;
}

// The left operand with its rows side by side, where A [k, m] is turned.
static Status turn(Evaluation *run, size_t m, size_t k, size_t width, const void **x, Error *err) {
    void *rows = arena_alloc(run->scratch, m * k * width, 64, err);
    TRY_NEW(rows);
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < m; j++)
            if (width == sizeof(uint64_t))
                ((uint64_t *)rows)[j * k + i] = ((const uint64_t *)*x)[i * m + j];
            else
                ((uint32_t *)rows)[j * k + i] = ((const uint32_t *)*x)[i * m + j];
    *x = rows;
    return OK;
}

typedef struct Sum {
    double alpha, beta;
    size_t rows, columns, c_row, c_column; // steps of c
    const void *c;                         // NULL: none
} Sum;

#define SUM_LOOP(Type)                                                                                                 \
    do {                                                                                                               \
        const Type *c = sum->c, alpha = (Type)sum->alpha, beta = (Type)sum->beta;                                      \
        for (size_t i = 0; i < sum->rows; i++)                                                                         \
            for (size_t j = 0; j < sum->columns; j++) {                                                                \
                Type *to = (Type *)y + i * sum->columns + j;                                                           \
                *to = alpha * *to + (c ? beta * c[i * sum->c_row + j * sum->c_column] : 0);                            \
            }                                                                                                          \
    } while (0)

// Integers wrap where they stay integers; under other factors they become real and are cut off.
static void sum_integers(const Sum *sum, DType dtype, uint64_t *y) {
    const uint64_t *c = sum->c;
    bool negative = (DTYPE_BIT(dtype) & DTYPES_SIGNED) != 0, whole = sum->alpha == 1 && sum->beta == 1;
    for (size_t i = 0; i < sum->rows * sum->columns; i++) {
        uint64_t own = y[i], other = c ? c[i / sum->columns * sum->c_row + i % sum->columns * sum->c_column] : 0;
        double real = sum->alpha * (negative ? (double)(int64_t)own : (double)own) +
                      sum->beta * (negative ? (double)(int64_t)other : (double)other);
        if (whole)
            y[i] = own + other;
        else
            integers_truncate(dtype, &real, 1, &y[i]);
    }
}

static void sum_run(const Sum *sum, DType dtype, void *y) {
    switch (product_type(dtype)) {
    case DTYPE_F32:
        SUM_LOOP(float);
        break;
    case DTYPE_F64:
        SUM_LOOP(double);
        break;
    default:
        sum_integers(sum, dtype, y);
    }
}

static Status c_read(Evaluation *run, const Shape *to, Sum *sum, Error *err) {
    if (!evaluate_has(run, 2) || sum->beta == 0)
        return OK;
    const Shape *c = &run->inputs[2].shape;
    char a[SHAPE_TEXT_BYTES], b[SHAPE_TEXT_BYTES];
    Shape both;
    int64_t steps[SHAPE_MOST_DIMS];
    TRY(evaluate_same_type(run, 0, 2, err));
    if (!shape_broadcast(c, to, &both) || !shape_equal(&both, to))
        return FAIL(err, ERR_FORMAT, "%s: C of shape %s does not broadcast to %s", evaluate_name(run), shape_text(c, a),
                    shape_text(to, b));
    shape_broadcast_strides(c, to, steps);
    sum->c_row = (size_t)steps[0];
    sum->c_column = (size_t)steps[1];
    return product_operand(run, 2, &sum->c, err);
}

static Status shapes_read(const Evaluation *run, bool turn_a, bool turn_b, Product *product, Error *err) {
    const Shape *a = &run->inputs[0].shape, *b = &run->inputs[1].shape;
    char left[SHAPE_TEXT_BYTES], right[SHAPE_TEXT_BYTES];
    if (a->rank != 2 || b->rank != 2 || a->dims[!turn_a] != b->dims[turn_b])
        return FAIL(err, ERR_FORMAT, "%s: no product of matrices %s%s and %s%s", evaluate_name(run),
                    shape_text(a, left), turn_a ? " turned" : "", shape_text(b, right), turn_b ? " turned" : "");
    product->m = (size_t)a->dims[turn_a];
    product->weights = (ProductWeights){.dtype = product->dtype,
                                        .count = 1,
                                        .n = (size_t)b->dims[!turn_b],
                                        .k = (size_t)b->dims[turn_b],
                                        .k_step = turn_b ? 1 : (size_t)b->dims[1],
                                        .n_step = turn_b ? (size_t)b->dims[1] : 1};
    product->x_row = product->weights.k;
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    DTypeSet types = DTYPES_REAL | DTYPES_INDEX | DTYPE_BIT(DTYPE_U32) | DTYPE_BIT(DTYPE_U64);
    TRY(evaluate_type(run, 0, types, err));
    TRY(evaluate_same_type(run, 0, 1, err));
    DType dtype = run->inputs[0].dtype;
    bool turn_a = node_int(run->node, "transA", 0) != 0, turn_b = node_int(run->node, "transB", 0) != 0;
    Product product = {.dtype = product_type(dtype), .batches = 1, .packed = run->state};
    TRY(shapes_read(run, turn_a, turn_b, &product, err));
    Shape to = {2, {(int64_t)product.m, (int64_t)product.weights.n}};
    size_t count = shape_count(&to);
    Sum sum = {.alpha = node_real(run->node, "alpha", 1), .beta = node_real(run->node, "beta", 1)};
    sum.rows = product.m;
    sum.columns = product.weights.n;
    TRY(c_read(run, &to, &sum, err));
    void *y;
    TRY(evaluate_output(run, 0, dtype, &to, &y, err));
    TRY(product_operand(run, 0, &product.x, err));
    if (turn_a)
        TRY(turn(run, product.m, product.weights.k, dtype_bytes(product.dtype), &product.x, err));
    if (!product.packed)
        TRY(product_operand(run, 1, &product.weights.data, err));
    TRY(product_room(run, dtype, y, count, &product.y, err));
    bool plain = sum.alpha == 1 && (!sum.c || sum.beta == 1);
    bool bias = plain && sum.c && product.dtype == DTYPE_F32 && sum.c_row == 0 && sum.c_column == 1;
    product.epilogue.bias = bias ? sum.c : NULL;
    TRY(product_run(run, &product, err));
    if (!bias && !(plain && !sum.c))
        sum_run(&sum, dtype, product.y);
    product_store(dtype, product.y, count, y);
    return OK;
}

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType a = infer_type(node, 0), b = infer_type(node, 1), to = infer_rank(a.dtype, 2);
    ret_types[0] = type_unknown();
    if (a.rank < 0)
        return OK;
    if (a.rank == 2)
        to.dims[0] = a.dims[node_int(node, "transA", 0) != 0];
    if (b.rank == 2)
        to.dims[1] = b.dims[node_int(node, "transB", 0) == 0];
    ret_types[0] = to;
    return OK;
}

const OpDef op_tensor_gemm = {.infer = infer, .prepare = prepare, .evaluate = evaluate};
