// SPDX-License-Identifier: Apache-2.0
// Finding tensors under the names checkpoints use, and the nodes every family is made of.
#include "arch/weights.h"

#include <stdarg.h>
#include <string.h>

#include "tensor/four_bits.h"

static bool failed(GraphBuilder *b, Status status) {
    if (b->status == OK)
        b->status = status;
    return b->status != OK;
}

const char *builder_text(GraphBuilder *b, const char *format, ...) {
    if (b->status != OK)
        return "";
    va_list args;
    va_start(args, format);
    const char *text = arena_format_list(b->graph->arena, b->err, format, args);
    va_end(args);
    if (!text)
        b->status = b->err->status;
    return text ? text : "";
}

// A tensor, or its codes in 4 bits, or the tensor that lies column by column.
static const Tensor *find(const ArchInput *input, const char *name) {
    static const char *const endings[] = {"", "_packed", WEIGHT_TURNED};
    size_t count = sizeof endings / sizeof *endings - !input->turned;
    const Tensor *tensor = NULL;
    for (size_t i = 0; i < count && !tensor; i++) {
        char other[620];
        snprintf(other, sizeof other, "%s%s", name, endings[i]);
        tensor = bundle_find(input->tensors, other);
    }
    return tensor;
}

const Tensor *builder_find(const GraphBuilder *b, const char *name) {
    if (!b->input->tensors)
        return NULL;
    const Tensor *tensor = find(b->input, name);
    if (tensor)
        return tensor;
    char other[600];
    if (strncmp(name, "model.", 6) == 0)
        return find(b->input, name + 6);
    snprintf(other, sizeof other, "model.%s", name);
    return find(b->input, other);
}

bool builder_has(const GraphBuilder *b, const char *name) {
    return !b->input->tensors || builder_find(b, name);
}

// The length of a name without WEIGHT_TURNED; all of it where it does not end so.
static size_t upright_length(const char *name) {
    size_t length = strlen(name), ending = strlen(WEIGHT_TURNED);
    bool turned = length > ending && strcmp(name + length - ending, WEIGHT_TURNED) == 0;
    return turned ? length - ending : length;
}

static bool is_turned(const Tensor *tensor) {
    return tensor->name[upright_length(tensor->name)];
}

static bool shape_fits(const Tensor *t, size_t rows, size_t columns) {
    const int64_t *d = t->shape.dims;
    if (is_turned(t))
        return columns && t->shape.rank == 2 && (size_t)d[0] == columns && (size_t)d[1] == rows;
    if (columns)
        return t->shape.rank == 2 && (size_t)d[0] == rows && (size_t)d[1] == columns;
    return (t->shape.rank == 1 && (size_t)d[0] == rows) || (t->shape.rank == 2 && d[0] == 1 && (size_t)d[1] == rows);
}

static Status f32_copy(Arena *arena, const Tensor *tensor, const float **ret, Error *err) {
    size_t elements;
    if (!shape_elements(&tensor->shape, &elements))
        return FAIL(err, ERR_LIMIT, "tensor '%s' is more than this machine can address", tensor->name);
    float *values = arena_array(arena, elements, sizeof *values, err);
    TRY_NEW(values);
    tensor_to_f32(tensor, values);
    *ret = values;
    return OK;
}

// I8 rows with their scales beside them, [rows] or [rows, 1], of any real type.
static Status int8_rows(GraphBuilder *b, const Tensor *tensor, Constant *constant) {
    char name[600];
    snprintf(name, sizeof name, "%.*s_scale", (int)upright_length(tensor->name), tensor->name);
    const Tensor *scale = bundle_find(b->input->tensors, name);
    if (!scale)
        return FAIL(b->err, ERR_FORMAT, "tensor '%s' is I8 and has no '%s' beside it", tensor->name, name);
    size_t elements;
    if (!shape_elements(&scale->shape, &elements) || elements != (size_t)constant->shape.dims[0])
        return FAIL(b->err, ERR_FORMAT, "tensor '%s' has %zu scales, expected one for each of %lld rows", name,
                    elements, (long long)constant->shape.dims[0]);
    constant->scheme = SCHEME_INT8_ROW;
    return f32_copy(b->graph->arena, scale, &constant->scales, b->err);
}

// Only bytes of a file come back after they have left memory; copies in an arena must stay.
static bool lies_in_file(const ArchInput *input, const Tensor *tensor) {
    uintptr_t start = (uintptr_t)tensor->data;
    for (size_t i = 0; i < input->map_count; i++) {
        uintptr_t map = (uintptr_t)input->maps[i].data;
        if (start >= map && start - map <= input->maps[i].size && tensor->bytes <= input->maps[i].size - (start - map))
            return true;
    }
    return false;
}

static Status misshapen(GraphBuilder *b, const Tensor *tensor, const Shape *found, const Shape *wanted) {
    char texts[2][SHAPE_TEXT_BYTES];
    bool shaped = b->input->shapes;
    return FAIL(b->err, ERR_FORMAT, "tensor '%s' is %s, and by %s%s%s it must be %s", tensor->name,
                shape_text(found, texts[0]), b->input->config_name, shaped ? " and " : "",
                shaped ? b->input->shapes_name : "", shape_text(wanted, texts[1]));
}

