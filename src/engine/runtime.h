// SPDX-License-Identifier: Apache-2.0
// Runtime: everything that running one model takes, opened and closed together: kernels, threads, the model, its
// tokenizer's encoder, and an engine.
#pragma once

#include "engine/stream.h"
#include "model/model.h"

// Opens the parts of the model at `path` in another runtime (exec/seq2seq.h).
typedef struct PartsOpener {
    Status (*open)(const void *context, const char *path, size_t vocabulary, Seq2seq **ret_parts, Error *err);
    const void *context;
} PartsOpener;

typedef struct RuntimeSettings {
    CpuLevel level;                       // kernels no stronger than this
    int threads;                          // at least 1
    size_t batch;                         // requests in flight
    KvKind kv_kind;                       // how K and V are kept
    bool kv_said;                         // kv_kind is meant, whatever the model's advice
    bool lm_head_screen, lookup_decoding; // EngineSettings'
    bool screen_greedy_only, skips_scores;
    bool plain;               // the model's advice (model/advice.h) is not followed
    const char *engine_cache; // folder of packed weights (exec/engine_cache.h); NULL: none
    const PartsOpener *parts; // runs the model instead of its graphs, whose settings above are left out; NULL: none
} RuntimeSettings;

// What a model runs with: what was asked for, and its own advice where nothing was. Levers that only the advice names
// are for greedy decoding; other requests do without them.
RuntimeSettings runtime_follow(const RuntimeSettings *asked, const RuntimeAdvice *advice);

typedef struct Runtime {
    Kernels kernels;
    Pool *pool;
    const Model *model;
    const ModelInfo *info;
    RuntimeSettings settings; // as it runs: the model's advice followed
    Encoder *encoder;         // NULL when the model has no tokenizer
    Engine *engine;
    Seq2seq *parts;       // NULL: none
    SessionModel session; // what the engine runs
    Arena arena;          // the model's
} Runtime;

MUST_CHECK Status runtime_new(const char *path, const RuntimeSettings *settings, Runtime **ret_runtime, Error *err);
void runtime_free(Runtime *runtime);

// The same in two steps, for whoever sizes the engine by what the model is: a runtime without an engine, its graphs as
// the family built them unless `passes`; then the engine.
MUST_CHECK Status runtime_open(const char *path, CpuLevel level, int threads, bool passes, Runtime **ret_runtime,
                               Error *err);
// What an engine takes over from them; how many requests it is for is added by whoever knows.
EngineSettings runtime_engine_settings(const RuntimeSettings *settings);
MUST_CHECK Status runtime_start(Runtime *runtime, const EngineSettings *settings, Error *err);
size_t runtime_weight_bytes(const Runtime *runtime); // of the files that what runs was read from

// Changes what a model generates with. ERR_USAGE for what cannot be.
typedef Status GenerationChange(const void *context, Arena *arena, GenerationOptions *options, Error *err);

// What a model generates with: its own options, changed (`change` NULL: not at all) and checked. What is wrong with the
// model's own is ERR_FORMAT, with the change ERR_USAGE.
MUST_CHECK Status generation_change(const Model *model, Arena *arena, GenerationChange *change, const void *context,
                                    GenerationOptions *ret, Error *err);

// What a text longer than the model's positions meets, and one without tokens: as runtime_encode, for callers that have
// no runtime. Valid until the encoder's next call.
MUST_CHECK Status source_encode(const ModelInfo *info, Encoder *encoder, const char *text, size_t bytes, bool truncate,
                                Encoding *ret, Error *err);

// Ids of a text with special tokens, valid until the encoder's next call. With `truncate`, a text longer than the
// model's positions is cut as its tokenizer cuts; without, it is ERR_LIMIT naming both numbers. ERR_UNSUPPORTED without
// tokenizer.
MUST_CHECK Status runtime_encode(Runtime *runtime, const char *text, size_t bytes, bool truncate, Encoding *ret,
                                 Error *err);

// Appends the text of generated ids, special tokens left out.
MUST_CHECK Status runtime_decode(Runtime *runtime, const int32_t *ids, size_t count, Buffer *ret_text, Error *err);
