// SPDX-License-Identifier: Apache-2.0
// What the files that read ONNX models share.
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "format/onnx/onnx.h"
#include "format/tensorproto/tensorproto.h"
#include "graph/names.h"

// protobuf-c's messages: whoever looks into them includes <onnx.pb-c.h>, which the build makes out of onnx.proto.
typedef struct Onnx__ModelProto Onnx__ModelProto;
typedef struct Onnx__GraphProto Onnx__GraphProto;
typedef struct Onnx__NodeProto Onnx__NodeProto;
typedef struct Onnx__AttributeProto Onnx__AttributeProto;
typedef struct Onnx__TensorProto Onnx__TensorProto;
typedef struct Onnx__TypeProto Onnx__TypeProto;
typedef struct Onnx__FunctionProto Onnx__FunctionProto;
typedef struct Onnx__OperatorSetIdProto Onnx__OperatorSetIdProto;

enum {
    ONNX_MOST_UNPACKED_BYTES = 128 << 20, // of protobuf-c's messages
    ONNX_MOST_BYTES = 256 << 20,          // of the graph without its tensors' data, functions written out; estimated
    ONNX_MOST_CALLS = 64,                 // functions within functions
    ONNX_MOST_ATTRIBUTES = 256,           // of a node
    ONNX_MOST_OUTPUTS = 4096,             // of a node and of a graph
    ONNX_MOST_DIMS = 1024,                // names of dimensions in a graph; further ones are not told apart
    ONNX_MOST_FILES = 1 << 14             // of external data
};

// What onnx_charge is told: about what things take in memory.
enum { ONNX_NODE_BYTES = 1024, ONNX_VALUE_BYTES = 512, ONNX_NAME_BYTES = 256, ONNX_CALL_BYTES = 8192 };

// One file of external data that was mapped, and what of it tensors took.
typedef struct OnnxExternal OnnxExternal;

// A model-local function; defaults of attributes are those that its calls may leave out.
typedef struct OnnxFunction {
    const Onnx__FunctionProto *proto;
    Onnx__AttributeProto **defaults;
    size_t default_count;
} OnnxFunction;

typedef struct OnnxReader {
    Arena *arena;       // of the graph
    Arena *scratch;     // of unpacked messages
    const char *path;   // NULL: a model in memory
    const char *folder; // of external data
    const char *home;   // where the model itself lies once links are followed; NULL: there too
    Bytes file;
    bool mapped; // what was copied of the file may leave memory
    ProtobufCAllocator allocator;
    size_t unpacked_bytes, charged_bytes;
    const Onnx__ModelProto *model;
    int64_t opset;       // of ONNX's own operators
    NameTable functions; // the operator's name in the graph to an OnnxFunction
    NameTable tensors;   // the place in the file to a Tensor that was read
    NameTable dims;      // ONNX's name of a dimension to the IR's
    NameTable dims_taken;
    NameTable locations; // to an OnnxExternal
    OnnxExternal *externals;
} OnnxReader;

// Names within a graph, a body or a function that is written out. Bodies see the names around them; functions do not.
typedef struct OnnxScope OnnxScope;
struct OnnxScope {
    OnnxReader *reader;
    OnnxScope *outer; // of a body; NULL: none
    Graph *graph;
    NameTable names;                              // ONNX's name to a Value
    NameTable types;                              // ONNX's name to a ValueType that the file claims
    NameTable dims;                               // the IR's name of a dimension to a Dim of the graph
    struct OnnxCapture *captures, **captures_end; // what the body reads from around it, in order
    size_t capture_count;
    const Onnx__NodeProto *call; // of a function that is written out, whose attributes its nodes may refer to
    const OnnxFunction *function;
    const OnnxScope *caller; // the scope of that call
    int64_t opset;
    int depth, calls; // bodies and functions around it
};

typedef struct OnnxCapture {
    struct OnnxCapture *next;
    const char *name;
    Value outer; // as the scope around sees it
} OnnxCapture;

// A node on its way: as the file has it, brought into the form of opset 22 by forms.c, then added to the graph.
typedef struct OnnxNode {
    OnnxScope *scope;
    const Onnx__NodeProto *proto;
    const char *op; // name in the graph: behind its domain unless ONNX's own
    Value *inputs;  // room for ONNX_MOST_ADDED more
    size_t input_count;
    Attribute *attributes; // the same; those that the IR can hold
    size_t attribute_count;
    size_t output_count; // its own; may be fewer than the operator has
} OnnxNode;

