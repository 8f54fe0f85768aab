// SPDX-License-Identifier: Apache-2.0
// Reading 4-bit weights: sizes first, then scales, then the groups that both rows and blocks allow.
#include "tensor/four_bits.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "tensor/quantize4.h"

#define STATE ".quant_state.bitsandbytes__"

static const char *const endings[] = {".absmax",   ".quant_map", ".nested_absmax", ".nested_quant_map", STATE "nf4",
                                      STATE "fp4", "_scale",     "_shape",         "_zero_point",       "_g_idx"};

const char *four_bits_name(FourBitForm form) {
    static const char *const names[] = {"", "nf4", "fp4", "int4"};
    return names[form];
}

const Tensor *four_bits_beside(const Bundle *bundle, const Tensor *codes, const char *ending) {
    char name[600];
    size_t length = strlen(codes->name), tail = strlen("_packed");
    if (ending[0] == '_' && length > tail)
        length -= tail;
    if ((size_t)snprintf(name, sizeof name, "%.*s%s", (int)length, codes->name, ending) >= sizeof name)
        return NULL;
    return bundle_find(bundle, name);
}

FourBitForm four_bits_form(const Bundle *bundle, const Tensor *codes) {
    size_t length = strlen(codes->name), tail = strlen("_packed");
    if (length > tail && strcmp(codes->name + length - tail, "_packed") == 0)
        return FOUR_BITS_INT4;
    if (four_bits_beside(bundle, codes, STATE "nf4"))
        return FOUR_BITS_NF4;
    return four_bits_beside(bundle, codes, STATE "fp4") ? FOUR_BITS_FP4 : FOUR_BITS_NONE;
}

const Tensor *four_bits_owner(const Bundle *bundle, const Tensor *tensor) {
    char name[600];
    size_t length = strlen(tensor->name);
    for (size_t i = 0; i < sizeof endings / sizeof *endings && length < sizeof name - 8; i++) {
        size_t tail = strlen(endings[i]);
        if (length <= tail || strcmp(tensor->name + length - tail, endings[i]) != 0)
            continue;
        snprintf(name, sizeof name, "%.*s%s", (int)(length - tail), tensor->name,
                 endings[i][0] == '_' ? "_packed" : "");
        const Tensor *owner = bundle_find(bundle, name);
        if (owner && four_bits_form(bundle, owner) != FOUR_BITS_NONE)
            return owner;
    }
    return NULL;
}

