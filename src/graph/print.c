// SPDX-License-Identifier: Apache-2.0
// A graph as canonical text. One way to write each thing, so that equal graphs give equal bytes.
#include "graph/print.h"

#include <math.h>
#include <string.h>

#include "graph/names.h"

static void print_name(Buffer *buffer, const char *name) {
    if (name_is_bare(name))
        buffer_add_text(buffer, name);
    else
        buffer_add_json(buffer, name, strlen(name));
}

// The fewest digits that read back as the same f32 (9 always do) or f64 (17). Six at least, so that 100000 is not
// 1e+05.
static void print_real(Buffer *buffer, double value, bool single) {
    char text[40];
    if (isnan(value)) {
        buffer_add_text(buffer, "nan");
        return;
    }
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (single ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value)
            break;
    }
    // A bare -0 would read back as the integer 0.
    buffer_add_text(buffer, value == 0 && signbit(value) ? "-0.0" : text);
}

static void print_element(Buffer *buffer, DType dtype, const void *data, size_t index) {
    const char *at = (const char *)data + index * dtype_bytes(dtype);
    if (dtype == DTYPE_I64 || dtype == DTYPE_U64) { // what f64 cannot hold
        int64_t value;
        memcpy(&value, at, sizeof value);
        buffer_format(buffer, dtype == DTYPE_I64 ? "%lld" : "%llu", (long long)value);
    } else if (dtype == DTYPE_I32 || dtype == DTYPE_U32) { // what f32 cannot hold
        int32_t value;
        memcpy(&value, at, sizeof value);
        buffer_format(buffer, "%lld", dtype == DTYPE_I32 ? (long long)value : (long long)(uint32_t)value);
    } else if (dtype == DTYPE_F64) {
        double value;
        memcpy(&value, at, sizeof value);
        print_real(buffer, value, false);
    } else {
        Tensor one = {.dtype = dtype, .data = at, .bytes = dtype_bytes(dtype)};
        float value;
        tensor_to_f32(&one, &value);
        print_real(buffer, value, true);
    }
}

static void print_elements(Buffer *buffer, DType dtype, const void *data, size_t count) {
    buffer_add_char(buffer, '{');
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(buffer, i ? ", " : "");
        print_element(buffer, dtype, data, i);
    }
    buffer_add_char(buffer, '}');
}

// Whether a constant has values, and few enough to write.
static bool has_few_values(const Constant *constant) {
    size_t elements;
    bool few_rows = constant->scheme == SCHEME_DENSE || constant->shape.dims[0] <= GRAPH_MOST_VALUES;
    return !constant->part_count && constant_has_data(constant) && few_rows &&
           shape_elements(&constant->shape, &elements) &&
           elements <= (constant->scheme == SCHEME_Q4 ? GRAPH_MOST_CODES : GRAPH_MOST_VALUES);
}

static void print_constant_values(Buffer *buffer, const Constant *constant, size_t elements) {
    uint8_t codes[GRAPH_MOST_CODES];
    bool q4 = constant->scheme == SCHEME_Q4;
    size_t rows = constant->shape.rank ? (size_t)constant->shape.dims[0] : 1;
    if (q4)
        constant_codes(constant, 0, rows, codes);
    buffer_add_text(buffer, " = ");
    print_elements(buffer, constant->dtype, q4 ? codes : constant->data, elements);
    if (constant->scheme == SCHEME_DENSE)
        return;
    buffer_add_text(buffer, " scales ");
    print_elements(buffer, DTYPE_F32, constant->scales, rows * constant_row_scales(constant));
    if (!q4)
        return;
    buffer_add_text(buffer, " codes ");
    print_elements(buffer, DTYPE_I8, constant->codes, 16);
}

void graph_print_scheme(const Constant *constant, Buffer *buffer) {
    if (constant->scheme == SCHEME_Q4)
        buffer_format(buffer, "q4/%zu", constant->group);
    else
        buffer_add_text(buffer, constant->scheme == SCHEME_INT8_ROW ? "s8/row" : dtype_name(constant->dtype));
}

static void print_constant(Buffer *buffer, const Constant *constant, bool values, int indent) {
    buffer_format(buffer, "%*sconst @", indent + 2, "");
    print_name(buffer, constant->name);
    for (size_t i = 0; i < constant->part_count; i++) {
        buffer_add_text(buffer, i ? ", @" : " = rows @");
        print_name(buffer, constant->parts[i]->name);
    }
    size_t elements;
    if (values && has_few_values(constant) && shape_elements(&constant->shape, &elements))
        print_constant_values(buffer, constant, elements);
    char shape[SHAPE_TEXT_BYTES];
    buffer_add_text(buffer, " : ");
    graph_print_scheme(constant, buffer);
    buffer_format(buffer, "%s\n", shape_text(&constant->shape, shape));
}

