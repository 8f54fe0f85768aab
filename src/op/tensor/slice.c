// SPDX-License-Identifier: Apache-2.0
// Slice: along each axis of the fourth input (all, where it is absent), elements start, start + step, ... up to but
// without end; bounds count from the end where they are negative, and are cut to what is there.
#include "op/tensor/move.h"

typedef struct AxisSlice {
    int64_t start, end, step; // as given; step 0: the axis is not sliced
} AxisSlice;

// Elements taken out of `dim`, and the first of them.
static int64_t slice_count(AxisSlice slice, int64_t dim, int64_t *ret_first) {
    int64_t start = slice.start, end = slice.end, least = slice.step < 0 ? -1 : 0, most = dim + least;
    start += start < 0 ? dim : 0;
    end += end < 0 ? dim : 0;
    start = start < least ? least : start > most ? most : start;
    end = end < least ? least : end > most ? most : end;
    *ret_first = start;
    uint64_t gap = slice.step < 0 ? (uint64_t)(start - end) : (uint64_t)(end - start);
    uint64_t step = slice.step < 0 ? -(uint64_t)slice.step : (uint64_t)slice.step;
    return (slice.step < 0 ? start <= end : end <= start) ? 0 : (int64_t)((gap - 1) / step + 1);
}

// What passes whole even where the dimension is not known.
static bool slice_is_whole(AxisSlice slice) {
    return slice.step == 0 || (slice.start == 0 && slice.step == 1 && slice.end >= INT32_MAX);
}

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType x = infer_type(node, 0);
    int64_t starts[SHAPE_MOST_DIMS], ends[SHAPE_MOST_DIMS], steps[SHAPE_MOST_DIMS];
    size_t start_count = 0, end_count = 0, step_count = 0;
    int marks[SHAPE_MOST_DIMS] = {0};
    bool has_axes = node->input_count > 3 && !value_absent(node->inputs[3]);
    bool has_steps = node->input_count > 4 && !value_absent(node->inputs[4]);
    ret_types[0] = x;
    if (x.rank < 0)
        return OK;
    ret_types[0] = infer_rank(x.dtype, x.rank);
    bool known = infer_ints(node, 1, SHAPE_MOST_DIMS, starts, &start_count) &&
                 infer_ints(node, 2, SHAPE_MOST_DIMS, ends, &end_count) && start_count == end_count;
    bool stepped =
        !has_steps || (infer_ints(node, 4, SHAPE_MOST_DIMS, steps, &step_count) && step_count == start_count);
    if (has_axes && !infer_axes(node, 3, x.rank, marks))
        return OK; // any axis may be sliced
    int listed = 0;
    for (int i = 0; i < x.rank; i++) {
        if (!has_axes)
            marks[i] = known && i >= (int)start_count ? 0 : i + 1;
        listed += marks[i] != 0;
    }
    known = known && stepped && listed == (int)start_count;
    for (int i = 0; i < x.rank; i++) {
        int place = marks[i] - 1;
        int64_t first;
        AxisSlice slice = {0};
        if (place >= 0 && known)
            slice = (AxisSlice){starts[place], ends[place], has_steps ? steps[place] : 1};
        if (place < 0 || (known && slice_is_whole(slice)))
            ret_types[0].dims[i] = x.dims[i];
        else if (known && slice.step && !x.dims[i].variable)
            ret_types[0].dims[i] = dim_of(slice_count(slice, x.dims[i].value, &first));
    }
    return OK;
}

// The slice of each axis.
static Status slices_take(const Evaluation *run, int rank, AxisSlice ret_slices[SHAPE_MOST_DIMS], Error *err) {
    int64_t lists[3][SHAPE_MOST_DIMS]; // starts, ends, steps
    size_t counts[3];
    int marks[SHAPE_MOST_DIMS];
    TRY(evaluate_ints(run, 1, SHAPE_MOST_DIMS, lists[0], &counts[0], err));
    TRY(evaluate_ints(run, 2, SHAPE_MOST_DIMS, lists[1], &counts[1], err));
    counts[2] = counts[0];
    if (evaluate_has(run, 4))
        TRY(evaluate_ints(run, 4, SHAPE_MOST_DIMS, lists[2], &counts[2], err));
    if (evaluate_has(run, 3))
        TRY(axes_take(run, 3, rank, marks, err));
    size_t named = 0;
    for (int i = 0; i < rank; i++) {
        if (!evaluate_has(run, 3))
            marks[i] = i < (int)counts[0] ? i + 1 : 0;
        named += marks[i] != 0;
    }
    if (counts[0] != counts[1] || counts[0] != counts[2] || named != counts[0])
        return FAIL(err, ERR_FORMAT, "%s: %zu starts, %zu ends and %zu steps for %zu axes", evaluate_name(run),
                    counts[0], counts[1], counts[2], named);
    for (int i = 0; i < rank; i++) {
        int place = marks[i] - 1;
        ret_slices[i] = (AxisSlice){0};
        if (place < 0)
            continue;
        ret_slices[i] = (AxisSlice){lists[0][place], lists[1][place], evaluate_has(run, 4) ? lists[2][place] : 1};
        if (ret_slices[i].step == 0)
            return FAIL(err, ERR_FORMAT, "%s: the step along axis %d is 0", evaluate_name(run), i);
    }
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    if (!evaluate_has(run, 0))
        return FAIL(err, ERR_FORMAT, "%s: input 0 is missing", evaluate_name(run));
    const Tensor *x = &run->inputs[0];
    AxisSlice slices[SHAPE_MOST_DIMS];
    Shape shape = x->shape;
    int64_t strides[SHAPE_MOST_DIMS], offset = 0;
    TRY(slices_take(run, shape.rank, slices, err));
    shape_strides(&x->shape, strides);
    for (int i = 0; i < shape.rank; i++) {
        int64_t first;
        if (slices[i].step == 0)
            continue;
        shape.dims[i] = slice_count(slices[i], x->shape.dims[i], &first);
        if (!x->bytes || shape.dims[i] == 0)
            continue;
        offset += first * strides[i];
        strides[i] = shape.dims[i] == 1 ? 0 : strides[i] * slices[i].step; // of one element any step may be
    }
    if (shape_equal(&shape, &x->shape) && offset == 0)
        return evaluate_view(run, 0, 0, x->dtype, &shape, err);
    return strided_output(run, &shape, offset, strides, err);
}

const OpDef op_tensor_slice = {.infer = infer, .evaluate = evaluate};
