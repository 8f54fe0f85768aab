// SPDX-License-Identifier: Apache-2.0
// A graph of tensor operators as an ONNX file: the way of onnx.h backwards.
//
//  Graph ─▶ needs: lowest opset ─▶ scopes of names ─▶ nodes in the opset's form ─▶ Message ─▶ FILE, FILE's data
//           write_needs.def         write_names.c      write_forms.def              text + pieces of weights
//
// The bodies of If and Loop read from around them by name again, their own large constants too (write_shared.c), of
// which equal ones lie in the file once. The same graph gives the same bytes. Weights are streamed from where they lie.
#pragma once

#include "graph/graph.h"

enum { ONNX_WRITE_FIRST = 14, ONNX_WRITE_LAST = 27 }; // opsets

// What was written.
typedef struct OnnxWritten {
    int64_t opset;
    uint64_t bytes, external_bytes; // of the file; of the file of external data that it reads
} OnnxWritten;

// Whether tensors lie in a file of external data beside the model.
typedef enum OnnxExternalWish {
    ONNX_EXTERNAL_AUTO, // if a model would be larger than it should, or several without a limit of their own
    ONNX_EXTERNAL_ALWAYS,
    ONNX_EXTERNAL_NEVER // ERR_LIMIT for 2 GiB
} OnnxExternalWish;

// All zero is a fine default.
typedef struct OnnxWriteSettings {
    int64_t opset;      // of ONNX's own operators; 0: what onnx_lowest_opset says
    int64_t ir_version; // 0: what goes with the opset
    OnnxExternalWish external;
    size_t external_bytes;        // AUTO: a model of more has external data; 0: of 1 GiB, and all of several
    const char *producer_version; // NULL: none
    OnnxWritten *written;         // onnx_write: filled at the end; may be NULL
} OnnxWriteSettings;

// One of several models that share a file of external data.
typedef struct OnnxPart {
    const char *path;
    const Graph *graph;
    const char *const *output_names; // as onnx_write's
    OnnxWritten written;             // filled at the end
} OnnxPart;

// The lowest opset, from ONNX_WRITE_FIRST on, that the graph can be written in. ERR_UNSUPPORTED for an operator or a
// constant that ONNX has not.
MUST_CHECK Status onnx_lowest_opset(const Graph *graph, int64_t *ret_opset, Error *err);

// Writes `path` and, if need be, the file of its external data: `path` with _data behind it ("model.onnx_data"), or
// with _data_1 and so on where other data is there. Both appear whole or not at all, and a model that was there keeps
// its own data until it is replaced; the data goes then, unless another model of the folder may read it. `output_names`
// are those of the graph's returns; NULL: their values' names. Constants that nothing reads are left out.
// ERR_UNSUPPORTED naming the node where the opset is too low or its form cannot be written; ERR_LIMIT for a model that
// is too large without its tensors.
MUST_CHECK Status onnx_write(const char *path, const Graph *graph, const char *const *output_names,
                             const OnnxWriteSettings *settings, Error *err);

// Several models of one folder, whose external data is one file there: `data_path` (NULL: as of the first alone), or
// that with a number behind it. Weights of the same bytes are in it once, whoever reads them.
MUST_CHECK Status onnx_write_parts(OnnxPart *parts, size_t count, const char *data_path,
                                   const OnnxWriteSettings *settings, Error *err);
