// SPDX-License-Identifier: Apache-2.0
// Fuzz target: what a hone.json says about running a model and of its evidence. What is accepted can be told, in one
// line.
#include <stdint.h>
#include <stdlib.h>

#include "base/memory.h"
#include "compress/evidence_summary.h"
#include "model/advice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(Buffer *text) {
    Error err;
    if (buffer_status(text, &err) != OK || !text->bytes || memchr(text->data, '\n', text->bytes))
        abort();
    buffer_clear(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    memory_init();
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    json_t *manifest;
    Buffer text = {0};
    if (json_parse(&arena, "fuzz", (Bytes){data, size}, true, &manifest, &err) == OK) {
        RuntimeAdvice advice;
        EvidenceSummary summary;
        if (advice_read(json_object_get(manifest, "runtime"), "fuzz", &advice, &err) == OK) {
            advice_print(&advice, &text);
            check_line(&text);
            json_decref(advice_json(&advice));
        }
        if (evidence_summarize(json_object_get(manifest, "evidence"), &summary, &err) == OK) {
            evidence_print(&summary, &text);
            check_line(&text);
        }
    }
    buffer_done(&text);
    arena_done(&arena);
    return 0;
}
