// SPDX-License-Identifier: Apache-2.0
// Recipe: all that makes a small model out of a large one, as one value: what is cut, whether the vocabulary is
// trimmed, each weight's scheme, and how the result is run. Zero-initialised it is the model as it was.
//
//     model -> cuts, one after another -> vocabulary -> schemes -> folder          run: K/V, levers, threads, batch
//
// recipe_make writes the folder, and keeps what recipes share: a cut model serves every scheme.
#pragma once

#include "base/buffer.h"
#include "compress/prune.h"
#include "engine/runtime.h"

enum { RECIPE_MOST_CUTS = 8 };

typedef struct RecipeCut {
    PruneMethod method;
    double amount;    // share of the units
    const char *only; // a pattern ("decoder.*"); NULL: all
} RecipeCut;

// A weight with another scheme than the recipe's, by its module ("model.encoder.layers.0.fc1").
typedef struct RecipeLayer {
    const char *module;
    WeightScheme scheme;
} RecipeLayer;

typedef struct Recipe {
    RecipeCut cuts[RECIPE_MOST_CUTS];
    size_t cut_count;
    bool vocabulary;                 // trimmed to the tuning data and further texts
    WeightScheme scheme, embeddings; // of the linears; of the word table and the head (STORE_AS_IS: they follow)
    const RecipeLayer *layers;       // sorted by module
    size_t layer_count;
    size_t group;      // of int4; 0: 128
    bool double_quant; // of nf4
    bool gptq;         // of int4's linears
    KvKind kv_kind;
    bool lm_head_screen, lookup_decoding;
    int threads;  // 0: as many as the search has
    size_t batch; // 0: 1
} Recipe;

// Which parts of a recipe are meant. Outputs depend on all but RECIPE_RUNNING, a folder's weights on RECIPE_FOLDER.
typedef enum RecipePart {
    RECIPE_CUTS = 1,
    RECIPE_VOCABULARY = 2,
    RECIPE_SCHEMES = 4,
    RECIPE_KV = 8,
    RECIPE_RUNNING = 16,
    RECIPE_FOLDER = RECIPE_CUTS | RECIPE_VOCABULARY | RECIPE_SCHEMES,
    RECIPE_QUALITY = RECIPE_FOLDER | RECIPE_KV,
    RECIPE_ALL = RECIPE_QUALITY | RECIPE_RUNNING
} RecipePart;

// Adds those parts as a JSON object: equal recipes give equal text. What is as it was is left out.
void recipe_print(const Recipe *recipe, unsigned parts, Buffer *out);

// The same for people: "int8, 6 weights nf4; neurons -30 %; K/V int8"; "as it was" for nothing.
void recipe_describe(const Recipe *recipe, Buffer *out);

// What recipes are made from.
typedef struct RecipeMaker {
    const char *model;  // the MODEL's path
    const char *folder; // scratch, for all that is made
    const char *tuning; // JSON lines: calibration, scores of units, and a vocabulary's texts
    const char *texts;  // further texts for the vocabulary, the tuning data among them; NULL: the tuning data, and what
                        // the model writes for it
    int threads;
    CpuLevel level;
} RecipeMaker;

// Writes the folder for a recipe, or finds the one written before; for a recipe that changes no weight, it is the MODEL
// itself. Fails as quantize_model, prune_model and vocabulary_trim do: a recipe that does not fit the model is
// ERR_USAGE, ERR_UNSUPPORTED or ERR_NO.
MUST_CHECK Status recipe_make(Arena *arena, const RecipeMaker *maker, const Recipe *recipe, const char **ret_folder,
                              Error *err);

// Removes the folder of a recipe, but not what others may share with it.
void recipe_forget(const RecipeMaker *maker, const Recipe *recipe);

// How a recipe runs: kernels and threads of the maker, or the recipe's own.
RuntimeSettings recipe_runtime(const RecipeMaker *maker, const Recipe *recipe);
