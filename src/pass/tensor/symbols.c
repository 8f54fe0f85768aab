// SPDX-License-Identifier: Apache-2.0
// One rule for each operator that computes with shapes.
#include "pass/tensor/symbols.h"

#include <stdio.h>
#include <string.h>

#include "op/tensor/infer.h"

enum { NAME_MOST = 96, DIMS_MOST = 512 };

// What a variable stands for, where it was made from others: a + b. Others have no parts.
typedef struct Sum {
    bool known;
    Dim a, b;
} Sum;

struct SymbolTable {
    Graph *graph;
    Sum sums[DIMS_MOST]; // [dims]
    Arena *scratch;
    size_t *first;           // [nodes] number of a node's first value
    const Symbols **symbols; // [values]
    Symbols **constants;     // [constants], made when asked for
};

bool symbols_are_numbers(const Symbols *symbols) {
    bool all = symbols != NULL;
    for (size_t i = 0; all && i < symbols->count; i++)
        all = !symbols->items[i].variable;
    return all;
}

static bool is_listed(DType dtype) {
    return dtype == DTYPE_I64 || dtype == DTYPE_I32 || dtype == DTYPE_BOOL;
}

static const Symbols *constant_symbols(const SymbolTable *table, const Constant *c) {
    size_t count;
    if (table->constants[c->index])
        return table->constants[c->index];
    if (!constant_is_plain(c) || c->shape.rank > 1 || !is_listed(c->dtype) || !shape_elements(&c->shape, &count) ||
        count > SYMBOLS_MOST)
        return NULL;
    Error err;
    Symbols *symbols = arena_array(table->scratch, 1, sizeof *symbols, &err);
    if (!symbols)
        return NULL;
    *symbols = (Symbols){.count = count, .scalar = c->shape.rank == 0};
    for (size_t i = 0; i < count; i++) {
        size_t width = dtype_bytes(c->dtype);
        int64_t wide = 0;
        memcpy(&wide, (const char *)c->data + i * width, width);
        symbols->items[i] = dim_of(c->dtype == DTYPE_I32 ? (int32_t)wide : wide);
    }
    return table->constants[c->index] = symbols;
}

const Symbols *symbols_of(const SymbolTable *table, Value value) {
    if (value.constant)
        return constant_symbols(table, value.constant);
    return value.node ? table->symbols[table->first[value.node->index] + (size_t)value.output] : NULL;
}

static const Symbols *input_symbols(const SymbolTable *table, const Node *node, size_t index) {
    return index < node->input_count ? symbols_of(table, node->inputs[index]) : NULL;
}

// "seq", "3", "m3": a part of an expression's name. Long names go by their numbers: cut off, two could be one.
static void dim_word(const Graph *graph, Dim dim, char word[NAME_MOST]) {
    if (dim.variable && strlen(graph->dims[dim.value]) > 40)
        snprintf(word, NAME_MOST, "__%lld", (long long)dim.value);
    else if (dim.variable)
        snprintf(word, NAME_MOST, "%s", graph->dims[dim.value]);
    else
        snprintf(word, NAME_MOST, dim.value < 0 ? "m%lld" : "%lld",
                 (long long)(dim.value < 0 ? -dim.value : dim.value));
}

// The variable that stands for `a word b`; unknown where names grow too long or too many.
static Dim expression(SymbolTable *table, const char *word, Dim a, Dim b) {
    char left[NAME_MOST], right[NAME_MOST], name[2 * NAME_MOST + 16];
    Dim dim;
    Error err;
    if (dim_is_unknown(a) || dim_is_unknown(b) || table->graph->dim_count >= DIMS_MOST)
        return dim_unknown();
    dim_word(table->graph, a, left);
    dim_word(table->graph, b, right);
    snprintf(name, sizeof name, "%s%s_%s_%s", a.variable ? "" : "d_", left, word, right);
    if (strlen(name) > 80 || graph_add_dim(table->graph, name, &dim, &err) != OK)
        return dim_unknown();
    return dim;
}

