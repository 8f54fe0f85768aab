// SPDX-License-Identifier: Apache-2.0
// What the files that write ONNX models share.
#pragma once

#include "format/onnx/message.h"
#include "format/onnx/write.h"
#include "graph/names.h"

typedef struct WriteShared WriteShared; // write_shared.c's own

// A file of external data, of one model or of several: what any of them has already put there is not put there again.
typedef struct OnnxData {
    const char *location; // relative to the models
    MessagePiece *placed; // constants in it, `at` being their offset
    size_t placed_count, placed_room;
    size_t bytes;
    NameTable places;   // "address, bytes" of data, and
    NameTable contents; // its digest, to its offset: passes make the same weights anew in each of several models
    bool several;       // models share it
} OnnxData;

typedef struct OnnxWriter {
    Arena *arena; // of names and lists
    Message message;
    int64_t opset;
    OnnxData *data;       // NULL: tensors lie in the message
    const char **domains; // other than ONNX's own
    size_t domain_count;
    NameTable names;  // of all scopes
    NameTable shared; // by type and hash: the WriteShared of such constants
    WriteShared *shared_first, *shared_last;
    bool shared_begun; // the outermost graph's are in it
} OnnxWriter;

typedef struct WriteValue {
    const char *name;     // "" for outputs that nothing reads and that may be left out
    const Value *outside; // what an input of a body stands for in the scope around it; NULL: a value of this scope
    bool read;
} WriteValue;

typedef struct WriteReturn {
    const char *name;
    bool copied; // by an Identity from the value
} WriteReturn;

// Names within a graph or a body. ONNX has one set of names for values and constants, and a body may use none of those
// around it for something else.
typedef struct WriteScope WriteScope;
struct WriteScope {
    OnnxWriter *writer;
    WriteScope *outer;
    const Graph *graph;
    NameTable taken, node_names;
    WriteValue **values; // [node][output]
    WriteReturn *returns;
    const char **constants;
    bool *constant_read;  // becomes an initializer
    WriteShared **shared; // [constant] lies in the outermost graph; NULL: here
};

// A node on its way: as the graph has it, then in the form of the file's opset.
typedef struct WriteNode {
    WriteScope *scope;
    const Node *node;
    Value *inputs;
    size_t input_count;
    Attribute *attributes; // room for one more
    size_t attribute_count;
    const Constant *value; // the attribute of that name, a tensor; NULL: there is none
} WriteNode;

// "node 'name' (Add)" for messages.
const char *write_node_name(const Node *node, char ret_text[200]);

// write_names.c: chooses all names of a graph. `owner` is the node whose body it is, of the scope around; `first` the
// node's input that the body's input number `formal` stands for, from which on they stand for values around it.
MUST_CHECK Status write_scope_open(WriteScope *scope, const char *const *output_names, const Node *owner, size_t formal,
                                   size_t first, Error *err);
// The name by which nodes of a scope read a value ("" for an absent one); notes that it is read.
const char *write_value_name(WriteScope *scope, Value value);
// A name for a node: where it came from, else NULL.
MUST_CHECK Status write_node_label(WriteScope *scope, const Node *node, const char **ret_label, Error *err);
// The first input of a body that stands for a value around it, and the input of its node that it stands for.
MUST_CHECK Status write_body_inputs(const Node *node, size_t *ret_formal, size_t *ret_first, Error *err);

// write_graph.c: the fields of a GraphProto.
MUST_CHECK Status write_graph(WriteScope *scope, Error *err);

// write_shared.c: where a body's constant lies in the outermost graph, equal ones in one place; NULL: it is too small.
// Then its name, which notes that it is read; then the initializers of all that the outermost graph had not itself.
MUST_CHECK Status write_share(WriteScope *scope, const Constant *constant, WriteShared **ret, Error *err);
const char *write_shared_name(WriteScope *scope, WriteShared *shared);
MUST_CHECK Status write_shared(OnnxWriter *writer, uint32_t field, Error *err);

// write_tensors.c: a TensorProto as field `field`; one without a name never lies outside.
MUST_CHECK Status write_tensor(OnnxWriter *writer, uint32_t field, const char *name, const Constant *constant,
                               Error *err);
// The file of external data, and whether these bytes are it already.
MUST_CHECK Status write_data(const OnnxData *data, FileWriter *file, Error *err);
bool write_data_equal(const OnnxData *data, Bytes file);

// write_files.c: puts the models and their data in place, so that whatever fails every model that is there has its own
// data. `writers` have written their messages, whose external data (NULL: none) is called as its path.
typedef struct OnnxPlace {
    const char *data_path;
    bool kept;         // the file at data_path holds the data already
    const char **left; // data of the models that are replaced, which no other model of the folder reads
    size_t left_count;
} OnnxPlace;
// Where data goes: to `wish`, or beside it if other data is there, which a model may read.
MUST_CHECK Status write_place(Arena *arena, const OnnxPart *parts, size_t count, const OnnxData *data, const char *wish,
                              OnnxPlace *ret_place, Error *err);
MUST_CHECK Status write_files(const OnnxWriter *writers, const OnnxPart *parts, size_t count, const OnnxData *data,
                              const OnnxPlace *place, Error *err);
void write_place_clear(const OnnxPlace *place); // removes what is left, once the models are written

// write_forms.c: what a graph and its bodies need.
typedef struct WriteNeed {
    int64_t opset;
    char what[280]; // "node 'y' (Gelu)"
} WriteNeed;
MUST_CHECK Status write_need(const Graph *graph, WriteNeed *need, Error *err);
// Brings a node into the form of the file's opset.
MUST_CHECK Status write_form(WriteNode *node, Error *err);
// Whether numbers under that name are reals in ONNX, however the graph has them.
bool write_is_real(const char *attribute);
