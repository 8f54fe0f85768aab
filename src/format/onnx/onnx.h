// SPDX-License-Identifier: Apache-2.0
// ONNX models: ModelProto to a graph of tensor operators (graph/tensor_ops.def), every operator in its form of
// opset 22.
//
//  file ─▶ skeleton ─▶ unpack ─▶ reader: initializers, nodes ─▶ forms ─▶ Graph
//  mapped   no tensors  protobuf-c        scopes of names        older opsets
//
// IR versions 3 to 13, opsets 1 to 27. Weights are used where they lie, in the file or in files of external data beside
// it. Model-local functions are written out where they are called; bodies of If and Loop become attributes, and what
// they read from around them inputs of the node.
#pragma once

#include "base/file.h"
#include "graph/graph.h"

typedef struct OnnxModel {
    Graph *graph;              // its input nodes are the model's inputs that are no initializers, under their names
    const char **output_names; // [graph->return_count] as the model has them
    int64_t ir_version, opset; // of ONNX's own operators
    const char *producer;      // "pytorch 2.13.0"; may be ""
    const char **files;        // the model's own and those of its external data; the first NULL for one from memory
    Bytes *contents;           // [file_count] mapped
    size_t file_count;
} OnnxModel;

// Whether a file begins as ModelProto does.
bool onnx_recognise(Bytes file);

// Whether a path is a file that begins so or is named *.onnx; a folder is none.
MUST_CHECK Status onnx_is_file(Arena *arena, const char *path, bool *ret, Error *err);

// Reads the model at `path` into `arena`, in which its files stay mapped. ERR_FORMAT naming the file and the node,
// tensor or byte; ERR_UNSUPPORTED naming the operator, type or version that is not read;
// ERR_LIMIT for what would take too much memory to hold.
MUST_CHECK Status onnx_read(Arena *arena, const char *path, OnnxModel *ret_model, Error *err);

// The same for a model in memory, which must outlive the arena; `name` begins every message, external data lies in
// `folder`.
MUST_CHECK Status onnx_read_bytes(Arena *arena, const char *name, const char *folder, Bytes file, OnnxModel *ret_model,
                                  Error *err);
