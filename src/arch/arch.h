// SPDX-License-Identifier: Apache-2.0
// Model families: from config.json and named tensors to graphs. A family is one file with one readable build function
// and one row in arch.def.
#pragma once

#include "base/json.h"
#include "graph/graph.h"

// Sizes of one layer. A head is as wide as config.json makes it, however many there are.
typedef struct LayerShape {
    size_t heads, cross_heads, ffn; // cross_heads: 0 in an encoder
} LayerShape;

typedef struct LayerShapes {
    LayerShape *encoder, *decoder; // [layers]
    size_t encoder_layers, decoder_layers;
    bool ragged; // some differ from what config.json says of all layers
} LayerShapes;

// What config.json calls the sizes that pruning changes.
typedef struct SizeKeys {
    const char *encoder_layers, *decoder_layers, *encoder_ffn, *decoder_ffn;
    const char *layers; // a copy of encoder_layers that it may hold
} SizeKeys;

// Tables that tie_word_embeddings makes one, by the names that they have apart, one that lies in rows first, and the
// name of the one.
typedef struct TiedTables {
    const char *const *apart;
    size_t count;
    const char *one;
} TiedTables;

typedef struct ArchInput {
    const json_t *config;
    const char *config_name; // for messages: "file 'x/config.json'"
    const json_t *shapes;    // of hone.json; NULL: every layer is as config.json says
    const char *shapes_name; // for messages: "file 'x/hone.json'"
    const Bundle *tensors;   // NULL: the graphs as config.json has them, constants without data
    bool turned;             // tensors named X_turned are X [rows, columns] lying as [columns, rows]
    const Bytes *maps;       // [map_count] the file maps that most of the tensors' data lies in
    size_t map_count;
} ArchInput;

// What a family builds. Graph contracts are those of exec/session.h's SessionModel.
typedef struct ArchModel {
    const char *family;
    Graph *encode, *decode, *head;
    size_t width, vocabulary, most_positions;
    size_t encoder_layers, decoder_layers, encoder_heads, decoder_heads, encoder_ffn, decoder_ffn; // by config.json
    LayerShapes shapes;
    const SizeKeys *keys;
    const TiedTables *tied;
} ArchModel;

typedef struct Arch {
    const char *name;
    const char *generation; // members Hugging Face's config class has without being told, as JSON
    MUST_CHECK Status (*build)(Arena *arena, const ArchInput *input, ArchModel *ret_model, Error *err);
} Arch;

// The family that `config` asks for, by model_type, else by `architectures`. ERR_UNSUPPORTED names what was asked for
// and what there is.
MUST_CHECK Status arch_find(const ArchInput *input, const Arch **ret_arch, Error *err);