static Dim dim_add(SymbolTable *table, Dim a, Dim b) {
    int64_t sum;
    if (dim_is(a, 0) || dim_is(b, 0))
        return dim_is(a, 0) ? b : a;
    if (!a.variable && !b.variable)
        return __builtin_add_overflow(a.value, b.value, &sum) ? dim_unknown() : dim_of(sum);
    bool swap = !a.variable || (b.variable && b.value < a.value); // a + b and b + a are one variable
    Dim total = expression(table, "plus", swap ? b : a, swap ? a : b);
    if (!dim_is_unknown(total) && total.value < DIMS_MOST)
        table->sums[total.value] = (Sum){true, a, b};
    return total;
}

static Dim dim_subtract(SymbolTable *table, Dim a, Dim b) {
    int64_t difference;
    if (dim_is(b, 0))
        return a;
    if (dim_equal(a, b))
        return dim_of(0);
    const Sum *sum = a.variable && !dim_is_unknown(a) && a.value < DIMS_MOST ? &table->sums[a.value] : NULL;
    if (sum && sum->known && dim_equal(sum->a, b))
        return sum->b;
    if (sum && sum->known && dim_equal(sum->b, b))
        return sum->a;
    if (!a.variable && !b.variable)
        return __builtin_sub_overflow(a.value, b.value, &difference) ? dim_unknown() : dim_of(difference);
    return expression(table, "minus", a, b);
}

static Dim dim_multiply(SymbolTable *table, Dim a, Dim b) {
    int64_t product;
    if (dim_is(a, 1) || dim_is(b, 1))
        return dim_is(a, 1) ? b : a;
    if (dim_is(a, 0) || dim_is(b, 0))
        return dim_of(0);
    if (!a.variable && !b.variable)
        return __builtin_mul_overflow(a.value, b.value, &product) ? dim_unknown() : dim_of(product);
    bool swap = !a.variable || (b.variable && b.value < a.value);
    return expression(table, "times", swap ? b : a, swap ? a : b);
}

static Dim dim_divide(SymbolTable *table, Dim a, Dim b) {
    if (dim_is(b, 1))
        return a;
    if (!a.variable && !b.variable)
        return b.value == 0 || (b.value == -1 && a.value == INT64_MIN) ? dim_unknown() : dim_of(a.value / b.value);
    return expression(table, "over", a, b);
}

// 1 or 0 where that is certain: a variable is never negative.
static Dim dim_is_equal(SymbolTable *table, Dim a, Dim b) {
    (void)table;
    if (dim_is_unknown(a) || dim_is_unknown(b))
        return dim_unknown();
    if (a.variable == b.variable && (a.value == b.value || !a.variable))
        return dim_of(a.value == b.value);
    if ((!a.variable && a.value < 0) || (!b.variable && b.value < 0))
        return dim_of(0);
    return dim_unknown();
}

static Dim dim_least(SymbolTable *table, Dim a, Dim b) {
    if (!a.variable && !b.variable)
        return a.value < b.value ? a : b;
    return dim_equal(a, b) ? a : expression(table, "min", a, b);
}

static Dim dim_most(SymbolTable *table, Dim a, Dim b) {
    if (!a.variable && !b.variable)
        return a.value > b.value ? a : b;
    return dim_equal(a, b) ? a : expression(table, "max", a, b);
}

static bool pairwise(SymbolTable *table, const Node *node, Dim (*combine)(SymbolTable *, Dim, Dim), Symbols *ret) {
    const Symbols *a = input_symbols(table, node, 0), *b = input_symbols(table, node, 1);
    if (!a || !b || node->input_count != 2 || (a->count != b->count && a->count != 1 && b->count != 1))
        return false;
    ret->scalar = a->scalar && b->scalar;
    ret->count = a->count > b->count ? a->count : b->count;
    if (!a->count || !b->count)
        ret->count = 0;
    for (size_t i = 0; i < ret->count; i++)
        ret->items[i] = combine(table, a->items[a->count == 1 ? 0 : i], b->items[b->count == 1 ? 0 : i]);
    return true;
}

