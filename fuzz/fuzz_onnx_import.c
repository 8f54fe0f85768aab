// SPDX-License-Identifier: Apache-2.0
// Fuzz target: an ONNX model of both sides of a tiny BART, held against the family's graphs. What is accepted has
// tensors that the family builds its graphs from.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "model/onnx_import.h"
#include "op/op.h"
#include "touch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// What tools/goldens/model/onnx_seeds.py exports.
static const char config_text[] =
    "{\"model_type\":\"bart\",\"vocab_size\":6,\"d_model\":4,\"encoder_layers\":1,\"decoder_layers\":1,"
    "\"encoder_attention_heads\":2,\"decoder_attention_heads\":2,\"encoder_ffn_dim\":3,\"decoder_ffn_dim\":3,"
    "\"max_position_embeddings\":6}";

static void check_built(Arena *arena, ArchInput input, const OnnxImport *import) {
    Error err;
    const Arch *arch;
    ArchModel built;
    input.tensors = &import->tensors;
    input.config = import->config;
    input.turned = true;
    for (size_t i = 0; i < import->tensors.count; i++)
        tensor_touch(&import->tensors.tensors[i]);
    Status status = arch_find(&input, &arch, &err);
    if (status == OK)
        status = arch->build(arena, &input, &built, &err);
    if (status != OK || op_verify(built.encode, &err) != OK || op_verify(built.decode, &err) != OK)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    memory_init();
    Error err;
    Arena arena;
    OnnxModel model;
    OnnxImport import;
    json_t *config;
    arena_init(&arena, 0);
    Bytes text = {(const unsigned char *)config_text, strlen(config_text)};
    if (json_parse(&arena, "config", text, false, &config, &err) != OK)
        abort();
    ArchInput input = {.config = config, .config_name = "config"};
    Status status = onnx_read_bytes(&arena, "fuzz", "/dev/null/none", (Bytes){data, size}, &model, &err);
    if (status == OK)
        status = onnx_import_models(&arena, &model, &model, &input, size % 2, &import, &err);
    if (status == ERR_INTERNAL)
        abort();
    if (status == OK)
        check_built(&arena, input, &import);
    arena_done(&arena);
    return 0;
}
