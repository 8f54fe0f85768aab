// SPDX-License-Identifier: Apache-2.0
// ONNX Runtime as an engine beside hone's own: the same ONNX file, the same tensors in and out. The library is loaded
// while running, where there is one; nothing links it.
//
//     OrtLibrary *library;
//     OrtEngine *engine;
//     TRY(ort_library_open(NULL, &library, err));                // $HONE_ORT, else the usual places
//     OrtSettings settings = {.graph_level = 99, .intra_threads = 2};
//     TRY(ort_engine_new(library, "model.onnx", &settings, &engine, err));
//     TRY(ort_engine_run(engine, inputs, &results, err));        // inputs in the model's order
//     ... results[0 .. ort_engine_output_count(engine)) until the next run
//     ort_engine_free(engine);
//     ort_library_close(library);
//
// ort_engine_run_held leaves results to the caller, who can hand them to a later run as they lie: exec/seq2seq.h keeps
// keys and values so.
#pragma once

#include <stdbool.h>

#include "tensor/tensor.h"

typedef struct OrtLibrary OrtLibrary;
typedef struct OrtEngine OrtEngine;

typedef struct OrtSettings {
    int graph_level;                  // 0 none, 1 basic, 2 extended, 99 all
    int intra_threads, inter_threads; // 0: as the library likes
    bool no_arena, no_pattern, no_spinning;
    bool rests_after_run; // threads spin while a run goes on and no longer
    // Where nodes run, best first: "tensorrt,cuda,cpu", each with options of its own as "cuda:device_id=0:KEY=VALUE".
    // NULL: the processor, which also runs what no other takes.
    const char *providers;
} OrtSettings;

// An input of the model, as far as the file tells.
typedef struct OrtInput {
    const char *name;
    DType dtype;
    int rank;                             // -1: not known
    int64_t dims[SHAPE_MOST_DIMS];        // -1: a variable
    const char *symbols[SHAPE_MOST_DIMS]; // its name, "" where it has none
} OrtInput;

// Loads the library at `path`; NULL: at $HONE_ORT; without that, at the first of the usual places that has one.
// ERR_UNSUPPORTED naming what was tried, or the version that was found and the oldest that will do.
MUST_CHECK Status ort_library_open(const char *path, OrtLibrary **ret_library, Error *err);
void ort_library_close(OrtLibrary *library); // after its engines; NULL is fine
const char *ort_library_version(const OrtLibrary *library);
const char *ort_library_path(const OrtLibrary *library); // as it was loaded

// ERR_USAGE where `providers` is no chain of providers that are known here. NULL is fine.
MUST_CHECK Status ort_providers_check(const char *providers, Error *err);

// A session for the model at `path`. Fails as ONNX Runtime does, in its words: ERR_FORMAT, ERR_UNSUPPORTED, ERR_IO.
MUST_CHECK Status ort_engine_new(OrtLibrary *library, const char *path, const OrtSettings *settings,
                                 OrtEngine **ret_engine, Error *err);
void ort_engine_free(OrtEngine *engine); // NULL is fine

// Providers that were asked for and left out, and why: sentences, a line each; "": none.
const char *ort_engine_notes(const OrtEngine *engine);
const char *ort_engine_providers(const OrtEngine *engine); // those that are in: "cuda,cpu"

// The model's inputs that are no initializers, and its outputs, in its order.
size_t ort_engine_input_count(const OrtEngine *engine);
const OrtInput *ort_engine_inputs(const OrtEngine *engine);
size_t ort_engine_output_count(const OrtEngine *engine);
const char *ort_engine_output_name(const OrtEngine *engine, size_t index);

// Results lie in the library's memory until the next run. ERR_FORMAT where inputs do not fit the model. After a failure
// the engine can run again.
MUST_CHECK Status ort_engine_run(OrtEngine *engine, const Tensor *inputs, const Tensor **ret_results, Error *err);

// A tensor that a run takes or gives: the caller's, which `tensor` shows, or the library's, which stays until it is
// released.
typedef struct HeldTensor {
    Tensor tensor;
    void *data; // a result's elements, to change
    void *held; // NULL: the caller's
} HeldTensor;

// The same with results that outlive the next run, and only of the outputs that are wanted ([output_count]); what is
// not wanted is {0}. Values of one engine are good for another of the same library.
MUST_CHECK Status ort_engine_run_held(OrtEngine *engine, const HeldTensor *inputs, const bool *wanted,
                                      HeldTensor *ret_outputs, Error *err);
void ort_engine_release(OrtEngine *engine, HeldTensor *tensor); // {0} afterwards; the caller's is left alone
