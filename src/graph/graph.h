// SPDX-License-Identifier: Apache-2.0
// Graph: the one IR in the middle of hone. Model families build graphs, passes rewrite them, plans run them, exporters
// print them. A graph is an ordered list of nodes (every input comes earlier), over values with types, and named
// constants.
//
// Text form (print.h), canonical, parse(print(g)) = g:
//
//     graph encode(T)
//       const @shared : f32[50265,768]
//       const @fc1 : s8/row[3072,768]
//       const @fc2 : q4/64[768,3072]
//       const @qkv = rows @q, @k, @v : f32[2304,768]
//       const @one = {1, 2.5} : f32[2]
//       %ids = input : i32[T]
//       %x = embed %ids, @shared {scale=1} : f32[T,768]
//       %q, %k, %v = split %h {sizes=[768,768,768]} : f32[T,768], f32[T,768], f32[T,768]
//       cross_store %k, %v {heads=12, layer=0}
//       return %x
//
// Names of values and of constants are two separate sets. A name of [A-Za-z0-9_.-]+ is written as it is, any other as a
// JSON string (@"odd name"). A number written without '.', 'e' is an integer attribute; node_real reads those too, so a
// real 1.0 and an integer 1 are the same attribute to everybody. Text attributes are bare when they are identifiers.
// A type that is not known yet (rank -1) is written `?`, as is a dimension that is not. The body of an If or a Loop is
// written between parentheses, as a graph of its own.
//
// A graph and all it points to live in one arena; weights lie in file maps that outlive it. One thread until a plan is
// made from it; immutable after that.
#pragma once

#include "base/arena.h"
#include "tensor/tensor.h"

typedef enum OpCode {
#define OP(code, name, fewest, most, outputs) code,
#include "graph/ops.def"
#undef OP
#define TENSOR_OP(code, symbol, name, fewest, most, outputs) code,
#include "graph/tensor_ops.def"
#undef TENSOR_OP
    OP_COUNT
} OpCode;

const char *op_name(OpCode op);
// False, and *ret untouched, for an unknown name.
bool op_from_name(const char *name, OpCode *ret);
// How many inputs it takes and outputs it has; outputs -1: as many as the node says.
typedef struct OpArity {
    int fewest, most, outputs;
} OpArity;
OpArity op_arity(OpCode op);
// A row of tensor_ops.def: works on whole tensors of any shape, where the others work on packed rows.
bool op_is_tensor(OpCode op);

// A dimension: a constant, or one of the graph's variables (value is its index in Graph.dims then, or DIM_UNKNOWN where
// only a run can tell).
typedef struct Dim {
    bool variable;
    int64_t value;
} Dim;

enum { DIM_UNKNOWN = -1 };

typedef struct ValueType {
    DType dtype;
    int rank; // -1: not known yet
    Dim dims[SHAPE_MOST_DIMS];
} ValueType;

// How a constant's bytes mean numbers.
typedef enum Scheme {
    SCHEME_DENSE,    // elements of `dtype`
    SCHEME_INT8_ROW, // s8 [rows, columns] with scales f32 [rows]: value = q * scale
    SCHEME_Q4,       // 4-bit codes [rows, columns], two to a byte: value = codes[code] * scale of its group of columns
    SCHEME_COUNT
} Scheme;

typedef struct Constant Constant;
typedef struct Node Node;
typedef struct Graph Graph;
typedef struct GraphNames GraphNames; // graph/names.h

