// SPDX-License-Identifier: Apache-2.0
#include "cli/ort_flags.h"

#include <stdlib.h>
#include <string.h>

const Option ort_options[] = {
    {"ort-library", 0, "FILE", "ONNX Runtime's library (default: $HONE_ORT, else the usual places)", OPTION_TEXT,
     offsetof(OrtFlags, library)},
    {"ort-graph-level", 0, "N", "its graph optimizations: none, basic, extended, all (default: 99)", OPTION_TEXT,
     offsetof(OrtFlags, graph_level), .choices = "0|1|2|99"},
    {"ort-providers", 0, "A,B", "where it runs, best first, as in tensorrt,cuda:device_id=0,cpu (default: cpu)",
     OPTION_TEXT, offsetof(OrtFlags, providers)},
    {"ort-intra-threads", 0, "N", "its threads within an operator (default: --threads)", OPTION_INT,
     offsetof(OrtFlags, intra_threads), .low = 1, .high = 1024},
    {"ort-inter-threads", 0, "N", "its threads over operators", OPTION_INT, offsetof(OrtFlags, inter_threads), .low = 1,
     .high = 1024},
    {"ort-no-arena", 0, NULL, "its memory without an arena", OPTION_FLAG, offsetof(OrtFlags, no_arena)},
    {"ort-no-pattern", 0, NULL, "no planning of its memory by the first run", OPTION_FLAG,
     offsetof(OrtFlags, no_pattern)},
    {"ort-no-spinning", 0, NULL, "its threads sleep between operators", OPTION_FLAG, offsetof(OrtFlags, no_spinning)},
    {0},
};

Status ort_flags_settings(const CommandRun *run, const OrtFlags *flags, OrtSettings *ret, Error *err) {
    if (ort_providers_check(flags->providers, err) != OK)
        return error_context(err, "--ort-providers");
    *ret = (OrtSettings){
        .graph_level = flags->graph_level ? (int)strtol(flags->graph_level, NULL, 10) : 99,
        .intra_threads = flags->intra_threads ? (int)flags->intra_threads : run->common.threads,
        .inter_threads = (int)flags->inter_threads,
        .no_arena = flags->no_arena,
        .no_pattern = flags->no_pattern,
        .no_spinning = flags->no_spinning,
        .rests_after_run = flags->takes_turns,
        .providers = flags->providers,
    };
    return OK;
}

void ort_notes_tell(const CommandRun *run, const char *notes) {
    for (const char *note = notes; *note && !run->common.quiet;) {
        size_t bytes = strcspn(note, "\n") + 1; // each line ends in one
        fprintf(stderr, "hone: %.*s", (int)bytes, note);
        note += bytes;
    }
}
