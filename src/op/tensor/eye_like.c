// SPDX-License-Identifier: Apache-2.0
// EyeLike: ones on a diagonal of a matrix of zeros of the input's shape. {dtype, k=0: which diagonal, upwards}
#include <string.h>

#include "op/tensor/convert.h"

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType x = infer_type(node, 0);
    DType dtype = x.dtype;
    infer_dtype(node, "dtype", &dtype);
    ret_types[0] = infer_as(x, dtype);
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    if (!evaluate_has(run, 0))
        return FAIL(err, ERR_FORMAT, "%s: input 0 is missing", evaluate_name(run));
    const Shape *shape = &run->inputs[0].shape;
    char text[SHAPE_TEXT_BYTES];
    DType dtype;
    unsigned char *y, one[8];
    TRY(evaluate_dtype(run, "dtype", run->inputs[0].dtype, &dtype, err));
    if (shape->rank != 2)
        return FAIL(err, ERR_FORMAT, "%s: input 0 is %s, expected a matrix", evaluate_name(run),
                    shape_text(shape, text));
    TRY(evaluate_output(run, 0, dtype, shape, &y, err));
    memset(y, 0, run->outputs[0].bytes);
    int64_t k = node_int(run->node, "k", 0), rows = shape->dims[0], columns = shape->dims[1];
    if (k >= columns || k <= -rows)
        return OK;
    elements_convert(run, (Conversion){.from = DTYPE_BOOL, .to = dtype}, &(uint8_t){1}, 1, one);
    for (int64_t row = k < 0 ? -k : 0; row < rows && row + k < columns; row++)
        memcpy(y + (size_t)(row * columns + row + k) * dtype_bytes(dtype), one, dtype_bytes(dtype));
    return OK;
}

const OpDef op_tensor_eye_like = {.infer = infer, .evaluate = evaluate};