static bool shape_rule(const SymbolTable *table, const Node *node, Symbols *ret) {
    (void)table;
    ValueType type = value_type(node->inputs[0]);
    if (type.rank < 0)
        return false;
    int64_t start = node_int(node, "start", 0), end = node_int(node, "end", type.rank);
    start = start < 0 ? start + type.rank : start;
    end = end < 0 ? end + type.rank : end;
    start = start < 0 ? 0 : start;
    end = end > type.rank ? type.rank : end;
    for (int64_t i = start; i < end; i++)
        ret->items[ret->count++] = type.dims[i];
    return true;
}

static bool same_rule(const SymbolTable *table, const Node *node, bool scalar, Symbols *ret) {
    const Symbols *a = input_symbols(table, node, 0);
    if (!a || (scalar && a->count != 1))
        return false;
    *ret = *a;
    ret->scalar = scalar;
    return true;
}

static bool gather_rule(const SymbolTable *table, const Node *node, Symbols *ret) {
    const Symbols *data = input_symbols(table, node, 0), *at = input_symbols(table, node, 1);
    if (!data || data->scalar || !symbols_are_numbers(at) || node_int(node, "axis", 0) != 0)
        return false;
    ret->count = at->count;
    ret->scalar = at->scalar;
    for (size_t i = 0; i < at->count; i++) {
        int64_t index = at->items[i].value < 0 ? at->items[i].value + (int64_t)data->count : at->items[i].value;
        if (index < 0 || index >= (int64_t)data->count)
            return false;
        ret->items[i] = data->items[index];
    }
    return true;
}

static bool slice_rule(const SymbolTable *table, const Node *node, Symbols *ret) {
    const Symbols *data = input_symbols(table, node, 0), *from = input_symbols(table, node, 1),
                  *to = input_symbols(table, node, 2), *steps = input_symbols(table, node, 4);
    bool stepped = node->input_count > 4 && !value_absent(node->inputs[4]);
    if (!data || data->scalar || !symbols_are_numbers(from) || !symbols_are_numbers(to) || from->count != 1 ||
        to->count != 1 || (stepped && !(symbols_are_numbers(steps) && steps->count == 1 && dim_is(steps->items[0], 1))))
        return false;
    int64_t count = (int64_t)data->count, start = from->items[0].value, end = to->items[0].value;
    start = start < 0 ? start + count : start;
    end = end < 0 ? end + count : end;
    start = start < 0 ? 0 : start;
    end = end > count ? count : end;
    for (int64_t i = start; i < end; i++)
        ret->items[ret->count++] = data->items[i];
    return true;
}

static bool concat_rule(const SymbolTable *table, const Node *node, Symbols *ret) {
    for (size_t n = 0; n < node->input_count; n++) {
        const Symbols *part = input_symbols(table, node, n);
        if (!part || part->scalar || ret->count + part->count > SYMBOLS_MOST)
            return false;
        for (size_t i = 0; i < part->count; i++)
            ret->items[ret->count++] = part->items[i];
    }
    return true;
}

// A choice that is certain for each element.
static bool where_rule(const SymbolTable *table, const Node *node, Symbols *ret) {
    const Symbols *which = input_symbols(table, node, 0), *a = input_symbols(table, node, 1),
                  *b = input_symbols(table, node, 2);
    if (!which || !a || !b)
        return false;
    ret->scalar = which->scalar && a->scalar && b->scalar;
    ret->count = which->count > a->count ? which->count : a->count;
    ret->count = b->count > ret->count ? b->count : ret->count;
    for (size_t i = 0; i < ret->count; i++) {
        Dim choice = which->items[which->count == 1 ? 0 : i];
        const Symbols *taken = dim_is(choice, 0) ? b : a;
        ret->items[i] = choice.variable ? dim_unknown() : taken->items[taken->count == 1 ? 0 : i];
    }
    return true;
}

// A list of equal numbers, as long as the shape says.
static bool filled_rule(const SymbolTable *table, const Node *node, Symbols *ret) {
    const Symbols *shape = input_symbols(table, node, 0), *value = input_symbols(table, node, 1);
    if (!symbols_are_numbers(shape) || !value || value->count != 1 || shape->count > 1 ||
        (shape->count == 1 && (shape->items[0].value < 0 || shape->items[0].value > SYMBOLS_MOST)))
        return false;
    ret->scalar = shape->count == 0;
    ret->count = ret->scalar ? 1 : (size_t)shape->items[0].value;
    for (size_t i = 0; i < ret->count; i++)
        ret->items[i] = value->items[0];
    return true;
}

