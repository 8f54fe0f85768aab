// SPDX-License-Identifier: Apache-2.0
// Statistics to tensors and back.
#include "compress/statistics_file.h"

#include <math.h>
#include <string.h>

#include "format/safetensors/safetensors.h"

#define WEIGHTS ".input.weights"
enum { TENSORS = 7, EXTREMES = 5 };

static Status tensor_add(Arena *arena, Tensor *tensors, size_t *count, const char *weight, const char *ending,
                         DType dtype, size_t elements, const void *data, Error *err) {
    Tensor tensor = {.dtype = dtype, .shape = {1, {(int64_t)elements}}, .data = data};
    tensor.bytes = elements * dtype_bytes(dtype);
    TRY_NEW(tensor.name = arena_format(arena, err, "%s.input.%s", weight, ending));
    tensors[(*count)++] = tensor;
    return OK;
}

static Status input_add(Arena *arena, const InputStatistics *s, Tensor *tensors, size_t *count, Error *err) {
    const char *weight = s->weights[0];
    float *extremes = arena_array(arena, EXTREMES, sizeof *extremes, err);
    TRY_NEW(extremes);
    memcpy(extremes, (float[]){s->least, s->most, s->average_least, s->average_most, s->range},
           EXTREMES * sizeof *extremes);
    Buffer names = {0};
    for (size_t i = 0; i < s->weight_count; i++)
        buffer_format(&names, "%s%s", i ? "\n" : "", s->weights[i]);
    Status status = buffer_status(&names, err);
    char *text = status == OK ? arena_copy_text(arena, names.data, names.bytes, err) : NULL;
    buffer_done(&names);
    TRY_NEW(text);
    TRY(tensor_add(arena, tensors, count, weight, "weights", DTYPE_U8, strlen(text), text, err));
    TRY(tensor_add(arena, tensors, count, weight, "rows", DTYPE_U64, 1, &s->rows, err));
    TRY(tensor_add(arena, tensors, count, weight, "extremes", DTYPE_F32, EXTREMES, extremes, err));
    TRY(tensor_add(arena, tensors, count, weight, "histogram", DTYPE_U64, STATISTICS_BINS, s->histogram, err));
    TRY(tensor_add(arena, tensors, count, weight, "absmax", DTYPE_F32, s->columns, s->column_absmax, err));
    TRY(tensor_add(arena, tensors, count, weight, "sums", DTYPE_F64, s->columns, s->column_sums, err));
    return tensor_add(arena, tensors, count, weight, "squares", DTYPE_F64, s->columns, s->column_squares, err);
}

Status statistics_write(Arena *arena, const char *path, const Calibration *calibration, Error *err) {
    size_t count = 0;
    Tensor *tensors = arena_array(arena, calibration->count * TENSORS, sizeof *tensors, err);
    TRY_NEW(tensors);
    for (size_t i = 0; i < calibration->count; i++)
        TRY(input_add(arena, &calibration->inputs[i], tensors, &count, err));
    return safetensors_write(path, tensors, count, NULL, NULL, err);
}

typedef struct Reader {
    Arena *arena;
    const char *name;
    const Bundle *bundle;
    const char *weight; // the tensors' common beginning
    size_t length;
    Error *err;
} Reader;

// Elements of "<weight>.input.<ending>" in *ret, aligned; `elements` 0: any number of them.
static Status vector_read(const Reader *r, const char *ending, DType dtype, size_t elements, void *ret_data,
                          size_t *ret_elements) {
    Error *err = r->err;
    char *full = arena_format(r->arena, err, "%.*s.input.%s", (int)r->length, r->weight, ending);
    TRY_NEW(full);
    const Tensor *tensor = bundle_find(r->bundle, full);
    if (!tensor || tensor->dtype != dtype || tensor->shape.rank != 1 || tensor->shape.dims[0] == 0 ||
        (elements && (size_t)tensor->shape.dims[0] != elements))
        return FAIL(err, ERR_FORMAT, "%s: expected statistics '%s', a vector of %s", r->name, full,
                    dtype_safetensors_name(dtype));
    void *copy = arena_alloc(r->arena, tensor->bytes, 64, err);
    TRY_NEW(copy);
    memcpy(copy, tensor->data, tensor->bytes);
    memcpy(ret_data, &copy, sizeof copy);
    if (ret_elements)
        *ret_elements = (size_t)tensor->shape.dims[0];
    return OK;
}

