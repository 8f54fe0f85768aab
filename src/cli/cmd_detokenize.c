// SPDX-License-Identifier: Apache-2.0
// hone detokenize: ids to texts, line by line.
#include "cli/lines.h"
#include "text/tokenizer.h"

typedef struct Settings {
    bool keep_special;
} Settings;

typedef struct Detokenize {
    Encoder *encoder;
    Buffer text;
    DecodeOptions options;
} Detokenize;

static const Option options[] = {
    {"keep-special", 0, NULL, "write special tokens, too", OPTION_FLAG, offsetof(Settings, keep_special)},
    {0},
};

static Status answer_line(void *context, Arena *arena, const json_t *request, Buffer *answer, Error *err) {
    Detokenize *detokenize = context;
    size_t count = json_array_size(request);
    if (!json_is_array(request))
        return FAIL(err, ERR_FORMAT, "expected a JSON array of ids");
    int32_t *ids;
    TRY_NEW(ids = arena_array(arena, count, sizeof *ids, err));
    for (size_t i = 0; i < count; i++) {
        const json_t *id = json_array_get(request, i);
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > INT32_MAX)
            return FAIL(err, ERR_FORMAT, "element %zu is no id: expected an integer from 0 to %d", i, INT32_MAX);
        ids[i] = (int32_t)json_integer_value(id);
    }
    buffer_clear(&detokenize->text);
    TRY(encoder_decode(detokenize->encoder, ids, count, detokenize->options, &detokenize->text, err));
    buffer_add_json(answer, detokenize->text.data ? detokenize->text.data : "", detokenize->text.bytes);
    return buffer_status(answer, err);
}

static Status run_detokenize(CommandRun *run, Error *err) {
    const Settings *settings = run->settings;
    Detokenize detokenize = {0};
    const Tokenizer *tokenizer = NULL;
    TRY(tokenizer_open(run->arena, run->arguments[0], &tokenizer, err));
    TRY(encoder_new(tokenizer, &detokenize.encoder, err));
    detokenize.options =
        (DecodeOptions){.skip_special = !settings->keep_special, .clean_up = tokenizer_cleans_up(tokenizer)};
    Status status = lines_serve(run, answer_line, &detokenize, err);
    buffer_done(&detokenize.text);
    encoder_free(detokenize.encoder);
    return status;
}

const Command command_detokenize = {
    .arguments = "MODEL",
    .least = 1,
    .most = 1,
    .help =
        "Reads JSON arrays of ids, one a line, and answers with JSON strings. Special tokens are left out unless\n"
        "--keep-special is given; ids without a token are passed over. Spaces before punctuation are cleaned up only\n"
        "where tokenizer_config.json says so.\n",
    .settings_bytes = sizeof(Settings),
    .options = options,
    .run = run_detokenize,
};