static void print_value(Buffer *buffer, Value value) {
    if (value_absent(value)) {
        buffer_add_char(buffer, '_');
        return;
    }
    buffer_add_char(buffer, value.node ? '%' : '@');
    print_name(buffer, value.node ? value.node->names[value.output] : value.constant->name);
}

static void print_graph(const Graph *graph, bool values, int indent, Buffer *buffer);

static void print_attribute(Buffer *buffer, const Attribute *attribute, bool values, int indent) {
    buffer_format(buffer, "%s=", attribute->name);
    switch (attribute->kind) {
    case ATTRIBUTE_INT:
        buffer_format(buffer, "%lld", (long long)attribute->integer);
        break;
    case ATTRIBUTE_REAL:
        print_real(buffer, attribute->real, false);
        break;
    case ATTRIBUTE_TEXT:
        if (name_is_identifier(attribute->text))
            buffer_add_text(buffer, attribute->text);
        else
            buffer_add_json(buffer, attribute->text, strlen(attribute->text));
        break;
    case ATTRIBUTE_INTS:
        buffer_add_char(buffer, '[');
        for (size_t i = 0; i < attribute->integer_count; i++)
            buffer_format(buffer, i ? ",%lld" : "%lld", (long long)attribute->integers[i]);
        buffer_add_char(buffer, ']');
        break;
    case ATTRIBUTE_GRAPH:
        buffer_add_text(buffer, "(\n");
        print_graph(attribute->graph, values, indent + 4, buffer);
        buffer_format(buffer, "%*s)", indent + 2, "");
        break;
    }
}

static void print_type(Buffer *buffer, const Graph *graph, const ValueType *type) {
    if (type->rank < 0) {
        buffer_add_char(buffer, '?');
        return;
    }
    buffer_format(buffer, "%s[", dtype_name(type->dtype));
    for (int i = 0; i < type->rank; i++) {
        const Dim *dim = &type->dims[i];
        buffer_add_text(buffer, i ? "," : "");
        if (dim->variable)
            buffer_add_text(buffer, dim->value == DIM_UNKNOWN ? "?" : graph->dims[dim->value]);
        else
            buffer_format(buffer, "%lld", (long long)dim->value);
    }
    buffer_add_char(buffer, ']');
}

static void print_node(Buffer *buffer, const Graph *graph, const Node *node, bool values, int indent) {
    buffer_format(buffer, "%*s", indent + 2, "");
    for (size_t i = 0; i < node->output_count; i++) {
        buffer_add_text(buffer, i ? ", " : "");
        print_value(buffer, value_of(node, (int)i));
    }
    buffer_format(buffer, "%s%s", node->output_count ? " = " : "", op_name(node->op));
    for (size_t i = 0; i < node->input_count; i++) {
        buffer_add_text(buffer, i ? ", " : " ");
        print_value(buffer, node->inputs[i]);
    }
    for (size_t i = 0; i < node->attribute_count; i++) {
        buffer_add_text(buffer, i ? ", " : " {");
        print_attribute(buffer, &node->attributes[i], values, indent);
    }
    if (node->attribute_count)
        buffer_add_char(buffer, '}');
    for (size_t i = 0; i < node->output_count; i++) {
        buffer_add_text(buffer, i ? ", " : " : ");
        print_type(buffer, graph, &node->types[i]);
    }
    buffer_add_char(buffer, '\n');
}

static void print_graph(const Graph *graph, bool values, int indent, Buffer *buffer) {
    buffer_format(buffer, "%*sgraph ", indent, "");
    print_name(buffer, graph->name);
    buffer_add_char(buffer, '(');
    for (size_t i = 0; i < graph->dim_count; i++)
        buffer_format(buffer, i ? ", %s" : "%s", graph->dims[i]);
    buffer_add_text(buffer, ")\n");
    for (size_t i = 0; i < graph->constant_count; i++)
        print_constant(buffer, graph->constants[i], values, indent);
    for (size_t i = 0; i < graph->node_count; i++)
        print_node(buffer, graph, graph->nodes[i], values, indent);
    buffer_format(buffer, "%*sreturn", indent + 2, "");
    for (size_t i = 0; i < graph->return_count; i++) {
        buffer_add_text(buffer, i ? ", " : " ");
        print_value(buffer, graph->returns[i]);
    }
    buffer_add_char(buffer, '\n');
}

void graph_print(const Graph *graph, bool values, Buffer *buffer) {
    print_graph(graph, values, 0, buffer);
}
