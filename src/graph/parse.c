// SPDX-License-Identifier: Apache-2.0
// Graph text to graph, one statement a line: `graph`, `const`s and nodes in any order that names things before their
// use, `return`. Each statement is checked as soon as it is built, so that errors know their line.
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "graph/lexer.h"
#include "graph/names.h"
#include "graph/print.h"
#include "graph/verify.h"
#include "tensor/small_floats.h"

// Lists of one statement, before they are copied into the graph.
typedef struct Parser {
    Lexer lexer;
    Graph *graph;
    int depth; // of bodies around this graph
    const char *names[GRAPH_MOST_LIST];
    Value values[GRAPH_MOST_LIST];
    const Constant *parts[GRAPH_MOST_LIST];
    Attribute attributes[GRAPH_MOST_LIST];
    ValueType types[GRAPH_MOST_LIST];
    int64_t integers[GRAPH_MOST_LIST];
} Parser;

enum { WORD_BYTES = 64 };

static Status list_full(Parser *parser, size_t count, Error *err) {
    if (count < GRAPH_MOST_LIST)
        return OK;
    IGNORE_STATUS(lexer_fail(&parser->lexer, parser->lexer.at, err, "a list of more than %d items", GRAPH_MOST_LIST));
    err->status = ERR_LIMIT;
    return ERR_LIMIT;
}

// A failed check of graph/verify.h, as an error of this text.
static Status misbuilt(Parser *parser, const char *start, Error *err) {
    char sentence[ERROR_MESSAGE_BYTES];
    memcpy(sentence, err->message, sizeof sentence);
    return lexer_fail(&parser->lexer, start, err, "%s", sentence);
}

static Status parse_header(Parser *parser, Arena *arena, Error *err) {
    Lexer *lexer = &parser->lexer;
    char word[WORD_BYTES];
    const char *name;
    lexer_at_end(lexer);
    const char *start = lexer->at;
    if (lexer_word(lexer, "'graph'", word, sizeof word, err) != OK || strcmp(word, "graph") != 0)
        return lexer_fail(lexer, start, err, "expected 'graph', a name and its dimensions");
    lexer_peek(lexer);
    TRY(lexer_name(lexer, "the graph's name", &name, err));
    TRY_NEW(parser->graph = graph_make(arena, name, err));
    TRY(lexer_expect(lexer, '(', err));
    while (!lexer_take(lexer, ')')) {
        if (parser->graph->dim_count)
            TRY(lexer_expect(lexer, ',', err));
        TRY(list_full(parser, parser->graph->dim_count, err));
        TRY(lexer_word(lexer, "a dimension's name", word, sizeof word, err));
        size_t before = parser->graph->dim_count;
        Dim dim;
        TRY(graph_add_dim(parser->graph, word, &dim, err));
        if (parser->graph->dim_count == before)
            return lexer_fail(lexer, lexer->at, err, "dimension '%s' is there twice", word);
    }
    return lexer_end_line(lexer, err);
}

// [1,2,T]; where `variables` is not set, numbers only.
static Status parse_dims(Parser *parser, bool variables, ValueType *type, Error *err) {
    Lexer *lexer = &parser->lexer;
    TRY(lexer_expect(lexer, '[', err));
    for (type->rank = 0; !lexer_take(lexer, ']'); type->rank++) {
        if (type->rank)
            TRY(lexer_expect(lexer, ',', err));
        if (type->rank == SHAPE_MOST_DIMS)
            return lexer_fail(lexer, lexer->at, err, "more than %d dimensions", SHAPE_MOST_DIMS);
        Dim *dim = &type->dims[type->rank];
        if (variables && lexer_take(lexer, '?')) {
            *dim = (Dim){true, DIM_UNKNOWN};
            continue;
        }
        bool digits = lexer_begins_number(lexer_peek(lexer));
        const char *start = lexer->at;
        if (digits || !variables) {
            Number number;
            TRY(lexer_number(lexer, &number, err));
            if (!number.is_integer || number.integer < 0)
                return lexer_fail(lexer, start, err, "'%s' is no dimension", number.text);
            *dim = (Dim){false, number.integer};
            continue;
        }
        char word[WORD_BYTES];
        TRY(lexer_word(lexer, "a dimension", word, sizeof word, err));
        size_t at = 0;
        while (at < parser->graph->dim_count && strcmp(parser->graph->dims[at], word) != 0)
            at++;
        if (at == parser->graph->dim_count)
            return lexer_fail(lexer, start, err, "the graph has no dimension '%s'", word);
        *dim = (Dim){true, (int64_t)at};
    }
    return OK;
}

