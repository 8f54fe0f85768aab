// SPDX-License-Identifier: Apache-2.0
// Reshape: the same elements under the shape in the second input, where 0 is the input's own size there and one -1
// what is left. {allowzero=0}
#include "op/tensor/move.h"

// The size that -1 stands for: what is left of the input's dimensions when those that occur on both sides are crossed
// out. Known where that is a number, or one variable.
static Dim dim_left(const ValueType *x, const ValueType *y, int own) {
    int64_t from = 1, to = 1;
    bool crossed[SHAPE_MOST_DIMS] = {false};
    Dim variable = dim_of(1);
    for (int i = 0; i < y->rank; i++) {
        if (i == own)
            continue;
        if (!y->dims[i].variable) {
            if (__builtin_mul_overflow(to, y->dims[i].value, &to))
                return dim_unknown();
            continue;
        }
        int k = 0;
        while (k < x->rank && (crossed[k] || !dim_equal(x->dims[k], y->dims[i])))
            k++;
        if (k == x->rank)
            return dim_unknown();
        crossed[k] = true;
    }
    for (int k = 0; k < x->rank; k++) {
        if (!x->dims[k].variable) {
            if (__builtin_mul_overflow(from, x->dims[k].value, &from))
                return dim_unknown();
        } else if (!crossed[k]) {
            if (variable.variable || dim_is_unknown(x->dims[k]))
                return dim_unknown();
            variable = x->dims[k];
        }
    }
    if (to == 0 || from % to || (variable.variable && from != to))
        return dim_unknown();
    return variable.variable ? variable : dim_of(from / to);
}

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType x = infer_type(node, 0), y = {.dtype = x.dtype};
    ValueType sizes = infer_type(node, 1);
    int64_t dims[SHAPE_MOST_DIMS];
    size_t rank;
    ret_types[0] = type_unknown();
    if (x.rank < 0)
        return OK;
    if (!infer_ints(node, 1, SHAPE_MOST_DIMS, dims, &rank)) {
        if (sizes.rank == 1 && !sizes.dims[0].variable && sizes.dims[0].value <= SHAPE_MOST_DIMS)
            ret_types[0] = infer_rank(x.dtype, (int)sizes.dims[0].value);
        return OK;
    }
    int own = -1;
    y.rank = (int)rank;
    for (int i = 0; i < y.rank; i++) {
        bool copied = dims[i] == 0 && !node_int(node, "allowzero", 0);
        if (dims[i] < -1 || (dims[i] == -1 && own >= 0) || (copied && i >= x.rank))
            return OK;
        own = dims[i] == -1 ? i : own;
        y.dims[i] = copied ? x.dims[i] : dim_of(dims[i]);
    }
    if (own >= 0)
        y.dims[own] = dim_left(&x, &y, own);
    ret_types[0] = y;
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    if (!evaluate_has(run, 0))
        return FAIL(err, ERR_FORMAT, "%s: input 0 is missing", evaluate_name(run));
    const Tensor *x = &run->inputs[0];
    Shape y = {0};
    size_t rank, count = shape_count(&x->shape);
    char from[SHAPE_TEXT_BYTES], to[SHAPE_TEXT_BYTES];
    bool allow_zero = node_int(run->node, "allowzero", 0) != 0;
    TRY(evaluate_ints(run, 1, SHAPE_MOST_DIMS, y.dims, &rank, err));
    y.rank = (int)rank;
    Shape asked = y, others = y;
    int own = -1;
    for (int i = 0; i < y.rank; i++) {
        if (y.dims[i] == 0 && !allow_zero && i < x->shape.rank)
            others.dims[i] = y.dims[i] = x->shape.dims[i];
        if (y.dims[i] != -1)
            continue;
        if (own >= 0)
            return FAIL(err, ERR_FORMAT, "%s: shape %s leaves two sizes open", evaluate_name(run),
                        shape_text(&asked, to));
        own = i;
        others.dims[i] = 1;
    }
    size_t known;
    bool fits = shape_elements(&others, &known);
    if (fits && own >= 0 && known)
        y.dims[own] = (int64_t)(count / known);
    size_t whole = 0;
    if (!fits || (own >= 0 && !known) || !shape_elements(&y, &whole) || whole != count)
        return FAIL(err, ERR_FORMAT, "%s: a tensor of %s cannot become one of %s", evaluate_name(run),
                    shape_text(&x->shape, from), shape_text(&asked, to));
    return evaluate_view(run, 0, 0, x->dtype, &y, err);
}

const OpDef op_tensor_reshape = {.infer = infer, .evaluate = evaluate};
