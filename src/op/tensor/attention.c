// SPDX-License-Identifier: Apache-2.0
// Attention: softmax(q k' scale + mask) v, as ONNX 1.22 has it: softcap before the mask, a causal mask that begins
// after the past (or ends with the valid keys). {scale=1/sqrt(width), softcap=0, is_causal=0, q_num_heads,
// kv_num_heads, qk_matmul_output_mode=0}. Softmax is computed in f32 whatever softmax_precision says.
#include <math.h>

#include "op/tensor/attend.h"
#include "op/tensor/infer.h"
#include "op/tensor/wide.h"

enum { Q, K, V, MASK, PAST_KEY, PAST_VALUE, VALID_KEYS };
enum { PRESENT_KEY = 1, PRESENT_VALUE, SCORES, MOST_OUTPUTS };

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType q = infer_type(node, Q), v = infer_type(node, V);
    for (size_t i = 0; i < node->output_count; i++)
        ret_types[i] = q.rank < 0 ? type_unknown() : infer_rank(q.dtype, 4);
    ret_types[0] = q;
    if (q.rank == 4) {
        ret_types[0].dims[3] = v.rank == 4 ? v.dims[3] : dim_unknown();
    } else if (q.rank == 3) {
        int64_t heads = node_int(node, "q_num_heads", 0), kv_heads = node_int(node, "kv_num_heads", 0);
        bool known = v.rank == 3 && !v.dims[2].variable && kv_heads > 0 && heads > 0 && heads < 1 << 20 &&
                     v.dims[2].value < INT64_C(1) << 40;
        ret_types[0].dims[2] = known ? dim_of(v.dims[2].value / kv_heads * heads) : dim_unknown();
    }
    return OK;
}

static Status scores_make(Evaluation *run, Attend *args, WideOutput *ret_output, Error *err) {
    Shape shape = {
        4, {(int64_t)args->q.batches, (int64_t)args->q.heads, (int64_t)args->q.tokens, (int64_t)args->k.tokens}};
    int64_t mode = node_int(run->node, "qk_matmul_output_mode", 0);
    *ret_output = (WideOutput){0};
    if (mode < 0 || mode > 3)
        return FAIL(err, ERR_FORMAT, "%s: qk_matmul_output_mode is %lld, expected 0 to 3", evaluate_name(run),
                    (long long)mode);
    if (run->node->output_count <= SCORES)
        return OK;
    TRY(wide_output(run, SCORES, run->inputs[Q].dtype, &shape, ret_output, err));
    args->scores = ret_output->values;
    args->stage = (AttendStage)mode;
    return OK;
}

static Status masks_make(Evaluation *run, Attend *args, Error *err) {
    args->causal = node_int(run->node, "is_causal", 0) != 0;
    if (evaluate_has(run, MASK))
        TRY(attend_bias(run, MASK, &args->q, args->k.tokens, &args->biases[0], err));
    if (!evaluate_has(run, VALID_KEYS))
        return OK;
    int64_t *valid = arena_array(run->scratch, args->q.batches, sizeof *valid, err);
    size_t count;
    TRY_NEW(valid);
    TRY(evaluate_ints(run, VALID_KEYS, args->q.batches, valid, &count, err));
    if (count != args->q.batches)
        return FAIL(err, ERR_FORMAT, "%s: nonpad_kv_seqlen has %zu elements, expected one for each of %zu",
                    evaluate_name(run), count, args->q.batches);
    args->valid_keys = valid;
    return OK;
}

// Y in the layout of Q.
static Status result_make(Evaluation *run, Attend *args, bool flat, WideOutput *ret_output, Error *err) {
    int64_t batches = (int64_t)args->q.batches, heads = (int64_t)args->q.heads, queries = (int64_t)args->q.tokens;
    size_t width = args->v.width, rows = flat ? args->q.heads * width : width;
    Shape shape =
        flat ? (Shape){3, {batches, queries, (int64_t)rows}} : (Shape){4, {batches, heads, queries, (int64_t)width}};
    TRY(wide_output(run, 0, run->inputs[Q].dtype, &shape, ret_output, err));
    args->y = ret_output->values;
    args->y_row = rows;
    args->y_head = flat ? width : args->q.tokens * width;
    args->y_batch = args->q.heads * args->q.tokens * width;
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    Attend args = {0};
    WideOutput y, present_key, present_value, scores;
    if (run->node->output_count > MOST_OUTPUTS)
        return FAIL(err, ERR_FORMAT, "%s has %zu outputs, expected at most %d", evaluate_name(run),
                    run->node->output_count, MOST_OUTPUTS);
    TRY(attend_view(run, Q, node_int(run->node, "q_num_heads", 0), &args.q, err));
    TRY(evaluate_same_type(run, Q, K, err));
    TRY(evaluate_same_type(run, Q, V, err));
    TRY(attend_view(run, K, node_int(run->node, "kv_num_heads", 0), &args.k, err));
    TRY(attend_view(run, V, node_int(run->node, "kv_num_heads", 0), &args.v, err));
    if (evaluate_has(run, PAST_KEY))
        args.past = (size_t)(run->inputs[PAST_KEY].shape.rank == 4 ? run->inputs[PAST_KEY].shape.dims[2] : 0);
    TRY(attend_past(run, PAST_KEY, PRESENT_KEY, &args.k, &present_key, err));
    TRY(attend_past(run, PAST_VALUE, PRESENT_VALUE, &args.v, &present_value, err));
    args.scale = (float)node_real(run->node, "scale", 1 / sqrt((double)(args.q.width ? args.q.width : 1)));
    args.softcap = (float)node_real(run->node, "softcap", 0);
    TRY(masks_make(run, &args, err));
    TRY(result_make(run, &args, run->inputs[Q].shape.rank == 3, &y, err));
    TRY(scores_make(run, &args, &scores, err));
    TRY(attend(run, &args, err));
    wide_done(&y);
    wide_done(&present_key);
    wide_done(&present_value);
    wide_done(&scores);
    return OK;
}

const OpDef op_tensor_attention = {.infer = infer, .evaluate = evaluate};
