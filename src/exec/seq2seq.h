// SPDX-License-Identifier: Apache-2.0
// Seq2seq: an encoder-decoder in parts as Hugging Face's optimum lays them out (format/onnx/export.h lists inputs and
// outputs), run by another runtime than hone's. A Session (exec/session.h) hands its steps over to one where its model
// has one; search and scheduling notice nothing of it.
//
//     encode    the sources of a call, padded to the longest: one run. Its states and mask are a SeqMemory.
//     decode    a run for all rows that have just begun, and one for all that continue the rows of the same run before:
//               a batch that began together is one run a step.
//
// A SeqPast is what a run left: keys and values of its rows, and the slot of each row's last token. Rows that go on in
// the same order take them over as they lie; others (beams that changed parents, sequences that ended) are gathered.
// What the encoder's tokens gave is gathered only where rows go on with another source than before.
#pragma once

#include "exec/ort.h"

typedef struct Seq2seq Seq2seq;
typedef struct SeqMemory SeqMemory;
typedef struct SeqPast SeqPast;

typedef enum SeqPart { PART_ENCODER, PART_FIRST, PART_NEXT, PART_COUNT } SeqPart;

// A part as a runtime has opened it.
typedef struct PartShape {
    const char *name; // for messages: "file 'x/encoder_model.onnx'"
    const OrtInput *inputs;
    size_t input_count;
    const char *const *outputs;
    size_t output_count;
} PartShape;

// Whoever runs the parts. PART_FIRST and PART_NEXT may be one file, which then takes `use_cache_branch`.
typedef struct PartRunner {
    void *context;
    PartShape shapes[PART_COUNT];
    size_t weight_bytes; // of the files
    // As ort_engine_run_held, and ort_engine_release for what any part gave.
    Status (*run)(void *context, SeqPart part, const HeldTensor *inputs, const bool *wanted, HeldTensor *ret_outputs,
                  Error *err);
    void (*release)(void *context, HeldTensor *tensor);
    void (*free)(void *context);
} PartRunner;

// Where a part's file lies: the first of `names` (NULL behind the last) that is in the folder or in its folder "onnx",
// as on Hugging Face's hub. *ret_path: NULL where there is none.
MUST_CHECK Status seq2seq_file_find(Arena *arena, const char *folder, const char *const *names, const char **ret_path,
                                    Error *err);

// Takes the runner over, also where it fails. ERR_UNSUPPORTED naming the part and what it lacks, or takes that is not
// known here.
MUST_CHECK Status seq2seq_new(const PartRunner *runner, size_t vocabulary, Seq2seq **ret_seq2seq, Error *err);
void seq2seq_free(Seq2seq *seq2seq); // after all sources; NULL is fine
size_t seq2seq_weight_bytes(const Seq2seq *seq2seq);

// A source once encoded: where it lies. {0} before.
typedef struct SeqSource {
    SeqMemory *memory;
    size_t row;
} SeqSource;

typedef struct SeqItem {
    SeqSource *source; // {0}
    const int32_t *ids, *positions;
    size_t tokens, keys; // as EncodeItem's; ids between positions that are told are masked
} SeqItem;

MUST_CHECK Status seq2seq_encode(Seq2seq *seq2seq, const SeqItem *items, size_t count, Error *err);

// One row of a decode step.
typedef struct SeqRow {
    const SeqSource *source;
    SeqPast **past; // of the sequences of its source, NULL at first; moves on with each step
    int32_t token, slot, parent_slot;
    size_t position; // 0: it begins
    bool wants_logits;
} SeqRow;

// ret_logits: f32 [rows that want logits, vocabulary], to change, until the next call. ERR_UNSUPPORTED for rows that
// continue anything but a row of the step before.
MUST_CHECK Status seq2seq_decode(Seq2seq *seq2seq, const SeqRow *rows, size_t count, float **ret_logits, Error *err);

// The sequences of a source, or the source itself, are no more. NULL and {0} are fine, and what is left.
void seq2seq_forget_past(Seq2seq *seq2seq, SeqPast **past);
void seq2seq_forget_source(Seq2seq *seq2seq, SeqSource *source);