static bool size_rule(SymbolTable *table, const Node *node, Symbols *ret) {
    ValueType type = value_type(node->inputs[0]);
    Dim size = dim_of(1);
    for (int i = 0; i < type.rank; i++)
        size = dim_multiply(table, size, type.dims[i]);
    *ret = (Symbols){.count = 1, .scalar = true, .items = {size}};
    return type.rank >= 0;
}

// What is known of the first output's elements.
static bool node_symbols(SymbolTable *table, const Node *node, Symbols *ret) {
    switch (node->op) {
    case TENSOR_SHAPE:
        return shape_rule(table, node, ret);
    case TENSOR_SIZE:
        return size_rule(table, node, ret);
    case TENSOR_GATHER:
        return gather_rule(table, node, ret);
    case TENSOR_SLICE:
        return slice_rule(table, node, ret);
    case TENSOR_CONCAT:
        return concat_rule(table, node, ret);
    case TENSOR_IDENTITY:
    case TENSOR_CAST:
        return input_symbols(table, node, 0) && same_rule(table, node, input_symbols(table, node, 0)->scalar, ret);
    case TENSOR_UNSQUEEZE:
        return input_symbols(table, node, 0) && input_symbols(table, node, 0)->scalar &&
               same_rule(table, node, false, ret);
    case TENSOR_SQUEEZE:
        return same_rule(table, node, true, ret);
    case TENSOR_RESHAPE:
        return input_symbols(table, node, 1) && input_symbols(table, node, 1)->count <= 1 &&
               same_rule(table, node, input_symbols(table, node, 1)->count == 0, ret);
    case TENSOR_ADD:
        return pairwise(table, node, dim_add, ret);
    case TENSOR_SUB:
        return pairwise(table, node, dim_subtract, ret);
    case TENSOR_MUL:
        return pairwise(table, node, dim_multiply, ret);
    case TENSOR_DIV:
        return pairwise(table, node, dim_divide, ret);
    case TENSOR_MIN:
        return pairwise(table, node, dim_least, ret);
    case TENSOR_MAX:
        return pairwise(table, node, dim_most, ret);
    case TENSOR_EQUAL:
        return pairwise(table, node, dim_is_equal, ret);
    case TENSOR_WHERE:
        return where_rule(table, node, ret);
    case TENSOR_CONSTANT_OF_SHAPE:
        return filled_rule(table, node, ret);
    default:
        return false;
    }
}

// A list as dimensions: numbers below 0 are none.
static bool symbols_to_dims(const Symbols *symbols, Dim *ret_dims) {
    if (!symbols || symbols->scalar || symbols->count > SHAPE_MOST_DIMS)
        return false;
    for (size_t i = 0; i < symbols->count; i++) {
        ret_dims[i] = symbols->items[i];
        if (!ret_dims[i].variable && ret_dims[i].value < 0)
            ret_dims[i] = dim_unknown();
    }
    return true;
}

// The dimension that -1 stands for: what of the input's dimensions the others do not take up.
static Dim dim_rest(SymbolTable *table, const ValueType *from, const Symbols *shape) {
    bool used[SHAPE_MOST_DIMS] = {false};
    int64_t taken = 1, all = 1;
    for (size_t i = 0; i < shape->count; i++) {
        Dim dim = shape->items[i];
        if (dim_is(dim, -1))
            continue;
        if (dim_is(dim, 0) && (int)i < from->rank)
            dim = from->dims[i];
        if (!dim.variable) {
            taken *= dim.value > 0 && dim.value < INT32_MAX && taken < INT32_MAX ? dim.value : 0;
            continue;
        }
        int k = 0;
        while (k < from->rank && (used[k] || !dim_equal(from->dims[k], dim)))
            k++;
        if (k == from->rank)
            return dim_unknown();
        used[k] = true;
    }
    Dim rest = dim_of(1);
    for (int k = 0; k < from->rank; k++) {
        if (used[k])
            continue;
        if (from->dims[k].variable)
            rest = dim_multiply(table, rest, from->dims[k]);
        else
            all *= all < INT32_MAX && from->dims[k].value < INT32_MAX ? from->dims[k].value : 0;
    }
    if (taken <= 0 || all % taken)
        return dim_unknown();
    return dim_multiply(table, rest, dim_of(all / taken));
}

