// SPDX-License-Identifier: Apache-2.0
#include "op/tensor/self_attend.h"

#include <math.h>

#include "op/tensor/infer.h"
#include "op/tensor/mask_index.h"

Status self_attend_sizes(const Evaluation *run, size_t columns, SelfAttend *ret, Error *err) {
    const Node *node = run->node;
    size_t count;
    const int64_t *sizes = node_ints(node, "qkv_hidden_sizes", &count);
    int64_t third = (int64_t)(columns / 3), heads = node_int(node, "num_heads", 0);
    int64_t hidden = sizes && count == 3 ? sizes[0] : third, key = sizes && count == 3 ? sizes[1] : third,
            value = sizes && count == 3 ? sizes[2] : third;
    bool fits = (!sizes || count == 3) && columns < (size_t)1 << 40 && heads > 0 && hidden > 0 && hidden == key &&
                value > 0 && (uint64_t)hidden <= columns && (uint64_t)value <= columns &&
                2 * (size_t)hidden + (size_t)value == columns && hidden % heads == 0 && value % heads == 0;
    if (!fits)
        return FAIL(err, ERR_FORMAT, "%s: %lld heads and %zu columns of weights for queries, keys and values",
                    evaluate_name(run), (long long)heads, columns);
    if (node_int(node, "do_rotary", 0) || node_int(node, "past_present_share_buffer", 0))
        return FAIL(err, ERR_UNSUPPORTED, "%s: do_rotary and past_present_share_buffer are not taken",
                    evaluate_name(run));
    ret->heads = (size_t)heads;
    ret->hidden = (size_t)hidden;
    ret->value_hidden = (size_t)value;
    return OK;
}

// Keys and values behind their past, in one tensor [2, batches, heads, keys, width], where either end of it is wanted.
static Status past_join(Evaluation *run, const SelfAttend *args, Attend *attend, WideOutput *ret_present, Error *err) {
    AttendView before[2], *past[2] = {NULL, NULL};
    char text[SHAPE_TEXT_BYTES];
    size_t width = attend->k.width;
    *ret_present = (WideOutput){0};
    if (!evaluate_has(run, args->past) && run->node->output_count < 2)
        return OK;
    if (attend->k.width != attend->v.width)
        return FAIL(err, ERR_FORMAT, "%s: with a past, keys and values must be equally wide", evaluate_name(run));
    if (evaluate_has(run, args->past)) {
        const float *data;
        TRY(wide_input(run, args->past, &data, err));
        const Shape *shape = &run->inputs[args->past].shape;
        if (shape->rank != 5 || shape->dims[0] != 2 || (size_t)shape->dims[1] != args->batches ||
            (size_t)shape->dims[2] != args->heads || (size_t)shape->dims[4] != width)
            return FAIL(err, ERR_FORMAT, "%s: the past is %s, expected [2,%zu,%zu, tokens, %zu]", evaluate_name(run),
                        shape_text(shape, text), args->batches, args->heads, width);
        attend->past = (size_t)shape->dims[3];
        before[0] = attend_dense(data, args->batches, args->heads, attend->past, width);
        before[1] = before[0];
        before[1].data += args->batches * args->heads * attend->past * width;
        past[0] = &before[0];
        past[1] = &before[1];
    }
    size_t keys = attend->past + args->tokens, half = args->batches * args->heads * keys * width;
    Shape shape = {5, {2, (int64_t)args->batches, (int64_t)args->heads, (int64_t)keys, (int64_t)width}};
    TRY(wide_output(run, 1, args->dtype, &shape, ret_present, err));
    TRY(attend_join(run, past[0], &attend->k, ret_present->values, &attend->k, err));
    return attend_join(run, past[1], &attend->v, ret_present->values + half, &attend->v, err);
}

static void views_make(const SelfAttend *args, Attend *ret) {
    size_t row = 2 * args->hidden + args->value_hidden, width = args->hidden / args->heads;
    AttendView q = {args->batches, args->heads, args->tokens, width, args->qkv, args->tokens * row, width, row};
    ret->q = ret->k = ret->v = q;
    ret->k.data += args->hidden;
    ret->v.data += 2 * args->hidden;
    ret->v.width = ret->v.head = args->value_hidden / args->heads;
}

Status self_attend(Evaluation *run, const SelfAttend *args, Error *err) {
    Attend job = {.causal = node_int(run->node, "unidirectional", 0) != 0};
    WideOutput y, present;
    views_make(args, &job);
    float scale = (float)node_real(run->node, "scale", 0);
    job.scale = scale != 0 ? scale : 1 / sqrtf((float)job.q.width);
    TRY(past_join(run, args, &job, &present, err));
    TRY(mask_index(run, args->mask, args->batches, args->tokens, job.k.tokens, &job.biases[0], err));
    if (evaluate_has(run, args->bias))
        TRY(attend_bias(run, args->bias, &job.q, job.k.tokens, &job.biases[1], err));
    Shape shape = {3, {(int64_t)args->batches, (int64_t)args->tokens, (int64_t)args->value_hidden}};
    TRY(wide_output(run, 0, args->dtype, &shape, &y, err));
    job.y = y.values;
    job.y_batch = args->tokens * args->value_hidden;
    job.y_head = job.v.width;
    job.y_row = args->value_hidden;
    TRY(attend(run, &job, err));
    wide_done(&y);
    wide_done(&present);
    return OK;
}

void self_attend_infer(const Node *node, Dim value_hidden, DType dtype, ValueType *ret_types) {
    ValueType x = infer_type(node, 0);
    int64_t heads = node_int(node, "num_heads", 0);
    for (size_t i = 0; i < node->output_count; i++)
        ret_types[i] = type_unknown();
    if (x.rank != 3)
        return;
    ret_types[0] = infer_as(x, dtype);
    ret_types[0].dims[2] = value_hidden;
    if (node->output_count < 2)
        return;
    ret_types[1] = infer_rank(dtype, 5);
    ret_types[1].dims[0] = dim_of(2);
    ret_types[1].dims[1] = x.dims[0];
    ret_types[1].dims[2] = heads > 0 ? dim_of(heads) : dim_unknown();
}