// "/row" after s8, "/64" after q4.
static Status parse_scheme(Parser *parser, const char *start, Constant *constant, Error *err) {
    Lexer *lexer = &parser->lexer;
    char word[WORD_BYTES];
    Number group;
    TRY(lexer_expect(lexer, '/', err));
    if (constant->scheme == SCHEME_INT8_ROW) {
        if (lexer_word(lexer, "'row'", word, sizeof word, err) != OK || strcmp(word, "row") != 0)
            return lexer_fail(lexer, start, err, "expected 's8/row'");
        return OK;
    }
    if (lexer_number(lexer, &group, err) != OK || !group.is_integer || group.integer < 1)
        return lexer_fail(lexer, start, err, "expected 'q4/' and the columns to a scale, as in 'q4/64'");
    constant->group = (size_t)group.integer;
    return OK;
}

// f32[T,768], s8/row[2,3] and q4/64[2,64] (constants; NULL for nodes), ? (nodes).
static Status parse_type(Parser *parser, Constant *constant, ValueType *type, Error *err) {
    Lexer *lexer = &parser->lexer;
    char word[WORD_BYTES];
    *type = (ValueType){.rank = -1};
    if (!constant && lexer_take(lexer, '?'))
        return OK;
    lexer_peek(lexer);
    const char *start = lexer->at;
    TRY(lexer_word(lexer, "a type", word, sizeof word, err));
    if (constant && (strcmp(word, "s8") == 0 || strcmp(word, "q4") == 0)) {
        constant->scheme = word[0] == 's' ? SCHEME_INT8_ROW : SCHEME_Q4;
        type->dtype = word[0] == 's' ? DTYPE_I8 : DTYPE_U8;
        TRY(parse_scheme(parser, start, constant, err));
    } else if (!dtype_from_name(word, &type->dtype)) {
        return lexer_fail(lexer, start, err, "there is no type '%s'", word);
    }
    return parse_dims(parser, !constant, type, err);
}

// The bytes of one element; false when `dtype` cannot hold the number.
static bool element_store(DType dtype, const Number *number, unsigned char *to) {
    float single = strtof(number->text, NULL);
    if (dtype == DTYPE_F64) {
        memcpy(to, &number->real, 8);
        return true;
    }
    if (dtype == DTYPE_F32) {
        memcpy(to, &single, 4);
        return true;
    }
    if (dtype_is_real(dtype)) {
        uint16_t half = dtype == DTYPE_F16 ? f32_to_f16(single) : f32_to_bf16(single);
        memcpy(to, &half, 2);
        return true;
    }
    if (dtype_is_small_float(dtype)) {
        *to = f32_to_small_float(dtype, single, false);
        return true;
    }
    memcpy(to, &number->bits, dtype_bytes(dtype)); // little-endian
    int64_t least, most;
    if (!dtype_integer_range(dtype, &least, &most)) // u64
        return number->is_integer ? number->integer >= 0 : number->bits != 0;
    return number->is_integer && number->integer >= least && number->integer <= most;
}

