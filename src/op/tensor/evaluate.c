// SPDX-License-Identifier: Apache-2.0
// What all tensor operators ask of their run.
#include "op/tensor/evaluate.h"

#include <string.h>

#include "base/buffer.h"

const char *evaluate_name(const Evaluation *run) {
    static _Thread_local char text[160];
    snprintf(text, sizeof text, "%s '%s'", op_name(run->node->op), run->node->output_count ? run->node->names[0] : "");
    return text;
}

bool evaluate_has(const Evaluation *run, size_t input) {
    return input < run->node->input_count && run->inputs[input].dtype != DTYPE_COUNT;
}

Status evaluate_output_bytes(Evaluation *run, size_t index, DType dtype, const Shape *shape, void **ret_data,
                             Error *err) {
    Tensor tensor = {.name = run->node->names[index], .dtype = dtype, .shape = *shape};
    char text[SHAPE_TEXT_BYTES];
    if (!shape_bytes(shape, dtype, &tensor.bytes))
        return FAIL(err, ERR_LIMIT, "%s: output %zu would be %s%s, more than any memory", evaluate_name(run), index,
                    dtype_name(dtype), shape_text(shape, text));
    void *data;
    if (run->host->output(run, index, tensor.bytes, &data, err) != OK)
        return error_context(err, "%s, output %zu of %s%s", evaluate_name(run), index, dtype_name(dtype),
                             shape_text(shape, text));
    tensor.data = data;
    run->outputs[index] = tensor;
    *ret_data = data;
    return OK;
}

Status evaluate_view(Evaluation *run, size_t index, size_t input, DType dtype, const Shape *shape, Error *err) {
    const Tensor *from = &run->inputs[input];
    Tensor tensor = {.name = run->node->names[index], .dtype = dtype, .shape = *shape, .data = from->data};
    char a[SHAPE_TEXT_BYTES], b[SHAPE_TEXT_BYTES];
    if (!shape_bytes(shape, dtype, &tensor.bytes) || tensor.bytes != from->bytes)
        return FAIL(err, ERR_FORMAT, "%s: %s%s cannot become %s%s", evaluate_name(run), dtype_name(from->dtype),
                    shape_text(&from->shape, a), dtype_name(dtype), shape_text(shape, b));
    TRY(run->host->view(run, index, input, err));
    run->outputs[index] = tensor;
    return OK;
}

Status evaluate_body(Evaluation *run, const Graph *body, const Tensor *inputs, size_t count, const Tensor **ret_results,
                     Error *err) {
    if (!run->host->body)
        return FAIL(err, ERR_UNSUPPORTED, "%s: bodies are not run here", evaluate_name(run));
    return run->host->body(run, body, inputs, count, ret_results, err);
}

Status evaluate_result(Evaluation *run, size_t index, const Tensor *result, Error *err) {
    TRY(run->host->result(run, index, result, err));
    run->outputs[index] = *result;
    run->outputs[index].name = run->node->names[index];
    return OK;
}

void evaluate_body_done(Evaluation *run, const Tensor *results) {
    if (run->host->done)
        run->host->done(run, results);
}

Status evaluate_type(const Evaluation *run, size_t index, DTypeSet types, Error *err) {
    if (!evaluate_has(run, index))
        return FAIL(err, ERR_FORMAT, "%s: input %zu is missing", evaluate_name(run), index);
    DType dtype = run->inputs[index].dtype;
    if (types & DTYPE_BIT(dtype))
        return OK;
    char taken[200];
    size_t bytes = 0;
    for (DType d = 0; d < DTYPE_COUNT && bytes < sizeof taken - 20; d++)
        if (types & DTYPE_BIT(d))
            bytes += (size_t)snprintf(taken + bytes, sizeof taken - bytes, "%s%s", bytes ? ", " : "", dtype_name(d));
    return FAIL(err, ERR_UNSUPPORTED, "%s: input %zu is of type %s, expected one of %s", evaluate_name(run), index,
                dtype_name(dtype), taken);
}

Status evaluate_same_type(const Evaluation *run, size_t a, size_t b, Error *err) {
    if (!evaluate_has(run, a) || !evaluate_has(run, b))
        return FAIL(err, ERR_FORMAT, "%s: input %zu is missing", evaluate_name(run), evaluate_has(run, a) ? b : a);
    if (run->inputs[a].dtype != run->inputs[b].dtype)
        return FAIL(err, ERR_FORMAT, "%s: input %zu is of type %s and input %zu of type %s, expected the same",
                    evaluate_name(run), a, dtype_name(run->inputs[a].dtype), b, dtype_name(run->inputs[b].dtype));
    return OK;
}

Status evaluate_ints(const Evaluation *run, size_t index, size_t most, int64_t *ret_values, size_t *ret_count,
                     Error *err) {
    TRY(evaluate_type(run, index, DTYPES_INDEX, err));
    const Tensor *tensor = &run->inputs[index];
    size_t count = shape_count(&tensor->shape);
    char text[SHAPE_TEXT_BYTES];
    if (tensor->shape.rank > 1 || count > most)
        return FAIL(err, ERR_FORMAT, "%s: input %zu is %s, expected a list of at most %zu integers", evaluate_name(run),
                    index, shape_text(&tensor->shape, text), most);
    for (size_t i = 0; i < count; i++)
        ret_values[i] =
            tensor->dtype == DTYPE_I64 ? ((const int64_t *)tensor->data)[i] : ((const int32_t *)tensor->data)[i];
    *ret_count = count;
    return OK;
}

