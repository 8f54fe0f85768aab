// SPDX-License-Identifier: Apache-2.0
// A model's constants: stored as they are, once, and f32 where they are used. In a body they and what is made of them
// alone belong to the graph around it, so that both bodies read the same.
#include <string.h>

#include "format/onnx/exporter.h"
#include "tensor/quantize4.h"

static Graph *home(const Exporter *x) {
    return x->around ? x->around : x->graph;
}

static Value constant_add(Exporter *x, const Constant *constant) {
    const Constant *found = x->status == OK ? graph_find_constant(home(x), constant->name) : NULL;
    if (!found && x->status == OK)
        x->status = graph_add_constant(home(x), constant, &found, x->err);
    return x->status == OK ? value_constant(found) : (Value){0};
}

// How a weight of 4 bits is multiplied.
typedef enum FourBitProduct {
    PRODUCT_DECODED, // as f32
    PRODUCT_NBITS,   // MatMulNBits: code - 8, the first in the low half, groups of 2^n columns
    PRODUCT_BNB4     // MatMulBnb4: bitsandbytes' NF4, the first in the high half, blocks of 2^n elements
} FourBitProduct;

static FourBitProduct product_of(const Exporter *x, const Constant *weight) {
    size_t group = weight->group;
    if (x->only_onnx || weight->scheme != SCHEME_Q4 || weight->part_count || !weight->codes || group < 16 ||
        (group & (group - 1)) != 0)
        return PRODUCT_DECODED;
    if (!weight->high_first && memcmp(weight->codes, int4_values, sizeof int4_values) == 0)
        return PRODUCT_NBITS;
    return weight->high_first && memcmp(weight->codes, nf4_values, sizeof nf4_values) == 0 ? PRODUCT_BNB4
                                                                                           : PRODUCT_DECODED;
}

static bool is_integer(const Exporter *x, const Constant *weight) {
    return weight->scheme == SCHEME_INT8_ROW && !x->dequantize;
}

bool export_weight_is_packed(const Exporter *x, const Constant *weight) {
    return is_integer(x, weight) || product_of(x, weight) != PRODUCT_DECODED;
}

// The elements as stored; codes of 4 bits as their bytes: [rows, columns / 2], MatMulNBits' [rows, groups, group / 2],
// MatMulBnb4's in one dimension.
static Value stored(Exporter *x, const Constant *weight) {
    if (weight->part_count)
        export_fail(
            x, FAIL(x->err, ERR_UNSUPPORTED, "constant '%s' is made of parts, which have no form here", weight->name));
    Constant dense = {.name = weight->name,
                      .dtype = weight->dtype,
                      .shape = weight->shape,
                      .data = weight->data,
                      .mapped = weight->mapped};
    int64_t rows = weight->shape.dims[0], columns = weight->shape.dims[1], group = (int64_t)weight->group;
    FourBitProduct product = product_of(x, weight);
    if (product == PRODUCT_NBITS)
        dense.shape = (Shape){3, {rows, columns / group, group / 2}};
    else if (product == PRODUCT_BNB4)
        dense.shape = (Shape){1, {rows * columns / 2}};
    else if (weight->scheme == SCHEME_Q4)
        dense.shape.dims[1] /= 2;
    return constant_add(x, &dense);
}

// What the graph at home already has under that name; absent where it has not.
static Value made(const Exporter *x, const char *name) {
    Value value = {0};
    return x->status == OK && graph_find_value(home(x), name, &value) ? value : (Value){0};
}

