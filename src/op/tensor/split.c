// SPDX-License-Identifier: Apache-2.0
// Split: parts of the input along `axis`: of the sizes in the second input, or equal ones, the last the smaller.
// {axis=0, num_outputs: as many as there are}
#include "op/tensor/move.h"

// Equal parts, rounded up; the last ones have what is left.
static int64_t equal_part(int64_t whole, size_t parts, size_t index) {
    int64_t part = whole / (int64_t)parts + (whole % (int64_t)parts != 0), left = whole - part * (int64_t)index;
    return left < 0 ? 0 : left < part ? left : part;
}

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType x = infer_type(node, 0);
    int64_t sizes[SHAPE_MOST_DIMS * 8];
    size_t count = 0;
    int axis;
    bool listed = node->input_count > 1 && !value_absent(node->inputs[1]);
    bool known =
        !listed || (infer_ints(node, 1, sizeof sizes / sizeof *sizes, sizes, &count) && count == node->output_count);
    for (size_t i = 0; i < node->output_count; i++) {
        ret_types[i] = x;
        if (x.rank < 0 || !infer_axis(node_int(node, "axis", 0), x.rank, &axis))
            continue;
        Dim *dim = &ret_types[i].dims[axis];
        if (known && listed)
            *dim = sizes[i] < 0 ? dim_unknown() : dim_of(sizes[i]);
        else if (known && !dim->variable)
            *dim = dim_of(equal_part(dim->value, node->output_count, i));
        else if (listed || node->output_count > 1)
            *dim = dim_unknown();
    }
    return OK;
}

static Status sizes_find(const Evaluation *run, int64_t whole, int64_t *ret_sizes, Error *err) {
    size_t parts = run->node->output_count, count = parts;
    int64_t sum = 0;
    if (!evaluate_has(run, 1)) {
        if (node_int(run->node, "num_outputs", (int64_t)parts) != (int64_t)parts)
            return FAIL(err, ERR_FORMAT, "%s: num_outputs is %lld, but it has %zu outputs", evaluate_name(run),
                        (long long)node_int(run->node, "num_outputs", 0), parts);
        for (size_t i = 0; i < parts; i++)
            ret_sizes[i] = equal_part(whole, parts, i);
        return OK;
    }
    TRY(evaluate_ints(run, 1, parts, ret_sizes, &count, err));
    bool fits = count == parts;
    for (size_t i = 0; fits && i < parts; i++)
        fits = ret_sizes[i] >= 0 && !__builtin_add_overflow(sum, ret_sizes[i], &sum);
    if (!fits || sum != whole)
        return FAIL(err, ERR_FORMAT, "%s: the sizes in input 1 are not %zu that make up %lld", evaluate_name(run),
                    parts, (long long)whole);
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    if (!evaluate_has(run, 0))
        return FAIL(err, ERR_FORMAT, "%s: input 0 is missing", evaluate_name(run));
    const Tensor *x = &run->inputs[0];
    int axis;
    TRY(evaluate_axis(run, "axis", 0, x->shape.rank, false, &axis, err));
    int64_t whole = x->shape.dims[axis], done = 0;
    int64_t inner = x->bytes ? (int64_t)shape_count_range(&x->shape, axis + 1, x->shape.rank) : 0;
    int64_t *sizes = arena_array(run->scratch, run->node->output_count, sizeof *sizes, err);
    TRY_NEW(sizes);
    TRY(sizes_find(run, whole, sizes, err));
    for (size_t i = 0; i < run->node->output_count; i++) {
        Shape shape = x->shape;
        shape.dims[axis] = sizes[i];
        StridedCopy copy = {.width = dtype_bytes(x->dtype),
                            .rank = 2,
                            .dims = {(int64_t)shape_count_range(&shape, 0, axis), sizes[i] * inner},
                            .from_strides = {whole * inner, 1},
                            .to_strides = {sizes[i] * inner, 1}};
        TRY(evaluate_output(run, i, x->dtype, &shape, &copy.to, err));
        if (!shape_count(&shape))
            continue;
        copy.from = (const unsigned char *)x->data + (size_t)(done * inner) * copy.width;
        strided_copy(run, &copy);
        done += sizes[i];
    }
    return OK;
}

const OpDef op_tensor_split = {.infer = infer, .evaluate = evaluate};
