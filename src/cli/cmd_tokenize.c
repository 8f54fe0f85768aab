// SPDX-License-Identifier: Apache-2.0
// hone tokenize: texts to ids, line by line.
#include "cli/lines.h"
#include "text/tokenizer.h"

typedef struct Settings {
    bool no_special;
    bool truncate;
} Settings;

typedef struct Tokenize {
    const Tokenizer *tokenizer;
    Encoder *encoder;
    EncodeOptions options;
} Tokenize;

static const Option options[] = {
    {"no-special", 0, NULL, "leave out what the post-processor adds", OPTION_FLAG, offsetof(Settings, no_special)},
    {"truncate", 0, NULL, "cut as the truncation block of tokenizer.json says", OPTION_FLAG,
     offsetof(Settings, truncate)},
    {0},
};

static Status answer_line(void *context, Arena *arena, const json_t *request, Buffer *answer, Error *err) {
    (void)arena;
    Tokenize *tokenize = context;
    const json_t *text = json_is_array(request) ? json_array_get(request, 0) : request;
    const json_t *pair = json_is_array(request) ? json_array_get(request, 1) : NULL;
    if (!json_is_string(text) || (json_is_array(request) && (json_array_size(request) != 2 || !json_is_string(pair))))
        return FAIL(err, ERR_FORMAT, "expected a JSON string, or an array of two strings");
    Encoding encoding = {0};
    TRY(encoder_encode(tokenize->encoder, json_string_value(text), json_string_length(text), json_string_value(pair),
                       json_string_length(pair), tokenize->options, &encoding, err));
    buffer_add_text(answer, "{\"ids\":[");
    for (size_t i = 0; i < encoding.count; i++)
        buffer_format(answer, i ? ",%d" : "%d", encoding.ids[i]);
    buffer_add_text(answer, "],\"tokens\":[");
    for (size_t i = 0; i < encoding.count; i++) {
        size_t bytes = 0;
        const char *token = tokenizer_token(tokenize->tokenizer, encoding.ids[i], &bytes);
        buffer_add_text(answer, i ? "," : "");
        if (token)
            buffer_add_json(answer, token, bytes);
        else
            buffer_add_text(answer, "null"); // a post-processor may add an id that has no token
    }
    buffer_add_text(answer, "]}");
    return buffer_status(answer, err);
}

static Status run_tokenize(CommandRun *run, Error *err) {
    const Settings *settings = run->settings;
    Tokenize tokenize = {.options = {.add_special = !settings->no_special}};
    TRY(tokenizer_open(run->arena, run->arguments[0], &tokenize.tokenizer, err));
    if (settings->truncate)
        tokenize.options.truncation = tokenizer_truncation(tokenize.tokenizer);
    TRY(encoder_new(tokenize.tokenizer, &tokenize.encoder, err));
    Status status = lines_serve(run, answer_line, &tokenize, err);
    encoder_free(tokenize.encoder);
    return status;
}

const Command command_tokenize = {
    .arguments = "MODEL",
    .least = 1,
    .most = 1,
    .help = "Reads JSON strings, or [TEXT, TEXT] for pairs, one a line, and answers {\"ids\":[...],\"tokens\":[...]}, "
            "tokens\n"
            "as the vocabulary spells them. MODEL is a model's folder, a folder of tokenizer files or a SentencePiece\n"
            ".model. Nothing is cut unless --truncate is given.\n",
    .settings_bytes = sizeof(Settings),
    .options = options,
    .run = run_tokenize,
};
