// SPDX-License-Identifier: Apache-2.0
// RotaryEmbedding: pairs of elements turned by the angles of their position. {interleaved=0, num_heads=0,
// rotary_embedding_dim=0}
#include "op/tensor/infer.h"
#include "op/tensor/rotary.h"
#include "op/tensor/wide.h"

enum { X, COS, SIN, POSITIONS };

static Status positions_read(Evaluation *run, const Rotary *args, int64_t *at, Error *err) {
    size_t count = args->x.batches * args->x.tokens;
    char text[SHAPE_TEXT_BYTES];
    if (!evaluate_has(run, POSITIONS)) {
        for (size_t i = 0; i < count; i++)
            at[i] = (int64_t)i;
        return OK;
    }
    TRY(evaluate_type(run, POSITIONS, DTYPES_INDEX, err));
    const Tensor *ids = &run->inputs[POSITIONS];
    if (ids->shape.rank != 2 || (size_t)ids->shape.dims[0] != args->x.batches ||
        (size_t)ids->shape.dims[1] != args->x.tokens)
        return FAIL(err, ERR_FORMAT, "%s: positions are %s, expected [%zu,%zu]", evaluate_name(run),
                    shape_text(&ids->shape, text), args->x.batches, args->x.tokens);
    for (size_t i = 0; i < count; i++)
        at[i] = ids->dtype == DTYPE_I64 ? ((const int64_t *)ids->data)[i] : ((const int32_t *)ids->data)[i];
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    Rotary args = {.interleaved = node_int(run->node, "interleaved", 0) != 0};
    WideOutput y;
    bool positions = evaluate_has(run, POSITIONS);
    TRY(attend_view(run, X, node_int(run->node, "num_heads", 0), &args.x, err));
    TRY(evaluate_same_type(run, X, COS, err));
    TRY(rotary_caches(run, COS, SIN, positions ? 2 : 3, &args, err));
    const Shape *caches = &run->inputs[COS].shape;
    int64_t dim = node_int(run->node, "rotary_embedding_dim", 0);
    args.dim = dim ? (size_t)dim : args.x.width;
    if (dim < 0 || args.dim / 2 != (size_t)caches->dims[caches->rank - 1])
        return FAIL(err, ERR_FORMAT, "%s: %lld elements of each head turn, the caches have %lld angles",
                    evaluate_name(run), (long long)(dim ? dim : (int64_t)args.x.width),
                    (long long)caches->dims[caches->rank - 1]);
    char text[SHAPE_TEXT_BYTES];
    if (!positions && ((size_t)caches->dims[0] != args.x.batches || (size_t)caches->dims[1] != args.x.tokens))
        return FAIL(err, ERR_FORMAT, "%s: caches without positions are %s, expected [%zu,%zu, ...]", evaluate_name(run),
                    shape_text(caches, text), args.x.batches, args.x.tokens);
    int64_t *at = arena_array(run->scratch, args.x.batches * args.x.tokens, sizeof *at, err);
    TRY_NEW(at);
    TRY(positions_read(run, &args, at, err));
    args.at = at;
    TRY(wide_output(run, 0, run->inputs[X].dtype, &run->inputs[X].shape, &y, err));
    args.y = y.values;
    TRY(rotary_run(run, &args, err));
    wide_done(&y);
    return OK;
}

const OpDef op_tensor_rotary_embedding = {.infer = infer_first, .evaluate = evaluate};