static size_t greatest_divisor(size_t a, size_t b) {
    while (b) {
        size_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

// The tensor beside, as f32 in the arena: `count` finite elements.
static Status floats_read(Arena *arena, const Bundle *bundle, const Tensor *codes, const char *ending, size_t count,
                          const float **ret, Error *err) {
    const Tensor *tensor = four_bits_beside(bundle, codes, ending);
    if (!tensor)
        return FAIL(err, ERR_FORMAT, "tensor '%s' has 4 bits and no '%s' beside it", codes->name, ending);
    size_t elements;
    if (!shape_elements(&tensor->shape, &elements) || elements != count)
        return FAIL(err, ERR_FORMAT, "tensor '%s' has %zu elements, expected %zu", tensor->name, elements, count);
    float *values = arena_array(arena, count, sizeof *values, err);
    TRY_NEW(values);
    tensor_to_f32(tensor, values);
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return FAIL(err, ERR_FORMAT, "tensor '%s': element %zu is %g, and scales are finite", tensor->name, i,
                        (double)values[i]);
    *ret = values;
    return OK;
}

static unsigned code_at(const FourBits *w, const uint8_t *row, size_t column) {
    unsigned shift = (column % 2 == 0) == w->high_first ? 4 : 0;
    return row[column / 2] >> shift & 15;
}

// What a bitsandbytes quant_state says.
typedef struct State {
    size_t rows, columns, block, nested_block;
    double offset;
    bool nested;
} State;

static Status state_shape(const json_t *json, const char *name, State *state, Error *err) {
    const json_t *shape = json_object_get(json, "shape");
    json_int_t rows = json_integer_value(json_array_get(shape, 0)),
               columns = json_integer_value(json_array_get(shape, 1));
    if (json_array_size(shape) != 2 || rows < 1 || columns < 1 || rows > INT32_MAX || columns > INT32_MAX)
        return FAIL(err, ERR_FORMAT, "%s: 'shape' is not [rows, columns]", name);
    state->rows = (size_t)rows;
    state->columns = (size_t)columns;
    return OK;
}

static Status state_read(Arena *arena, const Tensor *tensor, const char *type, State *ret, Error *err) {
    char *name = arena_format(arena, err, "tensor '%s'", tensor->name);
    TRY_NEW(name);
    json_t *json;
    TRY(json_parse(arena, name, (Bytes){tensor->data, tensor->bytes}, false, &json, err));
    if (!json_is_object(json))
        return FAIL(err, ERR_FORMAT, "%s: expected a JSON object", name);
    State state = {0};
    const char *quant_type = "";
    int64_t block = 0, nested = 0;
    TRY(json_get_text(json, name, "quant_type", &quant_type, err));
    TRY(json_get_int(json, name, "blocksize", 1, 1 << 16, &block, err));
    TRY(json_get_int(json, name, "nested_blocksize", 1, 1 << 16, &nested, err));
    TRY(json_get_real(json, name, "nested_offset", -3.4e38, 3.4e38, &state.offset, err));
    TRY(state_shape(json, name, &state, err));
    if (strcmp(quant_type, type) != 0)
        return FAIL(err, ERR_FORMAT, "%s: 'quant_type' is '%s', expected '%s'", name, quant_type, type);
    if (block < FOUR_BITS_STEP || block & (block - 1))
        return FAIL(err, ERR_UNSUPPORTED, "%s: blocks of %lld; 32, 64, 128 and further doubles are supported", name,
                    (long long)block);
    state.block = (size_t)block;
    state.nested_block = (size_t)nested;
    state.nested = json_object_get(json, "nested_blocksize") || json_object_get(json, "nested_offset");
    if (state.nested && !nested)
        return FAIL(err, ERR_FORMAT, "%s: 'nested_blocksize' is missing", name);
    *ret = state;
    return OK;
}

// One absmax a block, from under double quantization where there is one.
static Status absmax_read(Arena *arena, const Bundle *bundle, const Tensor *codes, const State *state, size_t blocks,
                          const float **ret, Error *err) {
    if (!state->nested)
        return floats_read(arena, bundle, codes, ".absmax", blocks, ret, err);
    const float *coded = NULL, *map = NULL, *nested = NULL;
    const Tensor *tensor = four_bits_beside(bundle, codes, ".absmax");
    if (tensor && tensor->dtype != DTYPE_U8)
        return FAIL(err, ERR_FORMAT, "tensor '%s' is %s, expected U8 under double quantization", tensor->name,
                    dtype_safetensors_name(tensor->dtype));
    TRY(floats_read(arena, bundle, codes, ".absmax", blocks, &coded, err));
    TRY(floats_read(arena, bundle, codes, ".nested_quant_map", 256, &map, err));
    size_t nested_blocks = (blocks + state->nested_block - 1) / state->nested_block;
    TRY(floats_read(arena, bundle, codes, ".nested_absmax", nested_blocks, &nested, err));
    float *absmax = arena_array(arena, blocks, sizeof *absmax, err);
    TRY_NEW(absmax);
    for (size_t b = 0; b < blocks; b++) {
        absmax[b] = map[(unsigned)coded[b]] * nested[b / state->nested_block] + (float)state->offset;
        if (!isfinite(absmax[b]))
            return FAIL(err, ERR_FORMAT, "tensor '%s': element %zu stands for %g, and scales are finite", tensor->name,
                        b, (double)absmax[b]);
    }
    *ret = absmax;
    return OK;
}

static Status blocks_dense(Arena *arena, const FourBits *w, const uint8_t *pairs, const float map[CODEBOOK],
                           const float *absmax, const float **ret_dense, Error *err) {
    size_t elements = w->rows * w->columns;
    float *dense = arena_array(arena, elements, sizeof *dense, err);
    TRY_NEW(dense);
    for (size_t i = 0; i < elements; i++)
        dense[i] = map[code_at(w, pairs, i)] * absmax[i / w->block];
    *ret_dense = dense;
    return OK;
}

static Status blocks_split(Arena *arena, const float map[CODEBOOK], const float *absmax, const Tensor *codes,
                           FourBits *w, Error *err) {
    float unit;
    int8_t *values = arena_array(arena, CODEBOOK, sizeof *values, err);
    TRY_NEW(values);
    if (!codebook_round(map, values, &unit))
        return FAIL(err, ERR_FORMAT, "tensor '%s.quant_map' holds no codebook", codes->name);
    size_t groups = w->rows * w->columns / w->group;
    float *scales = arena_array(arena, groups, sizeof *scales, err);
    TRY_NEW(scales);
    for (size_t g = 0; g < groups; g++)
        scales[g] = absmax[g * w->group / w->block] * unit;
    w->codes = values;
    w->scales = scales;
    w->pairs = codes->data;
    return OK;
}

// `scratch` takes what nobody needs afterwards: the absmax of a whole model are many megabytes.
static Status blocks_fill(Arena *arena, Arena *scratch, const Bundle *bundle, const Tensor *codes, FourBits *ret,
                          Error *err) {
    FourBits w = *ret;
    const char *type = four_bits_name(w.form);
    State state = {0};
    TRY(state_read(scratch, four_bits_beside(bundle, codes, w.form == FOUR_BITS_NF4 ? STATE "nf4" : STATE "fp4"), type,
                   &state, err));
    w.rows = state.rows;
    w.columns = state.columns;
    w.block = state.block;
    w.nested = state.nested;
    w.high_first = true;
    size_t elements = w.rows * w.columns; // below 2^62
    if (codes->bytes != (elements + 1) / 2)
        return FAIL(err, ERR_FORMAT, "tensor '%s' has %zu bytes, expected %zu for [%zu,%zu] in 4 bits", codes->name,
                    codes->bytes, (elements + 1) / 2, w.rows, w.columns);
    const float *map = NULL, *absmax = NULL;
    TRY(floats_read(scratch, bundle, codes, ".quant_map", CODEBOOK, &map, err));
    TRY(absmax_read(scratch, bundle, codes, &state, (elements + w.block - 1) / w.block, &absmax, err));
    w.group = greatest_divisor(w.block, w.columns);
    if (w.group % FOUR_BITS_STEP == 0)
        TRY(blocks_split(arena, map, absmax, codes, &w, err));
    else
        TRY(blocks_dense(arena, &w, codes->data, map, absmax, &w.dense, err));
    *ret = w;
    return OK;
}

// [rows, columns] out of X_shape.
static Status packed_shape(const Bundle *bundle, const Tensor *codes, FourBits *w, Error *err) {
    const Tensor *shape = four_bits_beside(bundle, codes, "_shape");
    if (!shape || shape->bytes != 2 * dtype_bytes(shape->dtype) ||
        (shape->dtype != DTYPE_I64 && shape->dtype != DTYPE_I32))
        return FAIL(err, ERR_FORMAT, "tensor '%s' has no '_shape' [2] of I64 beside it", codes->name);
    int64_t dims[2];
    for (int i = 0; i < 2; i++) {
        int32_t narrow;
        const char *at = (const char *)shape->data + (size_t)i * dtype_bytes(shape->dtype);
        memcpy(&narrow, at, sizeof narrow);
        dims[i] = narrow;
        if (shape->dtype == DTYPE_I64)
            memcpy(&dims[i], at, sizeof dims[i]);
    }
    if (dims[0] < 1 || dims[1] < 1 || dims[0] > INT32_MAX || dims[1] > INT32_MAX)
        return FAIL(err, ERR_FORMAT, "tensor '%s' holds [%lld,%lld], expected [rows, columns]", shape->name,
                    (long long)dims[0], (long long)dims[1]);
    w->rows = (size_t)dims[0];
    w->columns = (size_t)dims[1];
    return OK;
}

// What compressed-tensors may add to groups of columns.
typedef struct Additions {
    const int8_t *zeros;   // [rows, groups] zero points; NULL: all 0
    const uint32_t *order; // [columns] each one's group; NULL: they lie in a row
} Additions;

// X_zero_point I32 [(rows + 7) / 8, groups]: eight rows to a word, zero point + 8, the first in the lowest bits.
static Status zeros_read(Arena *arena, const Tensor *tensor, const FourBits *w, size_t groups, const int8_t **ret,
                         Error *err) {
    size_t words = (w->rows + 7) / 8, bytes = words * groups * sizeof(uint32_t);
    bool any = false;
    if (tensor->dtype != DTYPE_I32 || tensor->bytes != bytes)
        return FAIL(err, ERR_FORMAT, "tensor '%s' has %zu bytes of %s, expected %zu of I32 for %zu rows of %zu groups",
                    tensor->name, tensor->bytes, dtype_safetensors_name(tensor->dtype), bytes, w->rows, groups);
    int8_t *zeros = arena_array(arena, w->rows * groups, 1, err);
    TRY_NEW(zeros);
    for (size_t r = 0; r < w->rows; r++)
        for (size_t g = 0; g < groups; g++) {
            uint32_t word;
            memcpy(&word, (const char *)tensor->data + (r / 8 * groups + g) * sizeof word, sizeof word);
            zeros[r * groups + g] = int4_values[word >> 4 * (r % 8) & 15];
            any |= zeros[r * groups + g] != 0;
        }
    *ret = any ? zeros : NULL;
    return OK;
}

// X_g_idx I32 [columns]; -1 throughout where its writer ordered nothing.
static Status order_read(Arena *arena, const Tensor *tensor, const FourBits *w, size_t groups, const uint32_t **ret,
                         Error *err) {
    bool ordered = false, told = false;
    if (tensor->dtype != DTYPE_I32 || tensor->bytes != w->columns * sizeof(int32_t))
        return FAIL(err, ERR_FORMAT, "tensor '%s' has %zu bytes of %s, expected I32 for each of %zu columns",
                    tensor->name, tensor->bytes, dtype_safetensors_name(tensor->dtype), w->columns);
    uint32_t *order = arena_array(arena, w->columns, sizeof *order, err);
    TRY_NEW(order);
    for (size_t c = 0; c < w->columns; c++) {
        int32_t group;
        memcpy(&group, (const char *)tensor->data + c * sizeof group, sizeof group);
        told |= group != -1;
        if (told && (group < 0 || (size_t)group >= groups))
            return FAIL(err, ERR_FORMAT, "tensor '%s': column %zu is of group %d, and there are %zu", tensor->name, c,
                        (int)group, groups);
        order[c] = (uint32_t)group;
        ordered |= order[c] != c / w->block;
    }
    *ret = told && ordered ? order : NULL;
    return OK;
}

static Status additions_read(Arena *arena, const Bundle *bundle, const Tensor *codes, const FourBits *w, Additions *ret,
                             Error *err) {
    Additions additions = {0};
    const Tensor *zeros = four_bits_beside(bundle, codes, "_zero_point");
    const Tensor *order = four_bits_beside(bundle, codes, "_g_idx");
    size_t groups = w->columns / w->block;
    if (zeros)
        TRY(zeros_read(arena, zeros, w, groups, &additions.zeros, err));
    if (order)
        TRY(order_read(arena, order, w, groups, &additions.order, err));
    *ret = additions;
    return OK;
}

// Groups that are no multiple of 32 or lie out of order, zero points, and rows that do not end with a word.
static Status packed_dense(Arena *arena, const FourBits *w, const uint8_t *pairs, size_t row_bytes,
                           const Additions *additions, const float **ret_dense, Error *err) {
    float *dense = arena_array(arena, w->rows * w->columns, sizeof *dense, err);
    TRY_NEW(dense);
    size_t groups = w->columns / w->block;
    for (size_t r = 0; r < w->rows; r++)
        for (size_t c = 0; c < w->columns; c++) {
            size_t group = r * groups + (additions->order ? additions->order[c] : c / w->block);
            int code = int4_values[code_at(w, pairs + r * row_bytes, c)];
            dense[r * w->columns + c] =
                (float)(additions->zeros ? code - additions->zeros[group] : code) * w->scales[group];
        }
    *ret_dense = dense;
    return OK;
}

// `scratch` takes zero points and order.
static Status packed_fill(Arena *arena, Arena *scratch, const Bundle *bundle, const Tensor *codes, FourBits *ret,
                          Error *err) {
    FourBits w = *ret;
    Additions additions = {0};
    const Tensor *scale = four_bits_beside(bundle, codes, "_scale");
    size_t scales;
    TRY(packed_shape(bundle, codes, &w, err));
    size_t row_bytes = (w.columns + 7) / 8 * 4;
    if (codes->dtype != DTYPE_I32 || codes->bytes != w.rows * row_bytes)
        return FAIL(err, ERR_FORMAT, "tensor '%s' has %zu bytes of %s, expected %zu of I32 for [%zu,%zu] in 4 bits",
                    codes->name, codes->bytes, dtype_safetensors_name(codes->dtype), w.rows * row_bytes, w.rows,
                    w.columns);
    if (!scale || !shape_elements(&scale->shape, &scales) || !scales || scales % w.rows ||
        w.columns % (scales / w.rows))
        return FAIL(err, ERR_FORMAT, "tensor '%s' needs '_scale' beside it, one for each row or equal group of columns",
                    codes->name);
    TRY(floats_read(arena, bundle, codes, "_scale", scales, &w.scales, err));
    w.block = w.group = w.columns / (scales / w.rows);
    w.codes = int4_values;
    TRY(additions_read(scratch, bundle, codes, &w, &additions, err));
    if (w.group % FOUR_BITS_STEP == 0 && !additions.zeros && !additions.order)
        w.pairs = codes->data;
    else
        TRY(packed_dense(arena, &w, codes->data, row_bytes, &additions, &w.dense, err));
    *ret = w;
    return OK;
}

Status four_bits_read(Arena *arena, const Bundle *bundle, const Tensor *codes, FourBits *ret, Error *err) {
    FourBits weight = {.form = four_bits_form(bundle, codes)};
    if (weight.form == FOUR_BITS_NONE)
        return FAIL(err, ERR_FORMAT, "tensor '%s' has nothing beside it that tells of 4 bits", codes->name);
    Arena scratch;
    arena_init(&scratch, 0);
    Status status = weight.form == FOUR_BITS_INT4 ? packed_fill(arena, &scratch, bundle, codes, &weight, err)
                                                  : blocks_fill(arena, &scratch, bundle, codes, &weight, err);
    arena_done(&scratch);
    TRY(status);
    *ret = weight;
    return OK;
}
