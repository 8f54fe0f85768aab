// SPDX-License-Identifier: Apache-2.0
// The parts of an encoder-decoder (exec/seq2seq.h) in ONNX Runtime: a folder as optimum and `hone export` write it.
#pragma once

#include "exec/seq2seq.h"

// Opens encoder_model.onnx, and decoder_model_merged.onnx or, without that, decoder_model.onnx and
// decoder_with_past_model.onnx, of the folder or its folder onnx, in the library at `library` (as ort_library_open
// takes it). ERR_FORMAT naming the file that is missing, else as ort_library_open, ort_engine_new and seq2seq_new.
// Providers that were left out are told in `ret_notes` (ort_engine_notes).
MUST_CHECK Status ort_seq2seq_open(const char *library, const char *folder, const OrtSettings *settings,
                                   size_t vocabulary, Seq2seq **ret_seq2seq, const char **ret_notes, Error *err);
