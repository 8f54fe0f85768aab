// SPDX-License-Identifier: Apache-2.0
// The options of ONNX Runtime as an engine, shared by the commands that take --engine.
#pragma once

#include "cli/command.h"
#include "exec/ort.h"

typedef struct OrtFlags {
    const char *library, *graph_level, *providers;
    int64_t intra_threads, inter_threads; // 0: not given
    bool no_arena, no_pattern, no_spinning;
    bool takes_turns; // no option: its threads must not spin when a run is over
} OrtFlags;

extern const Option ort_options[];

// What the flags mean; threads are --threads unless told. ERR_USAGE for a chain of providers that is none.
MUST_CHECK Status ort_flags_settings(const CommandRun *run, const OrtFlags *flags, OrtSettings *ret, Error *err);

// Tells on standard error what `notes` hold (ort_engine_notes), but not with --quiet.
void ort_notes_tell(const CommandRun *run, const char *notes);
