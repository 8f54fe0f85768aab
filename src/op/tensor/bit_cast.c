// SPDX-License-Identifier: Apache-2.0
// BitCast: the bits of each element as an element of another type of as many bits. {to}
#include "op/tensor/convert.h"

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    DType to;
    (void)err;
    ret_types[0] = infer_dtype(node, "to", &to) ? infer_as(infer_type(node, 0), to) : type_unknown();
    return OK;
}

// Elements of 4 and 2 bits lie in whole bytes, signed ones with their sign in all of it.
static Status evaluate(Evaluation *run, Error *err) {
    DType to;
    TRY(evaluate_dtype(run, "to", DTYPE_COUNT, &to, err));
    if (!evaluate_has(run, 0))
        return FAIL(err, ERR_FORMAT, "%s: input 0 is missing", evaluate_name(run));
    const Tensor *x = &run->inputs[0];
    unsigned bits = dtype_bits(to);
    if (dtype_bits(x->dtype) != bits)
        return FAIL(err, ERR_FORMAT, "%s: elements of %s have %u bits, those of %s %u", evaluate_name(run),
                    dtype_name(x->dtype), dtype_bits(x->dtype), dtype_name(to), bits);
    if (bits >= 8)
        return evaluate_view(run, 0, 0, to, &x->shape, err);
    uint8_t *y;
    TRY(evaluate_output(run, 0, to, &x->shape, &y, err));
    DType plain = bits == 4 ? DTYPE_U4 : DTYPE_U2, target = to == DTYPE_F4E2M1 ? plain : to;
    elements_convert(run, (Conversion){.from = DTYPE_U8, .to = target}, x->data, shape_count(&x->shape), y);
    return OK;
}

const OpDef op_tensor_bit_cast = {.infer = infer, .evaluate = evaluate};
