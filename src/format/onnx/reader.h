// SPDX-License-Identifier: Apache-2.0
// What the files that read ONNX models share.
#pragma once

#include "format/onnx/onnx.h"
#include "format/tensorproto/tensorproto.h"
#include "graph/names.h"
#include "onnx.pb-c.h"

enum { ONNX_MOST_NODES = 1 << 20 }; // in all, functions written out

// One file of external data that was mapped, and what of it tensors took.
typedef struct OnnxExternal OnnxExternal;

typedef struct OnnxReader {
    Arena *arena;   // of the graph
    Arena *scratch; // of unpacked messages
    const char *path, *folder;
    Bytes file;
    const Onnx__ModelProto *model;
    int64_t opset; // of ONNX's own operators
    OnnxExternal *externals;
    size_t nodes;
} OnnxReader;

// Names within a graph, a body or a function that is written out. Bodies see the names around them; functions do not.
typedef struct OnnxScope OnnxScope;
struct OnnxScope {
    OnnxReader *reader;
    OnnxScope *outer; // of a body; NULL: none
    Graph *graph;
    NameTable names;                              // ONNX's name to a Value
    NameTable types;                              // ONNX's name to a ValueType that the file claims
    struct OnnxCapture *captures, **captures_end; // what the body reads from around it, in order
    size_t capture_count;
    const Onnx__NodeProto *call; // of a function that is written out, whose attributes its nodes may refer to
    const OnnxScope *caller;     // the scope of that call
    int64_t opset;
    int depth; // bodies and functions around it
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
                                           Onnx__AttributeProto__AttributeType type);
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

// tensors.c: a TensorProto that the skeleton names, as a constant of the scope's graph.
MUST_CHECK Status onnx_tensor(OnnxScope *scope, const Onnx__TensorProto *proto, const char *name, Value *ret,
                              Error *err);

// Tensors' ranges of a file of external data may be equal (tied weights), but not overlap otherwise.
MUST_CHECK Status onnx_externals_check(const OnnxReader *reader, Error *err);

// forms.c: brings a node into the form of opset 22.
MUST_CHECK Status onnx_node_form(OnnxNode *node, Error *err);

// nodes.c: all nodes of a graph or function into the scope's graph.
MUST_CHECK Status onnx_nodes(OnnxScope *scope, Onnx__NodeProto *const *nodes, size_t count, Error *err);

// scope.c
MUST_CHECK Status scope_add(OnnxScope *scope, const char *name, Value value, Error *err); // ERR_FORMAT: there already
// The value of a name, in this scope or those around it. ERR_FORMAT: nothing has that name.
MUST_CHECK Status scope_find(OnnxScope *scope, const char *name, Value *ret, Error *err);
// Adds an input to a body for a value of the scope around it.
MUST_CHECK Status scope_capture(OnnxScope *scope, const char *name, Value outer, Value *ret, Error *err);

// read.c: initializers, inputs, nodes and outputs of a GraphProto into a scope whose graph is new.
MUST_CHECK Status onnx_graph(OnnxScope *scope, const Onnx__GraphProto *proto, const char ***ret_output_names,
                             Error *err);
MUST_CHECK Status onnx_type(OnnxScope *scope, const Onnx__TypeProto *proto, const char *name, ValueType *ret,
                            Error *err);