Status evaluate_axis_value(const Evaluation *run, int64_t value, int rank, bool inclusive, int *ret_axis, Error *err) {
    int most = inclusive ? rank : rank - 1;
    if (value < -(int64_t)rank || value > most)
        return FAIL(err, ERR_FORMAT, "%s: axis %lld of %d dimensions", evaluate_name(run), (long long)value, rank);
    *ret_axis = (int)(value < 0 ? value + rank : value);
    return OK;
}

Status evaluate_axis(const Evaluation *run, const char *name, int64_t missing, int rank, bool inclusive, int *ret_axis,
                     Error *err) {
    return evaluate_axis_value(run, node_int(run->node, name, missing), rank, inclusive, ret_axis, err);
}

Status evaluate_number(const Evaluation *run, size_t index, double *ret_value, Error *err) {
    if (!evaluate_has(run, index))
        return FAIL(err, ERR_FORMAT, "%s: input %zu is missing", evaluate_name(run), index);
    Tensor one = run->inputs[index];
    char text[SHAPE_TEXT_BYTES];
    if (shape_count(&one.shape) != 1)
        return FAIL(err, ERR_FORMAT, "%s: input %zu is %s, expected a single number", evaluate_name(run), index,
                    shape_text(&one.shape, text));
    elements_to_f64(one.dtype, one.data, 1, ret_value);
    return OK;
}

size_t shape_count_range(const Shape *shape, int first, int last) {
    size_t count = 1;
    for (int i = first; i < last; i++)
        count *= (size_t)shape->dims[i];
    return count;
}

size_t shape_count(const Shape *shape) {
    return shape_count_range(shape, 0, shape->rank);
}

void shape_strides(const Shape *shape, int64_t ret_strides[SHAPE_MOST_DIMS]) {
    int64_t stride = 1;
    for (int i = shape->rank - 1; i >= 0; i--) {
        ret_strides[i] = stride;
        stride = (int64_t)((uint64_t)stride * (uint64_t)shape->dims[i]); // of an empty tensor it may be anything
    }
}

void shape_broadcast_strides(const Shape *from, const Shape *to, int64_t ret_strides[SHAPE_MOST_DIMS]) {
    int64_t own[SHAPE_MOST_DIMS];
    int shift = to->rank - from->rank;
    shape_strides(from, own);
    for (int i = 0; i < to->rank; i++)
        ret_strides[i] = i < shift || from->dims[i - shift] == 1 ? 0 : own[i - shift];
}

bool shape_broadcast(const Shape *a, const Shape *b, Shape *ret) {
    Shape both = {.rank = a->rank > b->rank ? a->rank : b->rank};
    for (int i = 1; i <= both.rank; i++) {
        int64_t x = i <= a->rank ? a->dims[a->rank - i] : 1, y = i <= b->rank ? b->dims[b->rank - i] : 1;
        if (x != y && x != 1 && y != 1)
            return false;
        both.dims[both.rank - i] = x == 1 ? y : x;
    }
    *ret = both;
    return true;
}

Status evaluate_as_f32(Evaluation *run, size_t index, const float **ret_values, Error *err) {
    const Tensor *tensor = &run->inputs[index];
    if (tensor->dtype == DTYPE_F32) {
        *ret_values = tensor->data;
        return OK;
    }
    float *values = arena_alloc(run->scratch, shape_count(&tensor->shape) * sizeof *values, 64, err);
    TRY_NEW(values);
    tensor_to_f32(tensor, values);
    *ret_values = values;
    return OK;
}

Status evaluate_as_f64(Evaluation *run, size_t index, const double **ret_values, Error *err) {
    const Tensor *tensor = &run->inputs[index];
    if (tensor->dtype == DTYPE_F64) {
        *ret_values = tensor->data;
        return OK;
    }
    double *values = arena_alloc(run->scratch, shape_count(&tensor->shape) * sizeof *values, 64, err);
    TRY_NEW(values);
    elements_to_f64(tensor->dtype, tensor->data, shape_count(&tensor->shape), values);
    *ret_values = values;
    return OK;
}

void real_store(DType dtype, const float *values, size_t count, void *ret_elements) {
    switch (dtype) {
    case DTYPE_F64:
        for (size_t i = 0; i < count; i++)
            ((double *)ret_elements)[i] = (double)values[i];
        break;
    case DTYPE_F16:
        for (size_t i = 0; i < count; i++)
            ((uint16_t *)ret_elements)[i] = f32_to_f16(values[i]);
        break;
    case DTYPE_BF16:
        for (size_t i = 0; i < count; i++)
            ((uint16_t *)ret_elements)[i] = f32_to_bf16(values[i]);
        break;
    default:
        memcpy(ret_elements, values, count * sizeof *values);
    }
}

typedef struct Parts {
    void (*work)(void *context, size_t first, size_t last);
    void *context;
    size_t count, parts;
} Parts;

static void part_run(void *context, size_t index) {
    const Parts *p = context;
    p->work(p->context, p->count * index / p->parts, p->count * (index + 1) / p->parts);
}

// Below this many elements sharing out costs more than it saves.
enum { PARALLEL_ELEMENTS = 32768, PARTS_PER_THREAD = 4 };

void evaluate_parallel(const Evaluation *run, size_t count, size_t elements,
                       void (*work)(void *context, size_t first, size_t last), void *context) {
    size_t parts = elements < PARALLEL_ELEMENTS ? 1 : (size_t)pool_threads(run->pool) * PARTS_PER_THREAD;
    Parts all = {work, context, count, parts < count ? parts : count};
    if (all.parts < 2)
        work(context, 0, count);
    else
        pool_run(run->pool, all.parts, part_run, &all);
}
