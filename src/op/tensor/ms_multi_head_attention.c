// SPDX-License-Identifier: Apache-2.0
// MultiHeadAttention: attention of queries, keys and values that were made elsewhere. Inputs: query [b, t, hidden] or
// with its keys and values [b, t, heads, 3, width]; key [b, t, hidden], [b, heads, t, width] or with its values
// [b, t, heads, 2, width]; value; bias of all three; key padding mask (op/tensor/mask_index.h); attention bias; past
// keys; past values. {num_heads, unidirectional=0, scale=1/sqrt(width), mask_filter_value=-10000}
#include <math.h>

#include "op/tensor/infer.h"
#include "op/tensor/mask_index.h"

enum { QUERY, KEY, VALUE, BIAS, MASK, ATTENTION_BIAS, PAST_KEY, PAST_VALUE };
enum { PRESENT_KEY = 1, PRESENT_VALUE, SCORES, MOST_OUTPUTS };

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType q = infer_type(node, QUERY), v = infer_type(node, VALUE);
    for (size_t i = 0; i < node->output_count; i++)
        ret_types[i] = q.rank < 0 ? type_unknown() : infer_rank(q.dtype, i ? 4 : 3);
    if (q.rank == 3 || q.rank == 5) {
        ret_types[0].dims[0] = q.dims[0];
        ret_types[0].dims[1] = q.dims[1];
    }
    if (q.rank == 3 && v.rank == 3)
        ret_types[0].dims[2] = v.dims[2];
    return OK;
}

// Part `which` of `parts` that lie between head and width of input `index`.
static Status packed_view(Evaluation *run, size_t index, int64_t heads, int64_t parts, int64_t which, AttendView *ret,
                          Error *err) {
    const Shape *shape = &run->inputs[index].shape;
    const float *data;
    char text[SHAPE_TEXT_BYTES];
    if (shape->dims[2] != heads || shape->dims[3] != parts)
        return FAIL(err, ERR_FORMAT, "%s: input %zu is %s, expected [b,t,%lld,%lld,width]", evaluate_name(run), index,
                    shape_text(shape, text), (long long)heads, (long long)parts);
    TRY(wide_input(run, index, &data, err));
    size_t width = (size_t)shape->dims[4], head = width * (size_t)parts, row = head * (size_t)heads;
    *ret = (AttendView){(size_t)shape->dims[0],
                        (size_t)heads,
                        (size_t)shape->dims[1],
                        width,
                        data + width * (size_t)which,
                        row * (size_t)shape->dims[1],
                        head,
                        row};
    return OK;
}

static Status views_read(Evaluation *run, Attend *args, Error *err) {
    int64_t heads = node_int(run->node, "num_heads", 0);
    TRY(evaluate_type(run, QUERY, DTYPES_WIDE, err));
    if (run->inputs[QUERY].shape.rank == 5 && !evaluate_has(run, KEY)) {
        TRY(packed_view(run, QUERY, heads, 3, 0, &args->q, err));
        TRY(packed_view(run, QUERY, heads, 3, 1, &args->k, err));
        return packed_view(run, QUERY, heads, 3, 2, &args->v, err);
    }
    TRY(attend_view(run, QUERY, heads, &args->q, err));
    TRY(evaluate_same_type(run, QUERY, KEY, err));
    if (run->inputs[KEY].shape.rank == 5 && !evaluate_has(run, VALUE)) {
        TRY(packed_view(run, KEY, heads, 2, 0, &args->k, err));
        return packed_view(run, KEY, heads, 2, 1, &args->v, err);
    }
    TRY(attend_view(run, KEY, heads, &args->k, err));
    TRY(evaluate_same_type(run, QUERY, VALUE, err));
    return attend_view(run, VALUE, heads, &args->v, err);
}

// A copy of a view with a bias for every head's elements.
static Status bias_add(Evaluation *run, const float *bias, AttendView *view, Error *err) {
    size_t heads = view->batches * view->heads, head = view->tokens * view->width;
    float *to = arena_array(run->scratch, heads, head * sizeof *to, err);
    TRY_NEW(to);
    TRY(attend_join(run, NULL, view, to, view, err));
    for (size_t h = 0; h < heads && head; h++)
        for (size_t i = 0; i < head; i++)
            to[h * head + i] += bias[h % view->heads * view->width + i % view->width];
    return OK;
}

static Status biases_add(Evaluation *run, Attend *args, Error *err) {
    size_t q = args->q.heads * args->q.width, k = args->k.heads * args->k.width, v = args->v.heads * args->v.width;
    const float *bias;
    TRY(wide_vector(run, BIAS, q + k + v, &bias, err));
    if (!bias)
        return OK;
    TRY(bias_add(run, bias, &args->q, err));
    TRY(bias_add(run, bias + q, &args->k, err));
    return bias_add(run, bias + q + k, &args->v, err);
}

static Status result_make(Evaluation *run, Attend *args, WideOutput *ret_y, WideOutput *ret_scores, Error *err) {
    const AttendView *q = &args->q;
    size_t row = q->heads * args->v.width;
    Shape shape = {3, {(int64_t)q->batches, (int64_t)q->tokens, (int64_t)row}};
    DType dtype = run->inputs[QUERY].dtype;
    TRY(wide_output(run, 0, dtype, &shape, ret_y, err));
    args->y = ret_y->values;
    args->y_batch = q->tokens * row;
    args->y_head = args->v.width;
    args->y_row = row;
    *ret_scores = (WideOutput){0};
    if (run->node->output_count <= SCORES)
        return OK;
    Shape scores = {4, {(int64_t)q->batches, (int64_t)q->heads, (int64_t)q->tokens, (int64_t)args->k.tokens}};
    TRY(wide_output(run, SCORES, dtype, &scores, ret_scores, err));
    args->scores = ret_scores->values;
    args->stage = ATTEND_BIASED;
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    Attend args = {.causal = node_int(run->node, "unidirectional", 0) != 0};
    WideOutput y, present_key, present_value, scores;
    if (run->node->output_count > MOST_OUTPUTS)
        return FAIL(err, ERR_FORMAT, "%s has %zu outputs, expected at most %d", evaluate_name(run),
                    run->node->output_count, MOST_OUTPUTS);
    TRY(views_read(run, &args, err));
    TRY(biases_add(run, &args, err));
    size_t fresh = args.k.tokens;
    TRY(attend_past(run, PAST_KEY, PRESENT_KEY, &args.k, &present_key, err));
    TRY(attend_past(run, PAST_VALUE, PRESENT_VALUE, &args.v, &present_value, err));
    args.past = args.k.tokens - fresh;
    float scale = (float)node_real(run->node, "scale", 0);
    args.scale = scale != 0 ? scale : 1 / sqrtf((float)args.q.width);
    TRY(mask_index(run, MASK, args.q.batches, args.q.tokens, args.k.tokens, &args.biases[0], err));
    if (evaluate_has(run, ATTENTION_BIAS))
        TRY(attend_bias(run, ATTENTION_BIAS, &args.q, args.k.tokens, &args.biases[1], err));
    TRY(result_make(run, &args, &y, &scores, err));
    TRY(attend(run, &args, err));
    wide_done(&y);
    wide_done(&present_key);
    wide_done(&present_value);
    wide_done(&scores);
    return OK;
}

const OpDef op_tensor_ms_multi_head_attention = {.infer = infer, .evaluate = evaluate};
