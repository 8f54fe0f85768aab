// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_onnx_inputs.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/random.h"

// The variable that is the batch: NULL where one is called so.
typedef struct BatchRule {
    const char *first; // the name of the first variable; NULL: none has a name, or one is called batch
} BatchRule;

static bool contains(const char *text, const char *word) {
    for (size_t bytes = strlen(word); *text; text++)
        if (strncasecmp(text, word, bytes) == 0)
            return true;
    return false;
}

static BatchRule batch_rule(const OrtInput *inputs, size_t count) {
    BatchRule rule = {0};
    for (size_t i = 0; i < count; i++)
        for (int d = 0; d < inputs[i].rank; d++) {
            const char *symbol = inputs[i].dims[d] < 0 ? inputs[i].symbols[d] : "";
            if (contains(symbol, "batch"))
                return (BatchRule){0};
            if (*symbol && !rule.first)
                rule.first = symbol;
        }
    return rule;
}

static int64_t term_bind(const BatchRule *rule, const char *term, const MadeInputs *made) {
    size_t digits = strspn(term, "0123456789");
    if (digits && digits < 10 && !term[digits])
        return strtol(term, NULL, 10);
    return contains(term, "batch") || (rule->first && strcmp(term, rule->first) == 0) ? made->batch
                                                                                      : made->source_tokens;
}

// Variables without a name are the batch where they come first. "past + length" is a sum; hone's graph calls it
// d_past___length, since its names are identifiers.
static int64_t dim_bind(const BatchRule *rule, const char *symbol, int d, const MadeInputs *made) {
    if (!*symbol)
        return d == 0 ? made->batch : made->source_tokens;
    int64_t sum = 0;
    for (const char *at = symbol; at;) {
        const char *plus = strstr(at, " + "), *lines = strstr(at, "___");
        const char *end = plus && (!lines || plus < lines) ? plus : lines;
        char term[64];
        snprintf(term, sizeof term, "%.*s", end ? (int)(end - at) : (int)strlen(at), at);
        sum += term_bind(rule, term, made);
        at = end ? end + 3 : NULL;
    }
    return sum;
}

static uint64_t seed_of(const char *name) {
    uint64_t seed = 1;
    for (; *name; name++)
        seed = seed * 31 + (unsigned char)*name;
    return seed;
}

// Integers and reals that the type holds; of 8-bit floats, zeros.
static void element_put(DType dtype, unsigned char *at, double value) {
    int64_t integer = (int64_t)value;
    float real = (float)value;
    uint16_t half = dtype == DTYPE_BF16 ? f32_to_bf16(real) : f32_to_f16(real);
    switch (dtype) {
    case DTYPE_F64:
        memcpy(at, &value, sizeof value);
        break;
    case DTYPE_F32:
        memcpy(at, &real, sizeof real);
        break;
    case DTYPE_F16:
    case DTYPE_BF16:
        memcpy(at, &half, sizeof half);
        break;
    case DTYPE_BOOL:
        *at = integer != 0;
        break;
    case DTYPE_U64:
        memcpy(at, &integer, sizeof integer);
        break;
    default: {
        int64_t least, most;
        if (dtype_integer_range(dtype, &least, &most))
            memcpy(at, &(int64_t){integer > most ? most : integer}, dtype_bytes(dtype)); // little-endian
    }
    }
}

static double element_value(const OrtInput *input, const Shape *shape, size_t i, int64_t vocabulary, Random *random) {
    bool real = dtype_is_real(input->dtype);
    if (contains(input->name, "mask"))
        return 1;
    if (real)
        return 2 * random_unit(random) - 1;
    if (input->dtype == DTYPE_BOOL || contains(input->name, "token_type") || contains(input->name, "segment"))
        return 0;
    if (contains(input->name, "position") && shape->rank)
        return (double)(i % (size_t)shape->dims[shape->rank - 1]);
    return random_below(random, (uint32_t)vocabulary);
}

static Status input_make(Arena *arena, const BatchRule *rule, const OrtInput *input, const MadeInputs *made,
                         Tensor *ret, Error *err) {
    if (input->rank < 0)
        return FAIL(err, ERR_UNSUPPORTED, "input '%s' has no known dimensions, so that nothing can be made for it",
                    input->name);
    Tensor tensor = {.name = input->name, .dtype = input->dtype, .shape = {.rank = input->rank}};
    for (int d = 0; d < input->rank; d++)
        tensor.shape.dims[d] = input->dims[d] < 0 ? dim_bind(rule, input->symbols[d], d, made) : input->dims[d];
    size_t elements = 0;
    char text[SHAPE_TEXT_BYTES];
    if (!shape_bytes(&tensor.shape, tensor.dtype, &tensor.bytes) || !shape_elements(&tensor.shape, &elements))
        return FAIL(err, ERR_LIMIT, "input '%s' would be %s, more than this machine can address", input->name,
                    shape_text(&tensor.shape, text));
    unsigned char *data = arena_array(arena, tensor.bytes, 1, err);
    TRY_NEW(data);
    Random random = {seed_of(input->name)};
    for (size_t i = 0; i < elements; i++)
        element_put(tensor.dtype, data + i * dtype_bytes(tensor.dtype),
                    element_value(input, &tensor.shape, i, made->vocabulary, &random));
    tensor.data = data;
    *ret = tensor;
    return OK;
}

Status inputs_make(Arena *arena, const OnnxEngine *engine, const MadeInputs *made, Tensor **ret_tensors, Error *err) {
    const OrtInput *inputs = onnx_engine_inputs(engine);
    size_t count = onnx_engine_input_count(engine);
    BatchRule rule = batch_rule(inputs, count);
    Tensor *tensors = arena_array(arena, count, sizeof *tensors, err);
    TRY_NEW(tensors);
    for (size_t i = 0; i < count; i++)
        TRY(input_make(arena, &rule, &inputs[i], made, &tensors[i], err));
    *ret_tensors = tensors;
    return OK;
}