// {1, 2.5}: exactly `count` elements of `dtype`, of which `most` may be, in the arena.
static Status parse_elements(Parser *parser, DType dtype, size_t count, size_t most, const void **ret_data,
                             Error *err) {
    Lexer *lexer = &parser->lexer;
    TRY(lexer_expect(lexer, '{', err));
    if (count > most)
        return lexer_fail(lexer, lexer->at, err, "values for %zu elements, at most %zu can be written", count, most);
    unsigned char *data = arena_array(lexer->arena, count, dtype_bytes(dtype), err);
    TRY_NEW(data);
    for (size_t i = 0; i < count; i++) {
        if (i)
            TRY(lexer_expect(lexer, ',', err));
        Number number;
        lexer_peek(lexer);
        const char *start = lexer->at;
        TRY(lexer_number(lexer, &number, err));
        if (!element_store(dtype, &number, data + i * dtype_bytes(dtype)))
            return lexer_fail(lexer, start, err, "%s is no value of type %s", number.text, dtype_name(dtype));
    }
    *ret_data = data;
    return lexer_expect(lexer, '}', err);
}

// A word and the list after it.
static Status parse_more(Parser *parser, const char *word, DType dtype, size_t count, const void **ret_data,
                         Error *err) {
    char quoted[WORD_BYTES], found[WORD_BYTES];
    const char *start = parser->lexer.at;
    snprintf(quoted, sizeof quoted, "'%s'", word);
    if (lexer_word(&parser->lexer, quoted, found, sizeof found, err) != OK || strcmp(found, word) != 0)
        return lexer_fail(&parser->lexer, start, err, "expected '%s' and %zu numbers", word, count);
    return parse_elements(parser, dtype, count, GRAPH_MOST_VALUES, ret_data, err);
}

// Codes one to a byte become two to a byte, the first in the low half.
static Status codes_pack(Parser *parser, const char *values, size_t count, Constant *constant, Error *err) {
    const uint8_t *codes = constant->data;
    uint8_t *pairs = arena_array(parser->lexer.arena, count / 2, 1, err);
    TRY_NEW(pairs);
    for (size_t i = 0; i < count; i++) {
        if (codes[i] > 15)
            return lexer_fail(&parser->lexer, values, err, "%d is no code of 4 bits", codes[i]);
        pairs[i / 2] |= (uint8_t)(codes[i] << (i % 2 * 4));
    }
    constant->data = pairs;
    return OK;
}

// The values lie before the type that says how to read them: read again from `values` once the type is known.
static Status parse_values(Parser *parser, const char *values, Constant *constant, Error *err) {
    size_t elements;
    const char *after = parser->lexer.at;
    if (!shape_elements(&constant->shape, &elements))
        return lexer_fail(&parser->lexer, values, err, "values of a shape that no memory can hold");
    parser->lexer.at = values;
    bool q4 = constant->scheme == SCHEME_Q4;
    size_t most = q4 ? GRAPH_MOST_CODES : GRAPH_MOST_VALUES;
    TRY(parse_elements(parser, constant->dtype, elements, most, &constant->data, err));
    if (constant->scheme != SCHEME_DENSE) {
        size_t scales = (size_t)constant->shape.dims[0] * constant_row_scales(constant);
        TRY(parse_more(parser, "scales", DTYPE_F32, scales, (const void **)&constant->scales, err));
    }
    if (q4) {
        TRY(parse_more(parser, "codes", DTYPE_I8, 16, (const void **)&constant->codes, err));
        TRY(codes_pack(parser, values, elements, constant, err));
    }
    TRY(lexer_expect(&parser->lexer, ':', err));
    parser->lexer.at = after;
    return OK;
}

static Status parse_parts(Parser *parser, Constant *constant, Error *err) {
    Lexer *lexer = &parser->lexer;
    do {
        const char *name;
        TRY(list_full(parser, constant->part_count, err));
        TRY(lexer_expect(lexer, '@', err));
        TRY(lexer_name(lexer, "a constant's name", &name, err));
        const Constant *part = graph_find_constant(parser->graph, name);
        if (!part)
            return lexer_fail(lexer, lexer->at, err, "there is no constant '@%s' before this line", name);
        parser->parts[constant->part_count++] = part;
    } while (lexer_take(lexer, ','));
    constant->parts = parser->parts;
    return OK;
}

