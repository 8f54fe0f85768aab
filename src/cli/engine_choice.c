// SPDX-License-Identifier: Apache-2.0
#include "cli/engine_choice.h"

#include <string.h>

#include "exec/ort_seq2seq.h"

const Option engine_options[] = {
    {"engine", 0, "NAME", "what runs the model: hone (the default) or ort, ONNX Runtime on a folder of ONNX files",
     OPTION_TEXT, offsetof(EngineFlags, engine), .choices = "hone|ort"},
    {.kind = OPTION_TABLE, .table = ort_options, .offset = offsetof(EngineFlags, ort)},
    {0},
};

const char *engine_kind_name(EngineKind kind) {
    return kind == ENGINE_ORT ? "ort" : "hone";
}

Status engine_kinds_parse(const char *text, EngineKind ret_kinds[ENGINE_KINDS], size_t *ret_count, Error *err) {
    size_t count = 0;
    for (const char *at = text ? text : "hone";; at++) {
        size_t bytes = strcspn(at, ",");
        EngineKind kind = 0;
        while (kind < ENGINE_KINDS &&
               !(strlen(engine_kind_name(kind)) == bytes && memcmp(engine_kind_name(kind), at, bytes) == 0))
            kind++;
        if (kind == ENGINE_KINDS || (count && ret_kinds[0] == kind) || count == ENGINE_KINDS)
            return FAIL(err, ERR_USAGE, "--engine is '%s', expected hone, ort or hone,ort", text);
        ret_kinds[count++] = kind;
        at += bytes;
        if (!*at)
            break;
    }
    *ret_count = count;
    return OK;
}

// What an opener needs when it is called.
typedef struct OrtOpening {
    const CommandRun *run;
    const OrtFlags *flags;
    PartsOpener opener;
} OrtOpening;

static Status open_parts(const void *context, const char *path, size_t vocabulary, Seq2seq **ret_parts, Error *err) {
    const OrtOpening *opening = context;
    OrtSettings settings;
    const char *notes;
    TRY(ort_flags_settings(opening->run, opening->flags, &settings, err));
    TRY(ort_seq2seq_open(opening->flags->library, path, &settings, vocabulary, ret_parts, &notes, err));
    ort_notes_tell(opening->run, notes);
    return OK;
}

Status ort_opener(CommandRun *run, const OrtFlags *flags, const PartsOpener **ret_opener, Error *err) {
    OrtSettings checked; // wrong usage is told before any model is opened
    TRY(ort_flags_settings(run, flags, &checked, err));
    OrtOpening *opening = arena_array(run->arena, 1, sizeof *opening, err);
    TRY_NEW(opening);
    *opening = (OrtOpening){.run = run, .flags = flags};
    opening->opener = (PartsOpener){open_parts, opening};
    *ret_opener = &opening->opener;
    return OK;
}

Status engine_own_refuse(const RuntimeFlags *flags, Error *err) {
    const char *given = flags->kv_type           ? "kv-type"
                        : flags->lm_head_screen  ? "lm-head-screen"
                        : flags->lookup_decoding ? "lookup-decoding"
                        : flags->engine_cache    ? "engine-cache"
                                                 : NULL;
    return given ? FAIL(err, ERR_USAGE, "--%s is for hone's own engine: leave it out with --engine ort", given) : OK;
}

Status engine_choose(CommandRun *run, const EngineFlags *flags, const RuntimeFlags *runtime,
                     const PartsOpener **ret_opener, Error *err) {
    *ret_opener = NULL;
    if (!flags->engine || strcmp(flags->engine, engine_kind_name(ENGINE_ORT)) != 0)
        return OK;
    TRY(engine_own_refuse(runtime, err));
    return ort_opener(run, &flags->ort, ret_opener, err);
}
