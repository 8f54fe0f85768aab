// SPDX-License-Identifier: Apache-2.0
// Fuzz target: one line of JSON as every command that reads lines takes it: generation options by their Hugging Face
// names, as a request's and as a config's members, and a row of data.
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/memory.h"
#include "measure/data.h"
#include "model/generation.h"
#include "model/quantization.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Whatever was accepted must be inside what the engine takes.
static void check_options(const GenerationOptions *options) {
    Error err;
    if (generation_check(options, 1000, &err) != OK)
        return;
    if (options->num_beams < 1 || options->num_return_sequences < 1 || generation_max_length(options) < 1)
        abort();
    for (size_t i = 0; i < options->bad_words.count; i++)
        if (!options->bad_words.lengths[i] || !options->bad_words.sequences[i])
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    memory_init();
    Error err;
    Arena arena;
    arena_init(&arena, 64 << 20);
    json_t *value;
    Bytes line = {data, size};
    if (json_parse(&arena, "line 1", line, false, &value, &err) == OK && json_is_object(value)) {
        GenerationOptions options = generation_defaults();
        if (generation_read(&arena, value, "line 1", &options, &err) == OK)
            check_options(&options);
        options = generation_defaults();
        if (generation_read_config(&arena, value, "line 1", &options, &err) == OK)
            check_options(&options);
        const char *quantization = NULL;
        if (quantization_check(value, "line 1", &quantization, &err) == OK && !quantization)
            abort();
    }
    DataRow row;
    if (data_row_parse(&arena, "line 1", line, true, &row, &err) == OK && !row.source && !row.ids)
        abort();
    arena_done(&arena);
    return 0;
}
