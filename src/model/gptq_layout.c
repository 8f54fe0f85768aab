// SPDX-License-Identifier: Apache-2.0
// Sizes first, then what groups and zero points there are, then one of two ways: words turned over, or numbers.
#include "model/gptq_layout.h"

#include <math.h>
#include <string.h>

#define CODES ".qweight"

enum { CODES_PER_WORD = 8, MIDDLE = 8 };

// The tensor called `name` with `ending` in place of the ending it has.
static const Tensor *beside(const Bundle *bundle, const char *name, size_t ending_bytes, const char *ending) {
    char other[600];
    size_t length = strlen(name) - ending_bytes;
    if ((size_t)snprintf(other, sizeof other, "%.*s%s", (int)length, name, ending) >= sizeof other)
        return NULL;
    return bundle_find(bundle, other);
}

static bool ends_with(const char *name, const char *ending) {
    size_t length = strlen(name), tail = strlen(ending);
    return length > tail && strcmp(name + length - tail, ending) == 0;
}

bool gptq_is_codes(const Bundle *bundle, const char *name) {
    return ends_with(name, CODES) && beside(bundle, name, strlen(CODES), ".qzeros") &&
           beside(bundle, name, strlen(CODES), ".scales");
}

bool gptq_is_beside(const Bundle *bundle, const char *name) {
    static const char *const endings[] = {".qzeros", ".scales", ".g_idx"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        if (!ends_with(name, endings[i]))
            continue;
        const Tensor *codes = beside(bundle, name, strlen(endings[i]), CODES);
        return codes && gptq_is_codes(bundle, codes->name);
    }
    return false;
}

typedef struct Layout {
    const Tensor *codes, *zeros, *scales, *order; // order may be NULL
    size_t inputs, outputs, groups;
    int zero_shift;
} Layout;

// Words may lie anywhere in a file.
static int32_t word_at(const Tensor *tensor, size_t index) {
    int32_t word;
    memcpy(&word, (const unsigned char *)tensor->data + index * sizeof word, sizeof word);
    return word;
}

static int code_at(const Layout *w, size_t input, size_t output) {
    uint32_t word = (uint32_t)word_at(w->codes, input / CODES_PER_WORD * w->outputs + output);
    return (int)(word >> 4 * (input % CODES_PER_WORD) & 15);
}

static int zero_at(const Layout *w, size_t group, size_t output) {
    size_t words = (w->outputs + CODES_PER_WORD - 1) / CODES_PER_WORD;
    uint32_t word = (uint32_t)word_at(w->zeros, group * words + output / CODES_PER_WORD);
    return (int)(word >> 4 * (output % CODES_PER_WORD) & 15) + w->zero_shift;
}

static float scale_at(const Layout *w, size_t group, size_t output) {
    size_t index = group * w->outputs + output, size = dtype_bytes(w->scales->dtype);
    Tensor one = {
        .dtype = w->scales->dtype, .data = (const unsigned char *)w->scales->data + index * size, .bytes = size};
    float scale;
    tensor_to_f32(&one, &scale);
    return scale;
}

// Groups lie in a row where nothing else is told.
static size_t group_of(const Layout *w, size_t input) {
    return w->order ? (size_t)word_at(w->order, input) : input / (w->inputs / w->groups);
}

static Status expect(const Tensor *tensor, bool dtype_fits, const char *dtype, size_t rows, size_t columns,
                     Error *err) {
    char texts[2][SHAPE_TEXT_BYTES];
    Shape shape = {columns ? 2 : 1, {(int64_t)rows, (int64_t)columns}};
    if (dtype_fits && shape_equal(&tensor->shape, &shape))
        return OK;
    return FAIL(err, ERR_FORMAT, "tensor '%s' is %s %s, expected %s %s beside codes of 4 bits", tensor->name,
                dtype_safetensors_name(tensor->dtype), shape_text(&tensor->shape, texts[0]), dtype,
                shape_text(&shape, texts[1]));
}

static Status order_check(const Layout *w, Error *err) {
    for (size_t i = 0; w->order && i < w->inputs; i++) {
        int32_t group = word_at(w->order, i);
        if (group < 0 || (size_t)group >= w->groups)
            return FAIL(err, ERR_FORMAT, "tensor '%s': input %zu is of group %d, and there are %zu", w->order->name, i,
                        (int)group, w->groups);
    }
    return OK;
}

static Status layout_read(const Bundle *bundle, const Tensor *codes, int zero_shift, Layout *ret, Error *err) {
    size_t tail = strlen(CODES);
    Layout w = {.codes = codes, .zero_shift = zero_shift};
    w.zeros = beside(bundle, codes->name, tail, ".qzeros");
    w.scales = beside(bundle, codes->name, tail, ".scales");
    w.order = beside(bundle, codes->name, tail, ".g_idx");
    const int64_t *dims = codes->shape.dims;
    if (codes->dtype != DTYPE_I32 || codes->shape.rank != 2 || dims[0] < 1 || dims[1] < 1)
        return FAIL(err, ERR_FORMAT, "tensor '%s' is no I32 [inputs / 8, outputs]", codes->name);
    w.inputs = (size_t)dims[0] * CODES_PER_WORD;
    w.outputs = (size_t)dims[1];
    if (w.scales->shape.rank != 2 || w.scales->shape.dims[0] < 1)
        return FAIL(err, ERR_FORMAT, "tensor '%s' is no [groups, outputs]", w.scales->name);
    w.groups = (size_t)w.scales->shape.dims[0];
    TRY(expect(w.scales, dtype_is_real(w.scales->dtype), "F16", w.groups, w.outputs, err));
    TRY(expect(w.zeros, w.zeros->dtype == DTYPE_I32, "I32", w.groups, (w.outputs + CODES_PER_WORD - 1) / CODES_PER_WORD,
               err));
    if (w.order)
        TRY(expect(w.order, w.order->dtype == DTYPE_I32, "I32", w.inputs, 0, err));
    if (!w.order && w.inputs % w.groups)
        return FAIL(err, ERR_FORMAT, "tensor '%s' has %zu groups, which do not divide %zu inputs", w.scales->name,
                    w.groups, w.inputs);
    TRY(order_check(&w, err));
    *ret = w;
    return OK;
}