static bool reshape_type(SymbolTable *table, const Node *node, ValueType *type) {
    ValueType from = value_type(node->inputs[0]);
    const Symbols *shape = input_symbols(table, node, 1);
    if (from.rank < 0 || !symbols_to_dims(shape, type->dims))
        return false;
    type->dtype = from.dtype;
    type->rank = (int)shape->count;
    for (int i = 0; i < type->rank; i++) {
        if (dim_is(shape->items[i], 0) && !node_int(node, "allowzero", 0))
            type->dims[i] = i < from.rank ? from.dims[i] : dim_unknown();
        else if (dim_is(shape->items[i], -1))
            type->dims[i] = dim_rest(table, &from, shape);
    }
    return true;
}

static bool expand_type(SymbolTable *table, const Node *node, ValueType *type) {
    ValueType from = value_type(node->inputs[0]), to = {.rank = -1};
    const Symbols *shape = input_symbols(table, node, 1);
    if (from.rank < 0 || !symbols_to_dims(shape, to.dims))
        return false;
    to.rank = (int)shape->count;
    type->dtype = from.dtype;
    type->rank = from.rank > to.rank ? from.rank : to.rank;
    for (int i = 1; i <= type->rank; i++) {
        Dim a = i <= from.rank ? from.dims[from.rank - i] : dim_of(1),
            b = i <= to.rank ? to.dims[to.rank - i] : dim_of(1);
        type->dims[type->rank - i] = dim_is(a, 1) || dim_equal(a, b) ? b : dim_is(b, 1) ? a : dim_unknown();
    }
    return true;
}

// Slices along axes that are numbers, from 0 (or a number) to a variable or the end.
static bool slice_type(SymbolTable *table, const Node *node, ValueType *type) {
    ValueType from = value_type(node->inputs[0]);
    const Symbols *start = input_symbols(table, node, 1), *end = input_symbols(table, node, 2),
                  *axes = input_symbols(table, node, 3), *steps = input_symbols(table, node, 4);
    bool has_axes = node->input_count > 3 && !value_absent(node->inputs[3]);
    bool has_steps = node->input_count > 4 && !value_absent(node->inputs[4]);
    if (from.rank < 0 || !start || !end || start->count != end->count || (has_axes && !symbols_are_numbers(axes)) ||
        (has_steps && !symbols_are_numbers(steps)) || (has_axes && axes->count != start->count))
        return false;
    *type = from;
    for (size_t i = 0; i < start->count; i++) {
        int64_t axis = has_axes ? axes->items[i].value : (int64_t)i;
        axis = axis < 0 ? axis + from.rank : axis;
        if (axis < 0 || axis >= from.rank || (has_steps && !dim_is(steps->items[i], 1)))
            return false;
        Dim *dim = &type->dims[axis], first = start->items[i], last = end->items[i];
        bool to_end = !last.variable && last.value >= INT32_MAX;
        if (dim_is(first, 0) && (to_end || dim_equal(last, *dim)))
            continue;
        if (dim_is(first, 0) && last.variable && !dim->variable && !dim_is_unknown(last))
            *dim = last; // as exporters cut tables: the length is at most the table's
        else if (!first.variable && !last.variable && !dim->variable)
            return false; // numbers alone: the operator's own rule knows
        else
            *dim = dim_unknown();
    }
    return true;
}

static bool filled_type(SymbolTable *table, const Node *node, ValueType *type) {
    const Symbols *shape = input_symbols(table, node, 0);
    ValueType value = value_type(node->inputs[1]);
    type->dtype = value.dtype;
    type->rank = shape ? (int)shape->count : -1;
    return value.rank >= 0 && symbols_to_dims(shape, type->dims);
}

