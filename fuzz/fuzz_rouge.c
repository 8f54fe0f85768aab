// SPDX-License-Identifier: Apache-2.0
// Fuzz target: one request line of `hone rouge`, scored with every type by all three tokenizers. Whatever the line,
// scores lie in [0, 1] and print as JSON.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/memory.h"
#include "measure/rouge_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_share(double value) {
    return value >= 0 && value <= 1;
}

static void score_line(Bytes line, const RougeOptions *options, Arena *arena) {
    Error err;
    json_t *request = NULL;
    RougeScore scores[ROUGE_TYPES_MOST];
    RougeScorer *scorer = rouge_new(options, &err);
    if (scorer && json_parse(arena, "line", line, true, &request, &err) == OK &&
        rouge_request_score(scorer, arena, request, scores, &err) == OK) {
        Buffer text = {0};
        json_t *answer = NULL;
        for (size_t k = 0; k < options->type_count; k++)
            if (!is_share(scores[k].precision) || !is_share(scores[k].recall) || !is_share(scores[k].fmeasure))
                abort();
        rouge_scores_print(options, scores, &text);
        if (buffer_status(&text, &err) == OK &&
            json_parse(arena, "answer", (Bytes){(const unsigned char *)text.data, text.bytes}, false, &answer, &err) ==
                ERR_FORMAT)
            abort();
        buffer_done(&text);
    }
    rouge_free(scorer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    memory_init();
    Error err;
    for (unsigned t = 0; t < ROUGE_TOKENIZER_COUNT; t++) {
        RougeOptions options = {.stem = t != ROUGE_TOKENS_CHAR, .tokenizer = (RougeTokenizer)t};
        if (rouge_types_parse("rougeLsum,rougeL,rouge9,rouge3,rouge2,rouge1", &options, &err) != OK)
            abort();
        Arena arena;
        arena_init(&arena, 0);
        score_line((Bytes){data, size}, &options, &arena);
        arena_done(&arena);
    }
    return 0;
}