// Codes stay in the file; what has no groups to compute with becomes f32 in the arena.
static Status four_bits(GraphBuilder *b, const Tensor *tensor, const Shape *shape, Constant *constant) {
    FourBits weight;
    TRY(four_bits_read(b->graph->arena, b->input->tensors, tensor, &weight, b->err));
    Shape found = {2, {(int64_t)weight.rows, (int64_t)weight.columns}};
    if (!shape_equal(&found, shape))
        return misshapen(b, tensor, &found, shape);
    *constant = (Constant){.name = tensor->name, .dtype = DTYPE_F32, .shape = *shape, .data = weight.dense};
    if (weight.dense)
        return OK;
    constant->scheme = SCHEME_Q4;
    constant->dtype = DTYPE_U8;
    constant->data = weight.pairs;
    constant->scales = weight.scales;
    constant->codes = weight.codes;
    constant->group = weight.group;
    constant->high_first = weight.high_first;
    constant->mapped = lies_in_file(b->input, tensor);
    return OK;
}

static Status constant_fill(GraphBuilder *b, const Tensor *tensor, size_t rows, size_t columns, Constant *constant) {
    Shape shape = {columns ? 2 : 1, {(int64_t)rows, (int64_t)columns}};
    if (four_bits_form(b->input->tensors, tensor) != FOUR_BITS_NONE)
        return four_bits(b, tensor, &shape, constant);
    if (!shape_fits(tensor, rows, columns))
        return misshapen(b, tensor, &tensor->shape, &shape);
    const char *name = builder_text(b, "%.*s", (int)upright_length(tensor->name), tensor->name);
    *constant = (Constant){
        .name = name, .dtype = tensor->dtype, .shape = shape, .data = tensor->data, .turned = is_turned(tensor)};
    constant->mapped = lies_in_file(b->input, tensor);
    switch (tensor->dtype) {
    case DTYPE_F32:
    case DTYPE_F16:
    case DTYPE_BF16:
        return OK;
    case DTYPE_F64:
        constant->dtype = DTYPE_F32;
        constant->mapped = false;
        return f32_copy(b->graph->arena, tensor, (const float **)&constant->data, b->err);
    case DTYPE_I8:
        if (columns)
            return int8_rows(b, tensor, constant);
        break;
    default:
        break;
    }
    return FAIL(b->err, ERR_UNSUPPORTED,
                "tensor '%s' is %s; weights may be F32, F16, BF16, F64, I8 with scales or 4 bits", tensor->name,
                dtype_safetensors_name(tensor->dtype));
}

const Constant *builder_constant(GraphBuilder *b, const char *const *alternatives, size_t rows, size_t columns) {
    if (b->status != OK)
        return NULL;
    const Tensor *tensor = NULL;
    for (size_t i = 0; alternatives[i] && !tensor; i++)
        tensor = builder_find(b, alternatives[i]);
    if (!tensor && b->input->tensors) {
        failed(b, FAIL(b->err, ERR_FORMAT, "tensor '%s' is missing: %s asks for it", alternatives[0],
                       b->input->config_name));
        return NULL;
    }
    const char *name =
        tensor ? builder_text(b, "%.*s", (int)upright_length(tensor->name), tensor->name) : alternatives[0];
    const Constant *added = graph_find_constant(b->graph, name);
    if (added)
        return added;
    Constant constant = {
        .name = name, .dtype = DTYPE_F32, .shape = {columns ? 2 : 1, {(int64_t)rows, (int64_t)columns}}};
    if ((tensor && failed(b, constant_fill(b, tensor, rows, columns, &constant))) ||
        failed(b, graph_add_constant(b->graph, &constant, &added, b->err)))
        return NULL;
    return added;
}

// f32 [rows of input 0, columns].
static ValueType matrix_type(const Value *inputs, size_t columns) {
    ValueType type = value_type(inputs[0]);
    return (ValueType){DTYPE_F32, 2, {type.dims[0], {false, (int64_t)columns}}};
}

Value builder_node(GraphBuilder *b, OpCode op, const char *name, const Value *inputs, size_t input_count,
                   const Attribute *attributes, size_t attribute_count, size_t columns) {
    if (b->status != OK)
        return (Value){0};
    ValueType type = matrix_type(inputs, columns);
    NodeSpec spec = {.op = op,
                     .name = name,
                     .inputs = inputs,
                     .input_count = input_count,
                     .attributes = attributes,
                     .attribute_count = attribute_count,
                     .types = &type,
                     .output_count = 1,
                     .note = name};
    Node *node;
    if (failed(b, graph_add_node(b->graph, &spec, &node, b->err)))
        return (Value){0};
    return value_of(node, 0);
}

