// SPDX-License-Identifier: Apache-2.0
// NonZero: where elements are not zero, as columns of indices [rank, count] in row-major order.
#include "op/tensor/move.h"

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    int rank = infer_type(node, 0).rank;
    ret_types[0] = infer_rank(DTYPE_I64, 2);
    if (rank >= 0)
        ret_types[0].dims[0] = dim_of(rank);
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    if (!evaluate_has(run, 0))
        return FAIL(err, ERR_FORMAT, "%s: input 0 is missing", evaluate_name(run));
    const Tensor *x = &run->inputs[0];
    size_t count = shape_count(&x->shape), width = dtype_bytes(x->dtype), found = 0, done = 0;
    enum { PIECE = 256 };
    double values[PIECE];
    int64_t *y = NULL;
    int rank = x->shape.rank;
    for (int pass = 0; pass < 2; pass++) { // the first one counts
        for (size_t first = 0; first < count; first += PIECE) {
            size_t piece = count - first < PIECE ? count - first : PIECE;
            elements_to_f64(x->dtype, (const unsigned char *)x->data + first * width, piece, values);
            for (size_t i = 0; i < piece; i++) {
                if (values[i] == 0)
                    continue;
                size_t at = first + i;
                for (int d = rank; pass && d-- > 0; at /= (size_t)x->shape.dims[d])
                    y[(size_t)d * found + done] = (int64_t)(at % (size_t)x->shape.dims[d]);
                done++;
            }
        }
        if (pass == 0) {
            found = done;
            done = 0;
            Shape shape = {2, {rank, (int64_t)found}};
            TRY(evaluate_output(run, 0, DTYPE_I64, &shape, &y, err));
        }
    }
    return OK;
}

const OpDef op_tensor_non_zero = {.infer = infer, .evaluate = evaluate};
