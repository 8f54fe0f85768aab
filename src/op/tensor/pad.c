// SPDX-License-Identifier: Apache-2.0
// Pad: more elements before and after, along the axes of the fourth input or all; negative counts take some away.
// {mode=constant: the third input, or 0; reflect: mirrored at the first and last element; edge: those; wrap: from the
// other end}
#include <string.h>

#include "op/tensor/move.h"

// What is kept of one axis, and what is put around it.
typedef struct AxisPad {
    int64_t first, kept, before, after;
} AxisPad;

// False where more is taken away than there is.
static bool pad_find(int64_t dim, int64_t before, int64_t after, AxisPad *ret) {
    int64_t cut;
    if (before == INT64_MIN || after == INT64_MIN)
        return false;
    *ret = (AxisPad){before < 0 ? -before : 0, dim, before > 0 ? before : 0, after > 0 ? after : 0};
    if (__builtin_add_overflow(ret->first, after < 0 ? -after : 0, &cut))
        return false;
    ret->kept -= cut;
    return ret->kept >= 0;
}

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType x = infer_type(node, 0);
    int64_t pads[2 * SHAPE_MOST_DIMS];
    size_t count;
    int marks[SHAPE_MOST_DIMS];
    bool has_axes = node->input_count > 3 && !value_absent(node->inputs[3]);
    ret_types[0] = x;
    if (x.rank < 0)
        return OK;
    ret_types[0] = infer_rank(x.dtype, x.rank);
    if (!infer_ints(node, 1, 2 * SHAPE_MOST_DIMS, pads, &count) || (has_axes && !infer_axes(node, 3, x.rank, marks)))
        return OK;
    for (int i = 0; i < x.rank; i++) {
        size_t place = has_axes ? (size_t)marks[i] : (size_t)i + 1;
        AxisPad pad;
        int64_t dim = 0;
        if (place == 0 || (place <= count / 2 && pads[place - 1] == 0 && pads[place - 1 + count / 2] == 0))
            ret_types[0].dims[i] = x.dims[i];
        else if (place <= count / 2 && !x.dims[i].variable &&
                 pad_find(x.dims[i].value, pads[place - 1], pads[place - 1 + count / 2], &pad) &&
                 !__builtin_add_overflow(pad.kept, pad.before, &dim) && !__builtin_add_overflow(dim, pad.after, &dim))
            ret_types[0].dims[i] = dim_of(dim);
    }
    return OK;
}

static Status pads_take(const Evaluation *run, AxisPad ret_pads[SHAPE_MOST_DIMS], Shape *ret_shape, Error *err) {
    const Shape *shape = &run->inputs[0].shape;
    int64_t values[2 * SHAPE_MOST_DIMS];
    size_t count, named = (size_t)shape->rank;
    int marks[SHAPE_MOST_DIMS];
    TRY(evaluate_ints(run, 1, 2 * SHAPE_MOST_DIMS, values, &count, err));
    if (evaluate_has(run, 3)) {
        TRY(axes_take(run, 3, shape->rank, marks, err));
        named = shape_count(&run->inputs[3].shape);
    }
    if (count != 2 * named)
        return FAIL(err, ERR_FORMAT, "%s: %zu counts for %zu axes, expected two for each", evaluate_name(run), count,
                    named);
    *ret_shape = *shape;
    for (int i = 0; i < shape->rank; i++) {
        size_t place = evaluate_has(run, 3) ? (size_t)marks[i] : (size_t)i + 1;
        int64_t before = place ? values[place - 1] : 0, after = place ? values[place - 1 + named] : 0, *dim;
        dim = &ret_shape->dims[i];
        if (!pad_find(shape->dims[i], before, after, &ret_pads[i]) ||
            __builtin_add_overflow(ret_pads[i].kept, ret_pads[i].before, dim) ||
            __builtin_add_overflow(*dim, ret_pads[i].after, dim))
            return FAIL(err, ERR_FORMAT, "%s: %lld before and %lld after do not fit dimension %d of %lld",
                        evaluate_name(run), (long long)before, (long long)after, i, (long long)shape->dims[i]);
    }
    return OK;
}

// Which kept element stands at place `at` (from the first kept one; outside of [0, kept)).
static int64_t place_source(char mode, int64_t at, int64_t kept) {
    if (mode == 'e')
        return at < 0 ? 0 : at < kept ? at : kept - 1;
    int64_t period = mode == 'w' ? kept : kept > 1 ? 2 * (kept - 1) : 1, within = at % period;
    within += within < 0 ? period : 0;
    return within < kept ? within : period - within;
}

