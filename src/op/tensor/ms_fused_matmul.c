// SPDX-License-Identifier: Apache-2.0
// FusedMatMul: alpha a b, the last two dimensions of either exchanged first. {alpha=1, transA=0, transB=0;
// transBatchA, transBatchB: not taken}
#include "op/tensor/move.h"
#include "op/tensor/product.h"
#include "op/tensor/wide.h"

static ValueType turned_type(const Node *node, size_t index, const char *attribute) {
    ValueType type = infer_type(node, index);
    if (type.rank >= 2 && node_int(node, attribute, 0)) {
        Dim last = type.dims[type.rank - 1];
        type.dims[type.rank - 1] = type.dims[type.rank - 2];
        type.dims[type.rank - 2] = last;
    }
    return type;
}

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType a = turned_type(node, 0, "transA");
    ret_types[0] = matmul_infer(a, turned_type(node, 1, "transB"), a.dtype);
    return OK;
}

// A copy with its last two dimensions exchanged, where the attribute says so.
static Status turn(const Evaluation *run, const char *attribute, Tensor *tensor, Error *err) {
    int rank = tensor->shape.rank;
    if (rank < 2 || !node_int(run->node, attribute, 0))
        return OK;
    int64_t rows = tensor->shape.dims[rank - 2], columns = tensor->shape.dims[rank - 1];
    void *turned = arena_alloc(run->scratch, tensor->bytes, 64, err);
    TRY_NEW(turned);
    StridedCopy copy = {.from = tensor->data,
                        .to = turned,
                        .width = dtype_bytes(tensor->dtype),
                        .rank = 3,
                        .dims = {(int64_t)shape_count_range(&tensor->shape, 0, rank - 2), columns, rows},
                        .from_strides = {rows * columns, 1, columns},
                        .to_strides = {rows * columns, rows, 1}};
    strided_copy(run, &copy);
    tensor->data = turned;
    tensor->shape.dims[rank - 2] = columns;
    tensor->shape.dims[rank - 1] = rows;
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    if (node_int(run->node, "transBatchA", 0) || node_int(run->node, "transBatchB", 0))
        return FAIL(err, ERR_UNSUPPORTED, "%s: transBatchA and transBatchB are not taken", evaluate_name(run));
    TRY(evaluate_type(run, 0, DTYPES_WIDE, err));
    TRY(evaluate_same_type(run, 0, 1, err));
    Tensor inputs[] = {run->inputs[0], run->inputs[1]};
    TRY(turn(run, "transA", &inputs[0], err));
    TRY(turn(run, "transB", &inputs[1], err));
    const Tensor *given = run->inputs;
    run->inputs = inputs;
    Status status = matmul_evaluate(run, (float)node_real(run->node, "alpha", 1), err);
    run->inputs = given;
    return status;
}

const OpDef op_tensor_ms_fused_matmul = {.infer = infer, .evaluate = evaluate};
