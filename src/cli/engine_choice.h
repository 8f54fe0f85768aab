// SPDX-License-Identifier: Apache-2.0
// --engine: which engine runs a model, hone's own or ONNX Runtime; and the latter behind a runtime.
#pragma once

#include "cli/ort_flags.h"
#include "cli/runtime.h"

typedef enum EngineKind { ENGINE_HONE, ENGINE_ORT, ENGINE_KINDS } EngineKind;

const char *engine_kind_name(EngineKind kind); // "hone", "ort"

// "hone", "ort" or both with a comma between; NULL: hone. ERR_USAGE.
MUST_CHECK Status engine_kinds_parse(const char *text, EngineKind ret_kinds[ENGINE_KINDS], size_t *ret_count,
                                     Error *err);

// For commands that run a model in one engine: an OPTION_TABLE.
typedef struct EngineFlags {
    const char *engine; // NULL: hone
    OrtFlags ort;
} EngineFlags;

extern const Option engine_options[];

// What opens models in ONNX Runtime, in the run's arena. ERR_USAGE for a chain of providers that is none.
MUST_CHECK Status ort_opener(CommandRun *run, const OrtFlags *flags, const PartsOpener **ret_opener, Error *err);

// The same as the flags say; NULL for hone. ERR_USAGE for options of hone's own engine beside another.
MUST_CHECK Status engine_choose(CommandRun *run, const EngineFlags *flags, const RuntimeFlags *runtime,
                                const PartsOpener **ret_opener, Error *err);

// ERR_USAGE naming the first option given that only hone's own engine has: for commands in which that engine does not
// run.
MUST_CHECK Status engine_own_refuse(const RuntimeFlags *flags, Error *err);
