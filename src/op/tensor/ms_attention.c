// SPDX-License-Identifier: Apache-2.0
// Attention: self-attention with the products that make queries, keys and values of x. Inputs: x, weights [columns of
// x, queries + keys + values], bias, mask (op/tensor/mask_index.h), past [2, ..], attention bias; all from the bias on
// may be absent. {num_heads, qkv_hidden_sizes, unidirectional=0, scale=1/sqrt(width), mask_filter_value=-10000}
#include "op/tensor/filled.h"
#include "op/tensor/infer.h"
#include "op/tensor/self_attend.h"

enum { X, WEIGHTS, BIAS, MASK, PAST, ATTENTION_BIAS, PAST_LENGTH };

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    size_t count;
    const int64_t *sizes = node_ints(node, "qkv_hidden_sizes", &count);
    ValueType weights = infer_type(node, WEIGHTS);
    Dim hidden = dim_unknown();
    if (sizes && count == 3 && sizes[2] > 0)
        hidden = dim_of(sizes[2]);
    else if (!sizes && weights.rank == 2 && !weights.dims[1].variable)
        hidden = dim_of(weights.dims[1].value / 3);
    self_attend_infer(node, hidden, infer_type(node, X).dtype, ret_types);
    return OK;
}

static Status prepare(const OpPrepare *args, void **ret_state, Error *err) {
    return filled_prepare(args, WEIGHTS, ret_state, err);
}

static Status sizes_read(const Evaluation *run, SelfAttend *ret, size_t *ret_columns, Error *err) {
    const Shape *x = &run->inputs[X].shape, *weights = &run->inputs[WEIGHTS].shape;
    char a[SHAPE_TEXT_BYTES], b[SHAPE_TEXT_BYTES];
    if (x->rank != 3 || weights->rank != 2 || x->dims[2] != weights->dims[0])
        return FAIL(err, ERR_FORMAT, "%s: x %s and weights %s", evaluate_name(run), shape_text(x, a),
                    shape_text(weights, b));
    ret->batches = (size_t)x->dims[0];
    ret->tokens = (size_t)x->dims[1];
    *ret_columns = (size_t)weights->dims[1];
    return self_attend_sizes(run, *ret_columns, ret, err);
}

static Status evaluate(Evaluation *run, Error *err) {
    SelfAttend args = {.mask = MASK, .past = PAST, .bias = ATTENTION_BIAS};
    size_t n = 0;
    TRY(evaluate_type(run, X, DTYPES_WIDE, err));
    TRY(evaluate_same_type(run, X, WEIGHTS, err));
    TRY(sizes_read(run, &args, &n, err));
    args.dtype = run->inputs[X].dtype;
    size_t rows = args.batches * args.tokens;
    FilledMatrix weights = {.n = n, .k = (size_t)run->inputs[X].shape.dims[2]};
    FilledProduct product = {
        .rows = rows, .n = n, .k = weights.k, .fill = filled_fill_matrix, .context = &weights, .packed = run->state};
    TRY(wide_input(run, X, &product.x, err));
    TRY(wide_vector(run, BIAS, n, &product.bias, err));
    if (!product.packed)
        TRY(wide_input(run, WEIGHTS, &weights.data, err));
    float *qkv = arena_array(run->scratch, rows, n * sizeof *qkv, err);
    TRY_NEW(qkv);
    product.y = qkv;
    TRY(filled_run(run, &product, err));
    args.qkv = qkv;
    return self_attend(run, &args, err);
}

const OpDef op_tensor_ms_attention = {.infer = infer, .prepare = prepare, .evaluate = evaluate};