// A named, immutable tensor. Either it has data (NULL in graphs parsed from text without values), or it is the rows of
// `parts` one after another, not copied. A vector counts as rows of one element. Parts have no parts of their own.
struct Constant {
    const char *name; // without the '@'
    Scheme scheme;
    DType dtype; // of the elements as stored (DTYPE_I8 for SCHEME_INT8_ROW, DTYPE_U8 for SCHEME_Q4)
    Shape shape;
    const void *data;
    bool turned;                  // of two dimensions and not SCHEME_Q4: data lies as [columns, rows]
    const float *scales;          // SCHEME_INT8_ROW: [rows]; SCHEME_Q4: [rows][columns / group]
    const int8_t *codes;          // SCHEME_Q4: [16] what the codes stand for; NULL only without data
    size_t group;                 // SCHEME_Q4: columns to a scale, a multiple of 32 that divides the columns
    bool high_first;              // SCHEME_Q4: the first of two codes lies in the high half of its byte
    bool mapped;                  // data lies in a file map: after packing it may leave memory (file_forget)
    const Constant *const *parts; // all of one scheme, dtype and column count
    size_t part_count;
    int index; // place in Graph.constants
};

// What a node reads or the graph returns: an output of a node, or a constant.
typedef struct Value {
    const Node *node; // NULL for a constant or an absent optional input
    int output;
    const Constant *constant;
} Value;

typedef enum AttributeKind {
    ATTRIBUTE_INT,
    ATTRIBUTE_REAL,
    ATTRIBUTE_TEXT,
    ATTRIBUTE_INTS,
    ATTRIBUTE_GRAPH // a body: a graph of its own, with its own constants, in the same arena
} AttributeKind;

enum { GRAPH_MOST_DEPTH = 8 }; // bodies within bodies

typedef struct Attribute {
    const char *name;
    AttributeKind kind;
    int64_t integer;
    double real;
    const char *text;
    const int64_t *integers;
    size_t integer_count;
    const Graph *graph;
} Attribute;

struct Node {
    OpCode op;
    Value *inputs; // optional inputs in the middle are absent values, printed as `_`
    size_t input_count;
    const char **names; // of the outputs, without the '%', unique in the graph
    ValueType *types;
    size_t output_count;
    Attribute *attributes; // sorted by name
    size_t attribute_count;
    size_t index;     // place in Graph.nodes
    const char *note; // where it came from ("encoder.layers.3.fc1"), for explain; not printed; may be NULL
};

struct Graph {
    Arena *arena;
    const char *name;
    const char **dims; // names of the dimension variables
    size_t dim_count;
    Constant **constants;
    size_t constant_count;
    Node **nodes; // in an order that can run
    size_t node_count;
    Value *returns;
    size_t return_count;
    GraphNames *taken; // the graph room's own
    size_t constant_room, node_room;
};

// Building. Everything is copied into the arena except constants' data. Names that are taken get a suffix ".1", ".2";
// names must be valid UTF-8. A variable that is already there is found, not added again.
Graph *graph_make(Arena *arena, const char *name, Error *err);
MUST_CHECK Status graph_add_dim(Graph *graph, const char *name, Dim *ret_dim, Error *err);
MUST_CHECK Status graph_add_constant(Graph *graph, const Constant *constant, const Constant **ret_constant, Error *err);

// Appends a node. `name` is the (first) output's wish (NULL: the operator's name); further outputs get "name.1", or
// what `names` wishes for. Types are given by the caller or, where `types` is NULL, filled by op_infer afterwards.
// Absent inputs at the end are dropped as far as the operator allows.
typedef struct NodeSpec {
    OpCode op;
    const char *name;
    const char *const *names; // [output_count], instead of `name`; may be NULL
    const Value *inputs;
    size_t input_count;
    const Attribute *attributes;
    size_t attribute_count;
    const ValueType *types;
    size_t output_count;
    const char *note;
} NodeSpec;
MUST_CHECK Status graph_add_node(Graph *graph, const NodeSpec *spec, Node **ret_node, Error *err);
MUST_CHECK Status graph_set_returns(Graph *graph, const Value *values, size_t count, Error *err);

// Rewriting. Uses of `old` (inputs and returns) become `replacement`.
void graph_replace_value(Graph *graph, Value old, Value replacement);
// `node` becomes what `spec` says: operator, inputs, attributes; where spec->types is set, outputs too, with the names
// in spec->names taken as they are (they may still belong to a node that graph_keep is about to remove).
MUST_CHECK Status graph_change_node(Graph *graph, Node *node, const NodeSpec *spec, Error *err);
// Puts a node of `spec` just before `place` (same arena); its outputs have fresh names.
MUST_CHECK Status graph_insert_before(Graph *graph, const Node *place, const NodeSpec *spec, Node **ret_node,
                                      Error *err);