static Status weights_split(const Reader *r, InputStatistics *s) {
    Error *err = r->err;
    char *text;
    size_t bytes;
    TRY(vector_read(r, "weights", DTYPE_U8, 0, &text, &bytes));
    TRY_NEW(text = arena_copy_text(r->arena, text, bytes, err));
    size_t most = 1;
    for (size_t i = 0; i < bytes; i++)
        most += text[i] == '\n';
    TRY_NEW(s->weights = arena_array(r->arena, most, sizeof(char *), err));
    for (char *line = text; line; s->weight_count++) {
        char *end = strchr(line, '\n');
        if (end)
            *end++ = '\0';
        s->weights[s->weight_count] = line;
        line = end;
    }
    return OK;
}

static Status input_check(const Reader *r, const InputStatistics *s) {
    uint64_t elements = 0;
    bool finite = isfinite(s->least) && isfinite(s->most) && isfinite(s->average_least) && isfinite(s->average_most) &&
                  isfinite(s->range) && s->least <= 0 && s->most >= 0 && s->range >= 0;
    for (size_t c = 0; c < s->columns; c++)
        finite &= isfinite(s->column_absmax[c]) && isfinite(s->column_sums[c]) && isfinite(s->column_squares[c]);
    for (size_t i = 0; i < STATISTICS_BINS; i++)
        elements += s->histogram[i];
    if (!finite || !s->rows || elements != s->rows * s->columns)
        return FAIL(r->err, ERR_FORMAT, "%s: the statistics of '%.*s' contradict themselves", r->name, (int)r->length,
                    r->weight);
    return OK;
}

static Status input_read(const Reader *r, InputStatistics *ret_input) {
    InputStatistics s = {0};
    uint64_t *rows;
    float *extremes;
    TRY(weights_split(r, &s));
    TRY(vector_read(r, "rows", DTYPE_U64, 1, &rows, NULL));
    TRY(vector_read(r, "extremes", DTYPE_F32, EXTREMES, &extremes, NULL));
    TRY(vector_read(r, "histogram", DTYPE_U64, STATISTICS_BINS, &s.histogram, NULL));
    TRY(vector_read(r, "absmax", DTYPE_F32, 0, &s.column_absmax, &s.columns));
    TRY(vector_read(r, "sums", DTYPE_F64, s.columns, &s.column_sums, NULL));
    TRY(vector_read(r, "squares", DTYPE_F64, s.columns, &s.column_squares, NULL));
    s.rows = *rows;
    s.least = extremes[0];
    s.most = extremes[1];
    s.average_least = extremes[2];
    s.average_most = extremes[3];
    s.range = extremes[4];
    TRY(input_check(r, &s));
    *ret_input = s;
    return OK;
}

Status statistics_read(Arena *arena, const char *name, Bytes file, Calibration *ret_calibration, Error *err) {
    Bundle bundle;
    Calibration calibration = {0};
    TRY(safetensors_read(arena, name, file, &bundle, err));
    TRY_NEW(calibration.inputs = arena_array(arena, bundle.count, sizeof *calibration.inputs, err));
    for (size_t i = 0; i < bundle.count; i++) {
        size_t length = strlen(bundle.tensors[i].name), tail = strlen(WEIGHTS);
        if (length <= tail || strcmp(bundle.tensors[i].name + length - tail, WEIGHTS) != 0)
            continue;
        Reader reader = {arena, name, &bundle, bundle.tensors[i].name, length - tail, err};
        TRY(input_read(&reader, &calibration.inputs[calibration.count++]));
    }
    if (!calibration.count)
        return FAIL(err, ERR_FORMAT, "%s holds no statistics of calibration", name);
    *ret_calibration = calibration;
    return OK;
}