static Status parse_constant(Parser *parser, Error *err) {
    Lexer *lexer = &parser->lexer;
    Constant constant = {.index = (int)parser->graph->constant_count};
    const char *values = NULL, *start = lexer->at;
    TRY(lexer_expect(lexer, '@', err));
    TRY(lexer_name(lexer, "a constant's name", &constant.name, err));
    if (graph_find_constant(parser->graph, constant.name))
        return lexer_fail(lexer, start, err, "constant '@%s' is there twice", constant.name);
    if (lexer_take(lexer, '=')) {
        char word[WORD_BYTES];
        if (lexer_peek(lexer) == '{') {
            values = lexer->at;
            while (lexer->at < lexer->end && *lexer->at != ':' && *lexer->at != '\n')
                lexer->at++;
        } else if (lexer_word(lexer, "'rows'", word, sizeof word, err) == OK && strcmp(word, "rows") == 0) {
            lexer_peek(lexer);
            TRY(parse_parts(parser, &constant, err));
        } else {
            return lexer_fail(lexer, lexer->at, err, "expected '{' or 'rows' after '='");
        }
    }
    ValueType type;
    TRY(lexer_expect(lexer, ':', err));
    TRY(parse_type(parser, &constant, &type, err));
    constant.dtype = type.dtype;
    constant.shape.rank = type.rank;
    for (int i = 0; i < type.rank; i++)
        constant.shape.dims[i] = type.dims[i].value;
    if (verify_constant(parser->graph, &constant, err) != OK)
        return misbuilt(parser, start, err);
    if (values)
        TRY(parse_values(parser, values, &constant, err));
    TRY(graph_add_constant(parser->graph, &constant, &(const Constant *){NULL}, err));
    return lexer_end_line(lexer, err);
}

// %name, @name or _.
static Status parse_value(Parser *parser, Value *ret_value, Error *err) {
    Lexer *lexer = &parser->lexer;
    char sigil = lexer_peek(lexer);
    const char *start = lexer->at, *name;
    if (sigil == '_') {
        lexer->at++;
        *ret_value = (Value){0};
        return OK;
    }
    if (sigil != '%' && sigil != '@')
        return lexer_fail(lexer, start, err, "expected a value (%%name, @name or _)");
    lexer->at++;
    TRY(lexer_name(lexer, "a value's name", &name, err));
    *ret_value = value_constant(graph_find_constant(parser->graph, name));
    if (sigil == '%' ? !graph_find_value(parser->graph, name, ret_value) : !ret_value->constant)
        return lexer_fail(lexer, start, err, "there is no %s '%c%s' before this line",
                          sigil == '%' ? "value" : "constant", sigil, name);
    return OK;
}

// Values up to the end of the line, '{' or ':'.
static Status parse_values_list(Parser *parser, size_t *ret_count, Error *err) {
    Lexer *lexer = &parser->lexer;
    size_t count = 0;
    char next = lexer_peek(lexer);
    if (next == '%' || next == '@' || next == '_')
        do {
            TRY(list_full(parser, count, err));
            TRY(parse_value(parser, &parser->values[count], err));
            count++;
        } while (lexer_take(lexer, ','));
    *ret_count = count;
    return OK;
}

static Status parse_integers(Parser *parser, Attribute *attribute, Error *err) {
    Lexer *lexer = &parser->lexer;
    size_t count = 0;
    while (!lexer_take(lexer, ']')) {
        Number number;
        if (count)
            TRY(lexer_expect(lexer, ',', err));
        TRY(list_full(parser, count, err));
        TRY(lexer_number(lexer, &number, err));
        if (!number.is_integer)
            return lexer_fail(lexer, lexer->at, err, "'%s' is no integer of 64 bits", number.text);
        parser->integers[count++] = number.integer;
    }
    int64_t *integers = arena_array(lexer->arena, count, sizeof *integers, err);
    TRY_NEW(integers);
    memcpy(integers, parser->integers, count * sizeof *integers);
    *attribute = attribute_ints(attribute->name, integers, count);
    return OK;
}