enum { ONNX_MOST_ADDED = 8 };

// "node 'name' (Add)" for messages, in the scratch arena or static.
const char *onnx_node_name(const OnnxNode *node);

// An attribute of the file's node as it is (of the call, where a function refers to one); NULL: not there, or of
// another type.
const Onnx__AttributeProto *onnx_attribute(const OnnxNode *node, const char *name,
                                           int type); // ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__ ...
void onnx_attribute_drop(OnnxNode *node, const char *name);
void onnx_attribute_set(OnnxNode *node, Attribute attribute);

// Constants made on the way. `dims` NULL: a scalar.
MUST_CHECK Status onnx_ints(OnnxScope *scope, const char *name, const int64_t *values, size_t count, Value *ret,
                            Error *err);
MUST_CHECK Status onnx_constant(OnnxScope *scope, const char *name, DType dtype, const Shape *shape, const void *data,
                                Value *ret, Error *err);
// A further node before this one; its first output.
MUST_CHECK Status onnx_emit(OnnxScope *scope, OpCode op, const char *name, const Value *inputs, size_t input_count,
                            const Attribute *attributes, size_t attribute_count, Value *ret, Error *err);

// functions.c: model-local functions by their operators' names, and calls of them, which are written out into the graph
// of the call with names of their own.
MUST_CHECK Status onnx_functions_read(OnnxReader *reader, Error *err);
const OnnxFunction *onnx_function_find(const OnnxReader *reader, const char *op);
MUST_CHECK Status onnx_function_call(OnnxNode *node, const OnnxFunction *function, Error *err);
// The name of an operator in the graph.
const char *onnx_op_name(OnnxReader *reader, const char *domain, const char *name, Error *err);

// tensors.c: a TensorProto that the skeleton names, as a constant of the scope's graph.
MUST_CHECK Status onnx_tensor(OnnxScope *scope, const Onnx__TensorProto *proto, const char *name, Value *ret,
                              Error *err);

// The model's files into ret_model.
MUST_CHECK Status onnx_files(const OnnxReader *reader, OnnxModel *ret_model, Error *err);

// Tensors' ranges of a file of external data may be equal (tied weights), but not overlap otherwise.
MUST_CHECK Status onnx_externals_check(const OnnxReader *reader, Error *err);

// forms.c: brings a node into the form of opset 22.
MUST_CHECK Status onnx_node_form(OnnxNode *node, Error *err);

// nodes.c: all nodes of a graph or function into the scope's graph.
MUST_CHECK Status onnx_nodes(OnnxScope *scope, Onnx__NodeProto *const *nodes, size_t count, Error *err);

// scope.c
// Counts what reading makes, so that a small file does not grow without bound: functions within functions, bodies read
// at every call. ERR_LIMIT beyond ONNX_MOST_BYTES.
MUST_CHECK Status onnx_charge(OnnxReader *reader, size_t count, size_t bytes_each, Error *err);
MUST_CHECK Status scope_add(OnnxScope *scope, const char *name, Value value, Error *err); // ERR_FORMAT: there already
// The value of a name, in this scope or those around it; absent where a function's input is. ERR_FORMAT: nothing has
// that name.
MUST_CHECK Status scope_find(OnnxScope *scope, const char *name, Value *ret, Error *err);
// Adds an input to a body for a value of the scope around it.
MUST_CHECK Status scope_capture(OnnxScope *scope, const char *name, Value outer, Value *ret, Error *err);
// A dimension of the scope's graph; unknown where it has too many.
MUST_CHECK Status scope_dim(OnnxScope *scope, const char *name, Dim *ret, Error *err);

// read.c: initializers, inputs, nodes and outputs of a GraphProto into a scope whose graph is new.
MUST_CHECK Status onnx_graph(OnnxScope *scope, const Onnx__GraphProto *proto, const char ***ret_output_names,
                             Error *err);
MUST_CHECK Status onnx_type(OnnxScope *scope, const Onnx__TypeProto *proto, const char *name, ValueType *ret,
                            Error *err);
// The version of ONNX's own operators among those imported, or `missing`.
MUST_CHECK Status onnx_opset(Onnx__OperatorSetIdProto *const *imports, size_t count, int64_t missing, int64_t *ret,
                             Error *err);