static Status scale_read(GraphBuilder *b, const Tensor *tensor, double *ret_scale) {
    size_t elements;
    float scale;
    if (!shape_elements(&tensor->shape, &elements) || elements != 1)
        return FAIL(b->err, ERR_FORMAT, "tensor '%s' has %zu scales, expected one for all activations", tensor->name,
                    elements);
    tensor_to_f32(tensor, &scale);
    if (!(scale >= 0x1p-100f && scale <= 0x1p100f))
        return FAIL(b->err, ERR_FORMAT, "tensor '%s' is %g, expected a positive scale", tensor->name, (double)scale);
    *ret_scale = (double)scale;
    return OK;
}

static Status factors_check(GraphBuilder *b, const Constant *factors) {
    const float *values = factors->data;
    if (factors->dtype != DTYPE_F32)
        return FAIL(b->err, ERR_UNSUPPORTED, "tensor '%s' is %s; input factors are F32", factors->name,
                    dtype_safetensors_name(factors->dtype));
    for (int64_t i = 0; i < factors->shape.dims[0]; i++)
        if (!(values[i] >= 0x1p-100f && values[i] <= 0x1p100f))
            return FAIL(b->err, ERR_FORMAT, "tensor '%s' holds %g at %lld, expected positive factors", factors->name,
                        (double)values[i], (long long)i);
    return OK;
}

// Static activations beside int8 rows: "<name>.input_scale" [1], and hone's own "<name>.input_factors" [inputs].
// Returns how many attributes there are.
static size_t static_input(GraphBuilder *b, const char *name, size_t inputs, const Constant *weight,
                           Attribute *ret_scale, Value *ret_factors) {
    const Tensor *tensor = builder_find(b, builder_text(b, "%s.input_scale", name));
    const char *factors = builder_text(b, "%s.input_factors", name);
    const Constant *columns = NULL;
    double scale = 0;
    if (b->status != OK || (!tensor && !builder_find(b, factors)))
        return 0;
    if (weight->scheme != SCHEME_INT8_ROW || !tensor) {
        failed(b, FAIL(b->err, ERR_UNSUPPORTED,
                       "tensor '%s' stands beside activations that are quantized by a scale of their own; that is "
                       "supported for I8 weights with an input_scale",
                       tensor ? tensor->name : factors));
        return 0;
    }
    if (builder_find(b, factors))
        columns = builder_constant(b, (const char *const[]){factors, NULL}, inputs, 0);
    if (b->status != OK || failed(b, scale_read(b, tensor, &scale)) ||
        (columns && failed(b, factors_check(b, columns))))
        return 0;
    *ret_scale = attribute_real("input_scale", scale);
    *ret_factors = value_constant(columns);
    return 1;
}

Value builder_linear(GraphBuilder *b, Value x, const char *name, size_t outputs, size_t inputs) {
    const char *weight = builder_text(b, "%s.weight", name), *bias = builder_text(b, "%s.bias", name);
    const Constant *w = builder_constant(b, (const char *const[]){weight, NULL}, outputs, inputs);
    const Constant *c = NULL;
    if (b->status == OK && builder_has(b, bias))
        c = builder_constant(b, (const char *const[]){bias, NULL}, outputs, 0);
    Value values[5] = {x, value_constant(w), value_constant(c)};
    Attribute scale = {0};
    size_t attributes = b->status == OK ? static_input(b, name, inputs, w, &scale, &values[4]) : 0;
    return builder_node(b, OP_LINEAR, name, values, 5, &scale, attributes, outputs);
}

Value builder_norm(GraphBuilder *b, Value x, const char *name, size_t width) {
    const char *weight = builder_text(b, "%s.weight", name), *bias = builder_text(b, "%s.bias", name);
    Value values[] = {x, value_constant(builder_constant(b, (const char *const[]){weight, NULL}, width, 0)),
                      value_constant(builder_constant(b, (const char *const[]){bias, NULL}, width, 0))};
    Attribute epsilon = attribute_real("epsilon", 1e-5);
    return builder_node(b, OP_LAYER_NORM, name, values, 3, &epsilon, 1, width);
}

static Value input(GraphBuilder *b, const char *name, ValueType type) {
    NodeSpec spec = {.op = OP_INPUT, .name = name, .types = &type, .output_count = 1};
    Node *node;
    if (b->status != OK || failed(b, graph_add_node(b->graph, &spec, &node, b->err)))
        return (Value){0};
    return value_of(node, 0);
}

Value builder_ids(GraphBuilder *b, const char *name, Dim dim) {
    return input(b, name, (ValueType){DTYPE_I32, 1, {dim}});
}

Value builder_states(GraphBuilder *b, const char *name, Dim dim, size_t columns) {
    return input(b, name, (ValueType){DTYPE_F32, 2, {dim, {false, (int64_t)columns}}});
}

void builder_effect(GraphBuilder *b, OpCode op, const Value *inputs, size_t input_count, const Attribute *attributes,
                    size_t attribute_count) {
    NodeSpec spec = {.op = op,
                     .inputs = inputs,
                     .input_count = input_count,
                     .attributes = attributes,
                     .attribute_count = attribute_count};
    Node *node;
    if (b->status == OK)
        failed(b, graph_add_node(b->graph, &spec, &node, b->err));
}