static Status parse_body(Parser *parser, const char *start, const Graph **ret_graph, Error *err);

static Status parse_attribute(Parser *parser, Attribute *attribute, Error *err) {
    Lexer *lexer = &parser->lexer;
    const char *name, *text;
    lexer_peek(lexer);
    TRY(lexer_name(lexer, "an attribute's name", &name, err));
    TRY(lexer_expect(lexer, '=', err));
    char next = lexer_peek(lexer);
    attribute->name = name;
    const char *start = lexer->at;
    if (lexer_take(lexer, '['))
        return parse_integers(parser, attribute, err);
    if (lexer_take(lexer, '(')) {
        const Graph *body = NULL;
        TRY(parse_body(parser, start, &body, err));
        *attribute = attribute_graph(name, body);
        return OK;
    }
    if (!lexer_begins_number(next)) {
        TRY(lexer_name(lexer, "an attribute's value", &text, err));
        *attribute = attribute_text(name, text);
        return OK;
    }
    Number number;
    TRY(lexer_number(lexer, &number, err));
    if (!isfinite(number.real))
        return lexer_fail(lexer, start, err, "attribute '%s' is %s, expected a finite number", name, number.text);
    *attribute = number.is_integer ? attribute_int(name, number.integer) : attribute_real(name, number.real);
    return OK;
}

// {a=1, b=[2,3]} or nothing.
static Status parse_attributes(Parser *parser, size_t *ret_count, Error *err) {
    Lexer *lexer = &parser->lexer;
    size_t count = 0;
    if (lexer_take(lexer, '{')) {
        do {
            TRY(list_full(parser, count, err));
            TRY(parse_attribute(parser, &parser->attributes[count], err));
            count++;
        } while (lexer_take(lexer, ','));
        TRY(lexer_expect(lexer, '}', err));
    }
    *ret_count = count;
    return OK;
}

// %a, %b =
static Status parse_outputs(Parser *parser, size_t *ret_count, Error *err) {
    Lexer *lexer = &parser->lexer;
    size_t count = 0;
    do {
        lexer_peek(lexer);
        const char *start = lexer->at;
        Value taken;
        TRY(list_full(parser, count, err));
        TRY(lexer_expect(lexer, '%', err));
        TRY(lexer_name(lexer, "a value's name", &parser->names[count], err));
        bool twice = graph_find_value(parser->graph, parser->names[count], &taken);
        for (size_t i = 0; i < count; i++)
            twice |= strcmp(parser->names[i], parser->names[count]) == 0;
        if (twice)
            return lexer_fail(lexer, start, err, "value '%%%s' is there twice", parser->names[count]);
        count++;
    } while (lexer_take(lexer, ','));
    *ret_count = count;
    return lexer_expect(lexer, '=', err);
}

static Status parse_types(Parser *parser, size_t count, Error *err) {
    for (size_t i = 0; i < count; i++) {
        TRY(lexer_expect(&parser->lexer, i ? ',' : ':', err));
        TRY(parse_type(parser, NULL, &parser->types[i], err));
    }
    return OK;
}

