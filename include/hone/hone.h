// SPDX-License-Identifier: Apache-2.0
// libhone: opens a trained encoder-decoder transformer (BART and its relatives, as a Hugging Face folder, FP32, FP16,
// BF16 or INT8) and generates text with it.
//
//     HoneError error;
//     HoneModel *model;
//     if (hone_model_open("models/summarizer", NULL, &model, &error) != HONE_OK)
//         fprintf(stderr, "%s\n", error.message), exit(error.exit_code);
//     HoneInput input = {.text = dialogue, .text_bytes = strlen(dialogue)};
//     HoneResults *results;
//     if (hone_summarize(model, &input, 1, "{\"num_beams\": 4}", &results, &error) == HONE_OK) {
//         if (results->items[0].status == HONE_OK)
//             puts(results->items[0].sequences[0].text);
//         hone_results_free(results);
//     }
//     hone_model_free(model);
//
// Errors: a function that can fail returns a HoneStatus and, unless `ret_error` is NULL, writes one sentence to it:
// what was expected, what was found and where. On failure no other output is touched. Nothing is printed, and the
// process is never ended.
//
// Threads: any function may be called from any thread, with the same model too; calls on one model wait for each other,
// so the way to keep a machine busy is many inputs in one call (they run together, HoneModelOptions.batch at a time)
// and not many calls at once. hone_model_free and the free functions of results need that nobody else uses the object.
// A process that forked may use models that it opened itself after the fork.
//
// Results never depend on the number of threads, on the batch, on what else runs, or on the processor.
//
// Compatibility: names, meanings and the layout of structs stay as they are within one major version. Zeroed members of
// option structs mean the default.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_API __attribute__((visibility("default")))

// The library's version, "major.minor.patch".
HONE_API const char *hone_version(void);

typedef enum HoneStatus {
    HONE_OK = 0,
    HONE_ERROR_USAGE = 2,       // a wrong argument or option
    HONE_ERROR_FORMAT = 3,      // a damaged or unexpected file or text
    HONE_ERROR_LIMIT = 4,       // more than the model or the machine can take
    HONE_ERROR_IO = 5,          // a file could not be read
    HONE_ERROR_UNSUPPORTED = 6, // a model, setting or file that hone does not know; the message names it
    HONE_ERROR_MEMORY = 7,
    HONE_ERROR_INTERNAL = 70 // a bug in hone
} HoneStatus;

// A short name such as "bad input"; "unknown" for a number that is no status.
HONE_API const char *hone_status_name(HoneStatus status);

typedef struct HoneError {
    HoneStatus status;
    int exit_code;     // what the program `hone` exits with
    char message[480]; // a sentence without a final full stop, NUL-terminated UTF-8
} HoneError;

typedef struct HoneModel HoneModel;

typedef struct HoneModelOptions {
    int threads;     // that compute; 0: one for each physical core
    const char *cpu; // use no kernels stronger than "ref", "avx2", "avx512", "vnni"; NULL: all that the processor has
    size_t batch;    // inputs in flight at once, at most 4096; 0: 8. Each takes memory whether used or not.
    // A folder to keep packed weights in (made if missing; up to 4 GiB), so that the next start takes milliseconds and
    // processes share them; NULL: none. It must be this user's alone; where it cannot be used, weights are packed anew.
    const char *engine_cache;
    int plain_runtime; // 1: do not use the settings that the model's hone.json recommends
} HoneModelOptions;

// Opens a model: a folder in Hugging Face layout, one that hone wrote, or one file of weights with its config.json
// beside it. A folder that hone wrote may recommend how to keep keys and values, and levers for greedy decoding that
// change no output; it runs with them unless the options say otherwise. Weights are packed for this processor here, in
// parallel. `options` may be NULL. Files must not change while the model is open: they are mapped.
HONE_API HoneStatus hone_model_open(const char *path, const HoneModelOptions *options, HoneModel **ret_model,
                                    HoneError *ret_error);

