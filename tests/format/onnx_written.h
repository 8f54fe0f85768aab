// SPDX-License-Identifier: Apache-2.0
// What tests of the writer of ONNX share: a folder for a model and its data, graphs from text and back.
#pragma once

#include "format/craft.h"
#include "format/onnx/onnx.h"
#include "format/onnx/write.h"
#include "graph/print.h"

static Arena arena;
static Error err;
static char folder[64];
static const char *path, *data_path;

static inline void setup(void) {
    arena_init(&arena, 0);
    scratch_make(folder);
    path = path_join(&arena, folder, "m.onnx", &err);
    data_path = path_join(&arena, folder, "m.onnx_data", &err);
}

static inline void teardown(void) {
    unlink(path);
    unlink(data_path);
    scratch_done(&arena, folder); // fails if anything else is left
    arena_done(&arena);
}

static inline Graph *parsed(const char *text) {
    Graph *graph = NULL;
    CHECK_OK(graph_parse(&arena, "text", (Bytes){(const unsigned char *)text, strlen(text)}, &graph, &err));
    return graph;
}

static inline const char *printed(const Graph *graph) {
    Buffer buffer = {0};
    graph_print(graph, true, &buffer);
    const char *text = arena_copy_text(&arena, buffer.data, buffer.bytes, &err);
    ck_assert_ptr_nonnull(text);
    buffer_done(&buffer);
    return text;
}