static Status parse_node(Parser *parser, const char *word, Error *err) {
    Lexer *lexer = &parser->lexer;
    NodeSpec spec = {
        .names = parser->names, .inputs = parser->values, .attributes = parser->attributes, .types = parser->types};
    if (!word)
        TRY(parse_outputs(parser, &spec.output_count, err));
    lexer_peek(lexer);
    const char *start = lexer->at;
    if (!word)
        TRY(lexer_name(lexer, "an operator", &word, err));
    if (!op_from_name(word, &spec.op))
        return lexer_fail(lexer, start, err, "there is no operator '%s'", word);
    TRY(parse_values_list(parser, &spec.input_count, err));
    TRY(parse_attributes(parser, &spec.attribute_count, err));
    TRY(parse_types(parser, spec.output_count, err));
    if (parser->graph->node_count == GRAPH_MOST_NODES)
        return FAIL(err, ERR_LIMIT, "%s has more than %d nodes", lexer->name, GRAPH_MOST_NODES);
    Node *node;
    Status status = graph_add_node(parser->graph, &spec, &node, err);
    if (status == OK)
        status = verify_node(parser->graph, node, err);
    if (status == ERR_FORMAT || status == ERR_INTERNAL)
        return misbuilt(parser, start, err);
    TRY(status);
    return lexer_end_line(lexer, err);
}

static Status parse_return(Parser *parser, Error *err) {
    Lexer *lexer = &parser->lexer;
    size_t count;
    const char *start = lexer->at;
    TRY(parse_values_list(parser, &count, err));
    for (size_t i = 0; i < count; i++)
        if (value_absent(parser->values[i]))
            return lexer_fail(lexer, start, err, "return %zu is absent", i);
    TRY(lexer_end_line(lexer, err));
    if (!parser->depth && !lexer_at_end(lexer))
        return lexer_fail(lexer, lexer->at, err, "expected nothing after 'return'");
    return graph_set_returns(parser->graph, parser->values, count, err);
}

static Status parse_graph(Parser *parser, Arena *arena, Error *err) {
    Lexer *lexer = &parser->lexer;
    TRY(parse_header(parser, arena, err));
    for (;;) {
        char word[WORD_BYTES];
        if (lexer_at_end(lexer))
            return lexer_fail(lexer, lexer->at, err, "the text ends without 'return'");
        if (lexer_peek(lexer) == '%') {
            TRY(parse_node(parser, NULL, err));
            continue;
        }
        TRY(lexer_word(lexer, "'const', a node or 'return'", word, sizeof word, err));
        lexer_peek(lexer);
        if (strcmp(word, "return") == 0)
            return parse_return(parser, err);
        if (strcmp(word, "const") == 0)
            TRY(parse_constant(parser, err));
        else
            TRY(parse_node(parser, word, err));
    }
}

// graph name(...) ... return ...\n): a body, by a parser of its own.
static Status parse_body(Parser *parser, const char *start, const Graph **ret_graph, Error *err) {
    if (parser->depth + 1 >= GRAPH_MOST_DEPTH)
        return lexer_fail(&parser->lexer, start, err, "more than %d bodies within bodies", GRAPH_MOST_DEPTH - 1);
    Parser *inner = memory_new(1, sizeof *inner, err);
    TRY_NEW(inner);
    inner->lexer = parser->lexer;
    inner->depth = parser->depth + 1;
    lexer_at_end(&inner->lexer);
    Status status = parse_graph(inner, parser->lexer.arena, err);
    parser->lexer = inner->lexer;
    *ret_graph = inner->graph;
    memory_free(inner);
    TRY(status);
    return lexer_expect(&parser->lexer, ')', err);
}

Status graph_parse(Arena *arena, const char *name, Bytes text, Graph **ret_graph, Error *err) {
    if (text.size > GRAPH_MOST_TEXT_BYTES)
        return FAIL(err, ERR_LIMIT, "%s has %zu bytes, a graph's text may have at most %d", name, text.size,
                    GRAPH_MOST_TEXT_BYTES);
    Parser *parser = memory_new(1, sizeof *parser, err);
    TRY_NEW(parser);
    lexer_init(&parser->lexer, arena, name, text);
    parser->depth = 0;
    Status status = parse_graph(parser, arena, err);
    if (status == OK)
        *ret_graph = parser->graph;
    memory_free(parser);
    return status;
}