// Results that were given out stay valid. NULL is fine.
HONE_API void hone_model_free(HoneModel *model);

typedef struct HoneModelInfo {
    const char *family;       // "bart", "mbart"
    const char *quantization; // "none", or the name of the scheme
    int64_t parameters;       // tied weights counted once
    size_t weight_bytes;      // of the files of weights
    size_t memory_bytes;      // reserved for packed weights, activations and the cache of keys and values
    size_t vocabulary, width, encoder_layers, decoder_layers;
    size_t most_positions; // tokens that a source or an output may have
    int has_tokenizer;     // 0: only ids go in and come out
} HoneModelInfo;

// Lives as long as the model.
HONE_API const HoneModelInfo *hone_model_info(const HoneModel *model);

// One text or one list of ids. With `ids` not NULL the ids are used as they are; else the text is tokenized, with the
// special tokens that the model expects. Read during the call only.
typedef struct HoneInput {
    const char *text; // UTF-8, may hold zero bytes
    size_t text_bytes;
    const int32_t *ids;
    size_t id_count;
} HoneInput;

typedef enum HoneFinish {
    HONE_FINISH_STOP,  // the model ended it
    HONE_FINISH_LENGTH // the limit did
} HoneFinish;

typedef struct HoneSequence {
    const char *text; // without special tokens, NUL-terminated; NULL when the model has no tokenizer
    size_t text_bytes;
    const int32_t *ids; // as Hugging Face's generate() returns them, without the decoder's start token
    size_t id_count;
    double score; // beam search: Hugging Face's sequences_scores; else the sum of the tokens' log-probabilities
    HoneFinish finish;
} HoneSequence;

// What became of one input: sequences, or why there are none.
typedef struct HoneResult {
    HoneStatus status;
    const char *error;             // the sentence; NULL when fine
    const HoneSequence *sequences; // num_return_sequences of them, best first
    size_t sequence_count;
    size_t source_tokens; // after cutting
} HoneResult;

// In the order of the inputs.
typedef struct HoneResults {
    const HoneResult *items;
    size_t count;
} HoneResults;

// Generates for all inputs. `options_json` is a JSON object of generation options under Hugging Face's names, for
// example
// {"num_beams": 4, "max_new_tokens": 60, "no_repeat_ngram_size": 3}; what it does not name comes from the model's
// generation_config.json, then from its config.json, then from Hugging Face's defaults. NULL: nothing is overridden.
// Members that are no generation options are ignored; options that hone does not have are refused by name.
//
// An input that cannot be served (too long, empty, an id outside the vocabulary, not UTF-8) fails alone, in its result.
// The call fails only when the options are wrong or memory is short.
HONE_API HoneStatus hone_generate(HoneModel *model, const HoneInput *inputs, size_t count, const char *options_json,
                                  HoneResults **ret_results, HoneError *ret_error);

// The same with texts that are longer than the model's positions cut at the end instead of refused, and with outputs'
// white space trimmed.
HONE_API HoneStatus hone_summarize(HoneModel *model, const HoneInput *inputs, size_t count, const char *options_json,
                                   HoneResults **ret_results, HoneError *ret_error);

// NULL is fine.
HONE_API void hone_results_free(HoneResults *results);

// Ids of a text, with the model's special tokens unless `plain` is not 0. Free *ret_ids with hone_free.
HONE_API HoneStatus hone_tokenize(HoneModel *model, const char *text, size_t bytes, int plain, int32_t **ret_ids,
                                  size_t *ret_count, HoneError *ret_error);

// Text of ids, NUL-terminated, without special tokens unless `keep_special` is not 0. Free *ret_text with hone_free.
HONE_API HoneStatus hone_detokenize(HoneModel *model, const int32_t *ids, size_t count, int keep_special,
                                    char **ret_text, size_t *ret_bytes, HoneError *ret_error);

// Frees what hone_tokenize and hone_detokenize returned. NULL is fine.
HONE_API void hone_free(void *memory);

#ifdef __cplusplus
}
#endif