// Every zero point in the middle of the codes, groups in a row.
static bool is_plain(const Layout *w) {
    bool plain = w->inputs % w->groups == 0;
    for (size_t i = 0; plain && w->order && i < w->inputs; i++)
        plain = group_of(w, i) == i / (w->inputs / w->groups);
    for (size_t g = 0; plain && g < w->groups; g++)
        for (size_t o = 0; plain && o < w->outputs; o++)
            plain = zero_at(w, g, o) == MIDDLE;
    return plain;
}

static Status tensor_make(Arena *arena, const Layout *w, const char *ending, DType dtype, Shape shape, Tensor *ret,
                          void **ret_data, Error *err) {
    size_t bytes;
    Tensor tensor = {.dtype = dtype, .shape = shape};
    if (!shape_bytes(&shape, dtype, &bytes))
        return FAIL(err, ERR_LIMIT, "tensor '%s' is more than this machine can address", w->codes->name);
    TRY_NEW(tensor.name = arena_format(arena, err, "%.*s%s", (int)(strlen(w->codes->name) - strlen(CODES)),
                                       w->codes->name, ending));
    void *data = arena_alloc(arena, bytes, 64, err);
    TRY_NEW(data);
    tensor.data = data;
    tensor.bytes = bytes;
    *ret = tensor;
    *ret_data = data;
    return OK;
}

// [rows, columns] of `size` bytes each -> [columns, rows].
static void turn_over(const void *from, size_t rows, size_t columns, size_t size, void *to) {
    const unsigned char *source = from;
    unsigned char *target = to;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            memcpy(target + (c * rows + r) * size, source + (r * columns + c) * size, size);
}

static Status packed_make(Arena *arena, const Layout *w, Tensor *ret_tensors, Error *err) {
    Shape words = {2, {(int64_t)w->outputs, (int64_t)(w->inputs / CODES_PER_WORD)}};
    Shape groups = {2, {(int64_t)w->outputs, (int64_t)w->groups}};
    DType real = w->scales->dtype;
    void *codes, *scales, *sizes;
    TRY(tensor_make(arena, w, ".weight_packed", DTYPE_I32, words, &ret_tensors[0], &codes, err));
    TRY(tensor_make(arena, w, ".weight_scale", real, groups, &ret_tensors[1], &scales, err));
    TRY(tensor_make(arena, w, ".weight_shape", DTYPE_I64, (Shape){1, {2}}, &ret_tensors[2], &sizes, err));
    turn_over(w->codes->data, w->inputs / CODES_PER_WORD, w->outputs, sizeof(int32_t), codes);
    turn_over(w->scales->data, w->groups, w->outputs, dtype_bytes(real), scales);
    int64_t *shape = sizes;
    shape[0] = (int64_t)w->outputs;
    shape[1] = (int64_t)w->inputs;
    return OK;
}

static Status dense_make(Arena *arena, const Layout *w, Tensor *ret_tensor, Error *err) {
    Tensor tensor = {0};
    Shape shape = {2, {(int64_t)w->outputs, (int64_t)w->inputs}};
    void *data;
    TRY(tensor_make(arena, w, ".weight", DTYPE_F32, shape, &tensor, &data, err));
    float *values = data;
    for (size_t o = 0; o < w->outputs; o++)
        for (size_t i = 0; i < w->inputs; i++) {
            size_t group = group_of(w, i);
            float scale = scale_at(w, group, o);
            if (!isfinite(scale))
                return FAIL(err, ERR_FORMAT, "tensor '%s' is %g at [%zu,%zu], and scales are finite", w->scales->name,
                            (double)scale, group, o);
            values[o * w->inputs + i] = (float)(code_at(w, i, o) - zero_at(w, group, o)) * scale;
        }
    *ret_tensor = tensor;
    return OK;
}

Status gptq_turn(Arena *arena, const Bundle *bundle, const Tensor *codes, int zero_shift,
                 Tensor ret_tensors[GPTQ_MOST_TENSORS], size_t *ret_count, Error *err) {
    Layout w = {0};
    TRY(layout_read(bundle, codes, zero_shift, &w, err));
    bool plain = is_plain(&w);
    if (plain)
        TRY(packed_make(arena, &w, ret_tensors, err));
    else
        TRY(dense_make(arena, &w, ret_tensors, err));
    *ret_count = plain ? GPTQ_MOST_TENSORS : 1;
    return OK;
}
