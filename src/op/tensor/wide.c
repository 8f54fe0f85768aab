// SPDX-License-Identifier: Apache-2.0
// Half precisions through f32.
#include "op/tensor/wide.h"

#include "base/memory.h"

Status wide_output(Evaluation *run, size_t index, DType dtype, const Shape *shape, WideOutput *ret, Error *err) {
    size_t bytes;
    *ret = (WideOutput){.dtype = dtype};
    if (!shape_elements(shape, &ret->count) || !size_multiply(ret->count, sizeof *ret->values, &bytes))
        return FAIL(err, ERR_LIMIT, "%s: output %zu is larger than any memory", evaluate_name(run), index);
    if (index < run->node->output_count)
        TRY(evaluate_output(run, index, dtype, shape, &ret->data, err));
    if (ret->data && dtype == DTYPE_F32)
        ret->values = ret->data;
    else
        TRY_NEW(ret->values = arena_alloc(run->scratch, bytes, 64, err));
    return OK;
}

void wide_done(const WideOutput *output) {
    if (output->data && output->data != (void *)output->values)
        real_store(output->dtype, output->values, output->count, output->data);
}

Status wide_input(Evaluation *run, size_t index, const float **ret_values, Error *err) {
    *ret_values = NULL;
    if (!evaluate_has(run, index))
        return OK;
    TRY(evaluate_type(run, index, DTYPES_WIDE, err));
    return evaluate_as_f32(run, index, ret_values, err);
}

Status wide_vector(Evaluation *run, size_t index, size_t count, const float **ret_values, Error *err) {
    TRY(wide_input(run, index, ret_values, err));
    char text[SHAPE_TEXT_BYTES];
    const Shape *shape = *ret_values ? &run->inputs[index].shape : NULL;
    if (shape && (shape->rank != 1 || shape_count(shape) != count))
        return FAIL(err, ERR_FORMAT, "%s: input %zu is %s, expected [%zu]", evaluate_name(run), index,
                    shape_text(shape, text), count);
    return OK;
}