static bool range_type(SymbolTable *table, const Node *node, ValueType *type) {
    const Symbols *start = input_symbols(table, node, 0), *limit = input_symbols(table, node, 1),
                  *delta = input_symbols(table, node, 2);
    ValueType from = value_type(node->inputs[0]);
    if (!start || !limit || !delta || from.rank < 0 || !dim_is(delta->items[0], 1))
        return false;
    *type =
        (ValueType){.dtype = from.dtype, .rank = 1, .dims = {dim_subtract(table, limit->items[0], start->items[0])}};
    if (!type->dims[0].variable && type->dims[0].value < 0)
        type->dims[0].value = 0;
    return true;
}

// The first output's type by symbols.
static bool symbol_type(SymbolTable *table, const Node *node, ValueType *type) {
    switch (node->op) {
    case TENSOR_RESHAPE:
        return reshape_type(table, node, type);
    case TENSOR_EXPAND:
        return expand_type(table, node, type);
    case TENSOR_SLICE:
        return slice_type(table, node, type);
    case TENSOR_CONSTANT_OF_SHAPE:
        return filled_type(table, node, type);
    case TENSOR_RANGE:
        return range_type(table, node, type);
    default:
        return false;
    }
}

// What `more` knows and `type` does not.
static void type_refine(ValueType *type, const ValueType *more) {
    if (type->rank < 0) {
        *type = *more;
        return;
    }
    if (more->rank != type->rank || more->dtype != type->dtype)
        return;
    for (int i = 0; i < type->rank; i++)
        if (dim_is_unknown(type->dims[i]))
            type->dims[i] = more->dims[i];
}

static Status concat_type(SymbolTable *table, const Node *node, ValueType *type) {
    if (node->op != TENSOR_CONCAT || type->rank < 1)
        return OK;
    int64_t axis = node_int(node, "axis", 0);
    axis = axis < 0 ? axis + type->rank : axis;
    if (axis < 0 || axis >= type->rank || !dim_is_unknown(type->dims[axis]))
        return OK;
    Dim sum = dim_of(0);
    for (size_t i = 0; i < node->input_count; i++) {
        ValueType part = value_type(node->inputs[i]);
        sum = dim_add(table, sum, part.rank == type->rank ? part.dims[axis] : dim_unknown());
    }
    type->dims[axis] = sum;
    return OK;
}

static Status node_follow(SymbolTable *table, Node *node, Error *err) {
    if (!op_is_tensor(node->op))
        return OK;
    ValueType kept[8], by_symbols = {.rank = -1};
    size_t outputs = node->output_count < 8 ? node->output_count : 8;
    for (size_t o = 0; o < outputs; o++)
        kept[o] = node->types[o];
    TRY(op_infer(node, err));
    if (symbol_type(table, node, &by_symbols))
        type_refine(&node->types[0], &by_symbols);
    TRY(concat_type(table, node, &node->types[0]));
    for (size_t o = 0; o < outputs; o++) // what a file claims comes last: its dimensions may be names of nothing
        type_refine(&node->types[o], &kept[o]);
    Symbols symbols = {0};
    ValueType type = node->types[0];
    bool small = type.rank < 0 || (type.rank <= 1 && is_listed(type.dtype));
    if (!small || !node_symbols(table, node, &symbols))
        return OK;
    Symbols *kept_symbols = arena_array(table->scratch, 1, sizeof symbols, err);
    TRY_NEW(kept_symbols);
    *kept_symbols = symbols;
    table->symbols[table->first[node->index]] = kept_symbols;
    return OK;
}

Status symbols_make(Graph *graph, Arena *scratch, SymbolTable **ret_table, Error *err) {
    SymbolTable *table = arena_array(scratch, 1, sizeof *table, err);
    TRY_NEW(table);
    table->graph = graph;
    table->scratch = scratch;
    size_t values = 0;
    TRY_NEW(table->first = arena_array(scratch, graph->node_count, sizeof *table->first, err));
    for (size_t n = 0; n < graph->node_count; n++) {
        table->first[n] = values;
        values += graph->nodes[n]->output_count;
    }
    TRY_NEW(table->symbols = arena_array(scratch, values, sizeof *table->symbols, err));
    TRY_NEW(table->constants = arena_array(scratch, graph->constant_count, sizeof *table->constants, err));
    for (size_t n = 0; n < graph->node_count; n++)
        TRY(node_follow(table, graph->nodes[n], err));
    *ret_table = table;
    return OK;
}