// Removes nodes and constants marked false (NULL: keeps all), renumbers. Nothing kept may use what goes. Marks are
// indexed by Node.index and Constant.index.
void graph_keep(Graph *graph, const bool *keep_node, const bool *keep_constant);
// Uses of each value: how many inputs and returns read output `output` of `node`.
size_t graph_uses(const Graph *graph, const Node *node, int output);
// The same for all nodes at once: [node_count] sums over each node's outputs.
void graph_count_uses(const Graph *graph, size_t *ret_uses);
// What bears a name (without its sigil); false, NULL: nothing does.
bool graph_find_value(const Graph *graph, const char *name, Value *ret_value);
const Constant *graph_find_constant(const Graph *graph, const char *name);
// A deep copy (constants' data shared) in `arena`.
Graph *graph_copy(Arena *arena, const Graph *graph, Error *err);

// Looking.
Value value_of(const Node *node, int output);
Value value_constant(const Constant *constant);
bool value_equal(Value a, Value b);
bool value_absent(Value value);
ValueType value_type(Value value); // a constant's type has its shape as dims; an absent value's rank is -1
bool type_equal(const ValueType *a, const ValueType *b);
bool type_agrees(const ValueType *a, const ValueType *b);            // equal as far as both are known
const Attribute *node_attribute(const Node *node, const char *name); // NULL: not there
int64_t node_int(const Node *node, const char *name, int64_t missing);
double node_real(const Node *node, const char *name, double missing); // integers too
const char *node_text(const Node *node, const char *name, const char *missing);

bool attribute_equal(const Attribute *a, const Attribute *b); // by name and value: 1 equals 1.0

Attribute attribute_int(const char *name, int64_t value);
Attribute attribute_real(const char *name, double value);
Attribute attribute_text(const char *name, const char *value);
Attribute attribute_ints(const char *name, const int64_t *values, size_t count);
Attribute attribute_graph(const char *name, const Graph *graph);
const Graph *node_graph(const Node *node, const char *name); // NULL: not there
// The integers of a list; *ret_count 0 and NULL where there is none.
const int64_t *node_ints(const Node *node, const char *name, size_t *ret_count);

// Rows of a constant seen through its parts: contiguous rows [first, first + count) of `row_bytes` each, either
// pointing into the data or gathered into `scratch` (count * row_bytes; NULL will do for one row that is not turned).
// Scales, constant_row_scales a row, and the codes of SCHEME_Q4, one to a byte [count, columns], are always copied.
// All: constant_has_data, and ranges inside the shape.
bool constant_has_data(const Constant *constant); // all parts, scales included
bool constant_is_plain(const Constant *constant); // dense elements in one piece, in order, with data; NULL is not
size_t constant_row_bytes(const Constant *constant);
const void *constant_rows(const Constant *constant, size_t first, size_t count, void *scratch);
size_t constant_row_scales(const Constant *constant); // 0 where the scheme has none
void constant_scales(const Constant *constant, size_t first, size_t count, float *ret_scales);
void constant_codes(const Constant *constant, size_t first, size_t count, uint8_t *ret_codes);
// Whether rows of both may be parts of one constant: equal scheme, dtype and, for SCHEME_Q4, group, codes and order.
bool constant_stacks(const Constant *a, const Constant *b);

// Structure holds: inputs come earlier, arity fits ops.def, names unique, constants and types well-formed (any but the
// first input may be absent, a Loop's first too, and types unknown: what an operator needs is the shape rules'
// business; they are in src/op, and op_verify in op/op.h checks them too). ERR_INTERNAL sentences.
MUST_CHECK Status graph_verify(const Graph *graph, Error *err);