// The scales as f16, as files often have them, where that is exact; else NULL.
static const uint16_t *scales_half(Exporter *x, const Constant *weight, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (f16_to_f32(f32_to_f16(weight->scales[i])) != weight->scales[i])
            return NULL;
    uint16_t *halves = x->status == OK ? arena_array(x->graph->arena, count, sizeof *halves, x->err) : NULL;
    if (!halves) {
        export_fail(x, x->err->status);
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        halves[i] = f32_to_f16(weight->scales[i]);
    return halves;
}

// What a weight's codes are multiplied by, f32: one to a row, or to a group.
static Value scales(Exporter *x, const Constant *weight) {
    const char *name = export_text(x, "%s_scale", weight->name), *wide = export_text(x, "%s_scale.real", weight->name);
    Value found = made(x, wide);
    if (!value_absent(found))
        return found;
    Constant scale = {.name = name, .dtype = DTYPE_F32, .shape = {1, {weight->shape.dims[0]}}, .data = weight->scales};
    if (weight->scheme != SCHEME_Q4)
        return constant_add(x, &scale);
    scale.shape = (Shape){2, {weight->shape.dims[0], weight->shape.dims[1] / (int64_t)weight->group}};
    const uint16_t *halves = scales_half(x, weight, (size_t)(scale.shape.dims[0] * scale.shape.dims[1]));
    if (!halves)
        return constant_add(x, &scale);
    scale.dtype = DTYPE_F16;
    scale.data = halves;
    Value value = constant_add(x, &scale);
    Attribute to = attribute_int("to", (int64_t)dtype_onnx(DTYPE_F32));
    return export_node_in(x, home(x), TENSOR_CAST, wide, &value, 1, &to, 1);
}

// f32 [..., columns] of bytes [..., columns / 2] or [..., groups, group / 2] and scales (of MatMulBnb4: magnitudes)
// [..., groups], `leading` dimensions before the last.
static Value decoded(Exporter *x, const char *name, const Constant *weight, Value bytes, Value scale, int leading) {
    const char *codes = export_text(x, "%s.codes", name), *parts = export_text(x, "%s.groups", name);
    int64_t columns = weight->shape.dims[1], group = (int64_t)weight->group, shape[SHAPE_MOST_DIMS] = {0};
    float values[16];
    for (size_t i = 0; i < 16; i++)
        values[i] = product_of(x, weight) == PRODUCT_BNB4 ? (float)weight->codes[i] / (float)weight->codes[15]
                                                          : (float)weight->codes[i];
    Value last = export_ints(x, (const int64_t[]){-1}, 1), sixteen = export_int(x, 16);
    Value wide = export_cast(x, codes, bytes, DTYPE_I64);
    Value low = export_binary(x, TENSOR_UNSQUEEZE, codes, export_binary(x, TENSOR_MOD, codes, wide, sixteen), last);
    Value high = export_binary(x, TENSOR_UNSQUEEZE, codes, export_binary(x, TENSOR_DIV, codes, wide, sixteen), last);
    Attribute axis = attribute_int("axis", -1);
    Value both = export_node(x, TENSOR_CONCAT, codes, weight->high_first ? (Value[]){high, low} : (Value[]){low, high},
                             2, &axis, 1);
    shape[leading] = columns / group;
    shape[leading + 1] = group;
    Value grouped = export_binary(x, TENSOR_RESHAPE, codes, both, export_ints(x, shape, (size_t)leading + 2));
    Value real = export_binary(x, TENSOR_GATHER, parts, export_reals(x, values, 16), grouped);
    real = export_binary(x, TENSOR_MUL, parts, real, export_binary(x, TENSOR_UNSQUEEZE, parts, scale, last));
    shape[leading] = columns;
    return export_binary(x, TENSOR_RESHAPE, name, real, export_ints(x, shape, (size_t)leading + 1));
}

// A whole weight of 4 bits, at home.
static Value decoded_whole(Exporter *x, const char *name, const Constant *weight, Value bytes) {
    Graph *graph = x->graph, *around = x->around;
    Value scale = scales(x, weight);
    x->graph = home(x);
    x->around = NULL;
    Value value = decoded(x, name, weight, bytes, scale, 1);
    x->graph = graph;
    x->around = around;
    return value;
}

// f32, at home.
static Value real(Exporter *x, const Constant *weight) {
    Value value = stored(x, weight);
    const char *name = export_text(x, "%s.real", weight->name);
    Value found = made(x, name);
    if (!value_absent(found) || (weight->dtype == DTYPE_F32 && weight->scheme == SCHEME_DENSE))
        return value_absent(found) ? value : found;
    if (weight->scheme == SCHEME_Q4)
        return decoded_whole(x, name, weight, value);
    if (weight->scheme == SCHEME_INT8_ROW) {
        Attribute axis = attribute_int("axis", 0);
        return export_node_in(x, home(x), TENSOR_DEQUANTIZE_LINEAR, name, (Value[]){value, scales(x, weight)}, 2, &axis,
                              1);
    }
    Attribute to = attribute_int("to", (int64_t)dtype_onnx(DTYPE_F32));
    return export_node_in(x, home(x), TENSOR_CAST, name, &value, 1, &to, 1);
}

Value export_weight(Exporter *x, const Constant *weight) {
    return export_seen(x, real(x, weight));
}

// Blocks' largest magnitudes, of which hone's scales are hundred-and-twelfths (quantize4.h).
static Value magnitudes(Exporter *x, const Constant *weight) {
    const char *name = export_text(x, "%s_absmax", weight->name);
    const Constant *found = x->status == OK ? graph_find_constant(home(x), name) : NULL;
    size_t count = (size_t)weight->shape.dims[0] * ((size_t)weight->shape.dims[1] / weight->group);
    if (found || x->status != OK)
        return found ? value_constant(found) : (Value){0};
    float *values = arena_array(x->graph->arena, count, sizeof *values, x->err);
    if (!values) {
        export_fail(x, x->err->status);
        return (Value){0};
    }
    for (size_t i = 0; i < count; i++)
        values[i] = weight->scales[i] * (float)weight->codes[15];
    Constant constant = {.name = name, .dtype = DTYPE_F32, .shape = {1, {(int64_t)count}}, .data = values};
    return constant_add(x, &constant);
}

// A matrix at home, columns first.
static Value turn(Exporter *x, Value value, const char *name) {
    Value found = made(x, name);
    Attribute perm = attribute_ints("perm", (const int64_t[]){1, 0}, 2);
    if (value_absent(found))
        found = export_node_in(x, home(x), TENSOR_TRANSPOSE, name, &value, 1, &perm, 1);
    return export_seen(x, found);
}

// s8 [inputs, outputs]: turned in the file, so that nobody has to. The head's may be the word table, whose rows are
// read too and which must not be there a second time: whoever loads it turns it.
static Value integers(Exporter *x, const Constant *weight) {
    const char *name = export_text(x, "%s.turned", weight->name);
    if (x->head)
        return turn(x, stored(x, weight), name);
    Constant turned = {.name = name,
                       .dtype = weight->dtype,
                       .shape = {2, {weight->shape.dims[1], weight->shape.dims[0]}},
                       .data = weight->data,
                       .turned = true,
                       .mapped = weight->mapped};
    return export_seen(x, constant_add(x, &turned));
}

// A value as u8 with a scale and a zero point of its own: once, however many products read it.
static const Node *codes(Exporter *x, Value input) {
    for (size_t n = x->graph->node_count; n-- > input.node->index;) {
        const Node *node = x->graph->nodes[n];
        if (node->op == TENSOR_DYNAMIC_QUANTIZE_LINEAR && value_equal(node->inputs[0], input))
            return node;
    }
    return export_unary(x, TENSOR_DYNAMIC_QUANTIZE_LINEAR, "codes", input).node;
}

// What runtimes multiply as integers. Rounded inputs: a product between DequantizeLinears, all in one graph, since they
// are looked for there. Others: MatMulInteger, and scales behind it. Names within are short: they are a third of a
// small model's graph.
static Value integer_product(Exporter *x, const char *name, Value input, bool rounded, const Constant *weight) {
    Value factor = integers(x, weight), scale = export_seen(x, scales(x, weight));
    if (rounded) {
        Attribute axis = attribute_int("axis", 1);
        factor = export_node(x, TENSOR_DEQUANTIZE_LINEAR, "weight", (Value[]){factor, scale}, 2, &axis, 1);
        return export_binary(x, TENSOR_MATMUL, name, input, factor);
    }
    const Node *quantized = x->status == OK ? codes(x, input) : NULL;
    if (!quantized)
        return (Value){0};
    Value sums = export_node(x, TENSOR_MATMUL_INTEGER, "sums",
                             (Value[]){value_of(quantized, 0), factor, value_of(quantized, 2)}, 3, NULL, 0);
    scale = export_binary(x, TENSOR_MUL, "scale", value_of(quantized, 1), scale);
    return export_binary(x, TENSOR_MUL, name, export_cast(x, "wide", sums, DTYPE_F32), scale);
}

Value export_product(Exporter *x, const char *name, Value input, bool rounded, const Constant *weight) {
    if (is_integer(x, weight))
        return integer_product(x, name, input, rounded, weight);
    FourBitProduct product = product_of(x, weight);
    if (product == PRODUCT_DECODED)
        return export_binary(x, TENSOR_MATMUL, name, input,
                             turn(x, real(x, weight), export_text(x, "%s.turned", weight->name)));
    bool nbits = product == PRODUCT_NBITS;
    Value scale = nbits ? scales(x, weight) : magnitudes(x, weight);
    Value inputs[] = {input, export_seen(x, stored(x, weight)), export_seen(x, scale)};
    Attribute attributes[] = {attribute_int("K", weight->shape.dims[1]), attribute_int("N", weight->shape.dims[0]),
                              nbits ? attribute_int("bits", 4) : attribute_int("quant_type", 1),
                              attribute_int("block_size", (int64_t)weight->group)};
    return export_node(x, nbits ? TENSOR_MS_MATMUL_NBITS : TENSOR_MS_MATMUL_BNB4, name, inputs, 3, attributes, 4);
}

// What rows are taken of, in a body: a constant in one dimension has none.
static Value in_rows(Exporter *x, const Constant *table, Value value, const char *ending, int64_t columns) {
    const char *name = export_text(x, "%s%s.rows", table->name, ending);
    Value found = made(x, name);
    if (product_of(x, table) == PRODUCT_BNB4 && value_absent(found)) {
        Graph *graph = x->graph, *around = x->around;
        x->graph = home(x);
        x->around = NULL;
        found = export_binary(x, TENSOR_RESHAPE, name, value,
                              export_ints(x, (const int64_t[]){table->shape.dims[0], columns}, 2));
        x->graph = graph;
        x->around = around;
    }
    return export_seen(x, value_absent(found) ? value : found);
}

// Rows are taken first, and made f32 then: a table is never f32 as a whole.
Value export_weight_rows(Exporter *x, const char *name, const Constant *table, Value ids) {
    int64_t columns = table->shape.dims[1], groups = table->group ? columns / (int64_t)table->group : 1;
    Value rows = in_rows(x, table, stored(x, table), "", columns / 2);
    rows = export_binary(x, TENSOR_GATHER, name, rows, ids);
    if (table->scheme == SCHEME_DENSE)
        return table->dtype == DTYPE_F32 ? rows : export_cast(x, name, rows, DTYPE_F32);
    bool bnb4 = product_of(x, table) == PRODUCT_BNB4;
    Value scale = in_rows(x, table, bnb4 ? magnitudes(x, table) : scales(x, table), "_scale", groups);
    scale = export_binary(x, TENSOR_GATHER, export_text(x, "%s.scales", name), scale, ids);
    if (table->scheme == SCHEME_Q4)
        return decoded(x, name, table, rows, scale, value_type(ids).rank);
    scale = export_binary(x, TENSOR_UNSQUEEZE, export_text(x, "%s.scales", name), scale,
                          export_ints(x, (const int64_t[]){-1}, 1));
    return export_binary(x, TENSOR_MUL, name, export_cast(x, name, rows, DTYPE_F32), scale);
}
