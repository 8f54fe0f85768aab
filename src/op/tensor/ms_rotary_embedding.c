// SPDX-License-Identifier: Apache-2.0
// RotaryEmbedding: as ONNX's, with positions always: one where the first token is, or one for each token.
// {interleaved=0, num_heads=0, rotary_embedding_dim=0}
#include "op/tensor/infer.h"
#include "op/tensor/rotary.h"
#include "op/tensor/wide.h"

enum { X, POSITIONS, COS, SIN };

static Status positions_read(Evaluation *run, const Rotary *args, int64_t *at, Error *err) {
    TRY(evaluate_type(run, POSITIONS, DTYPES_INDEX, err));
    const Tensor *ids = &run->inputs[POSITIONS];
    size_t count = args->x.batches * args->x.tokens, given = shape_count(&ids->shape);
    bool all = ids->shape.rank == 2 && (size_t)ids->shape.dims[0] == args->x.batches &&
               (size_t)ids->shape.dims[1] == args->x.tokens;
    char text[SHAPE_TEXT_BYTES];
    if (!all && given != 1)
        return FAIL(err, ERR_FORMAT, "%s: positions are %s, expected one, or [%zu,%zu]", evaluate_name(run),
                    shape_text(&ids->shape, text), args->x.batches, args->x.tokens);
    for (size_t i = 0; i < count; i++) {
        size_t from = all ? i : 0;
        int64_t id = ids->dtype == DTYPE_I64 ? ((const int64_t *)ids->data)[from] : ((const int32_t *)ids->data)[from];
        bool fits = id >= 0 && (uint64_t)id < args->positions;
        at[i] = !all && fits ? id + (int64_t)(i % args->x.tokens) : id; // what does not fit is found by rotary_run
    }
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    Rotary args = {.interleaved = node_int(run->node, "interleaved", 0) != 0};
    WideOutput y;
    if (node_int(run->node, "is_packed_batching", 0) || node_real(run->node, "scale", 1) != 1)
        return FAIL(err, ERR_UNSUPPORTED, "%s: is_packed_batching and scale are not taken", evaluate_name(run));
    TRY(evaluate_type(run, X, DTYPES_WIDE, err));
    TRY(evaluate_same_type(run, X, COS, err));
    TRY(rotary_caches(run, COS, SIN, 2, &args, err));
    const Shape *shape = &run->inputs[X].shape;
    int64_t dim = node_int(run->node, "rotary_embedding_dim", 0), heads = node_int(run->node, "num_heads", 0),
            half = run->inputs[COS].shape.dims[1];
    if (!dim && shape->rank == 3) // heads are as wide as the caches say
        heads = half && half <= shape->dims[2] && shape->dims[2] % (2 * half) == 0 ? shape->dims[2] / (2 * half) : 0;
    TRY(attend_view(run, X, heads, &args.x, err));
    args.dim = 2 * (size_t)half;
    if (dim && dim != 2 * half)
        return FAIL(err, ERR_FORMAT, "%s: %lld elements of each head turn, the caches have %lld angles",
                    evaluate_name(run), (long long)dim, (long long)half);
    int64_t *at = arena_array(run->scratch, args.x.batches * args.x.tokens, sizeof *at, err);
    TRY_NEW(at);
    TRY(positions_read(run, &args, at, err));
    args.at = at;
    TRY(wide_output(run, 0, run->inputs[X].dtype, shape, &y, err));
    args.y = y.values;
    TRY(rotary_run(run, &args, err));
    wide_done(&y);
    return OK;
}

const OpDef op_tensor_ms_rotary_embedding = {.infer = infer_first, .evaluate = evaluate};