typedef struct Sources {
    const unsigned char *from;
    unsigned char *to;
    const int64_t *of[SHAPE_MOST_DIMS]; // per axis, for each place of the result: where the source lies, in elements
    Shape shape;
    size_t width;
} Sources;

static void sources_work(void *context, size_t first, size_t last) {
    const Sources *s = context;
    int inner = s->shape.rank - 1;
    for (size_t row = first; row < last; row++) {
        int64_t base = 0, count = s->shape.dims[inner];
        size_t rest = row;
        for (int i = inner; i-- > 0; rest /= (size_t)s->shape.dims[i])
            base += s->of[i][rest % (size_t)s->shape.dims[i]];
        for (int64_t i = 0; i < count; i++)
            element_copy(s->to + (row * (size_t)count + (size_t)i) * s->width,
                         s->from + (size_t)(base + s->of[inner][i]) * s->width, s->width);
    }
}

static Status around_pad(Evaluation *run, char mode, const AxisPad *pads, const Shape *shape, void *y, Error *err) {
    const Tensor *x = &run->inputs[0];
    Sources s = {.from = x->data, .to = y, .shape = *shape, .width = dtype_bytes(x->dtype)};
    int64_t strides[SHAPE_MOST_DIMS];
    shape_strides(&x->shape, strides);
    for (int i = 0; i < shape->rank; i++) {
        if (pads[i].kept == 0)
            return FAIL(err, ERR_FORMAT, "%s: dimension %d is empty, there is nothing to pad it with",
                        evaluate_name(run), i);
        int64_t *of = arena_array(run->scratch, (size_t)shape->dims[i], sizeof *of, err);
        TRY_NEW(of);
        for (int64_t at = 0; at < shape->dims[i]; at++)
            of[at] = (pads[i].first + place_source(mode, at - pads[i].before, pads[i].kept)) * strides[i];
        s.of[i] = of;
    }
    size_t count = shape_count(shape);
    evaluate_parallel(run, count / (size_t)shape->dims[shape->rank - 1], count, sources_work, &s);
    return OK;
}

static void constant_pad(const Evaluation *run, const void *value, const AxisPad *pads, const Shape *shape, void *y) {
    const Tensor *x = &run->inputs[0];
    StridedCopy copy = {.from = x->data, .to = y, .width = dtype_bytes(x->dtype), .rank = shape->rank};
    int64_t from = 0, to = 0;
    elements_fill(value, copy.width, shape_count(shape), y);
    if (!x->bytes)
        return;
    shape_strides(&x->shape, copy.from_strides);
    shape_strides(shape, copy.to_strides);
    for (int i = 0; i < shape->rank; i++) {
        copy.dims[i] = pads[i].kept;
        from += pads[i].first * copy.from_strides[i];
        if (pads[i].kept == 0)
            return;
        to += pads[i].before * copy.to_strides[i];
    }
    copy.from = (const unsigned char *)copy.from + (size_t)from * copy.width;
    copy.to = (unsigned char *)copy.to + (size_t)to * copy.width;
    strided_copy(run, &copy);
}

static Status evaluate(Evaluation *run, Error *err) {
    if (!evaluate_has(run, 0))
        return FAIL(err, ERR_FORMAT, "%s: input 0 is missing", evaluate_name(run));
    const Tensor *x = &run->inputs[0];
    const char *mode = node_text(run->node, "mode", "constant");
    static const char *const modes[] = {"constant", "reflect", "edge", "wrap"};
    size_t known = 0;
    while (known < 4 && strcmp(mode, modes[known]) != 0)
        known++;
    if (known == 4)
        return FAIL(err, ERR_UNSUPPORTED, "%s: mode '%s', expected constant, reflect, edge or wrap", evaluate_name(run),
                    mode);
    AxisPad pads[SHAPE_MOST_DIMS];
    Shape shape;
    static const unsigned char zero[8];
    const void *value = zero;
    if (evaluate_has(run, 2) && known == 0) {
        TRY(evaluate_same_type(run, 0, 2, err));
        if (shape_count(&run->inputs[2].shape) != 1)
            return FAIL(err, ERR_FORMAT, "%s: input 2 is not a single element", evaluate_name(run));
        value = run->inputs[2].data;
    }
    void *y;
    TRY(pads_take(run, pads, &shape, err));
    TRY(evaluate_output(run, 0, x->dtype, &shape, &y, err));
    if (known && shape.rank && shape_count(&shape))
        return around_pad(run, *mode, pads, &shape, y, err);
    constant_pad(run, value, pads, &shape, y);
    return OK;
}

const OpDef op_tensor_pad = {.infer = infer, .evaluate = evaluate};
