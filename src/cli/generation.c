// SPDX-License-Identifier: Apache-2.0
// From --no-repeat-ngram-size 3 to what {"no_repeat_ngram_size": 3} means in a request: one reader for both.
#include "cli/generation.h"

#include <string.h>

#define TEXT(index, option, argument, text)                                                                            \
    { option, 0, argument, text, OPTION_TEXT, offsetof(GenerationFlags, values) + (index) * sizeof(const char *) }

const Option generation_search_options[] = {
    TEXT(0, "max-new-tokens", "N", "generate at most N tokens"),
    TEXT(1, "min-new-tokens", "N", "generate at least N tokens"),
    TEXT(2, "max-length", "N", "the same with the start token counted"),
    TEXT(3, "min-length", "N", "the same with the start token counted"),
    TEXT(4, "num-beams", "N", "beams of the search; 1 is greedy"),
    TEXT(5, "length-penalty", "X", "beam scores are divided by length^X"),
    TEXT(6, "early-stopping", "true|false|never", "when a beam search ends"),
    TEXT(7, "no-repeat-ngram-size", "N", "no N tokens in a row occur twice"),
    TEXT(8, "encoder-no-repeat-ngram-size", "N", "no N tokens in a row are copied from the source"),
    TEXT(9, "repetition-penalty", "X", "scores of tokens already there are divided by X"),
    TEXT(10, "forced-bos-token-id", "ID", "the first token"),
    TEXT(11, "forced-eos-token-id", "ID", "the last token at the length limit"),
    TEXT(12, "bad-words-ids", "[[ID,...],...]", "token sequences that may not occur"),
    {0},
};

static const Option sampling_options[] = {
    TEXT(13, "temperature", "X", "sampling: logits are divided by X"),
    TEXT(14, "top-k", "N", "sampling: only the N best tokens"),
    TEXT(15, "top-p", "X", "sampling: only the best tokens of probability X together"),
    TEXT(16, "seed", "N", "sampling: the same seed gives the same tokens"),
    TEXT(17, "num-return-sequences", "N", "answers for each source"),
    {"do-sample", 0, NULL, "sample instead of taking the best token", OPTION_FLAG,
     offsetof(GenerationFlags, do_sample)},
    {0},
};

const Option generation_options[] = {
    {.kind = OPTION_TABLE, .table = generation_search_options},
    {.kind = OPTION_TABLE, .table = sampling_options},
    {0},
};

// The options of both tables by their number; NULL: no more.
static const Option *option_at(size_t index) {
    size_t searching = sizeof generation_search_options / sizeof(Option) - 1;
    const Option *option = index < searching ? &generation_search_options[index] : &sampling_options[index - searching];
    return option->name ? option : NULL;
}

static const char *option_text(const GenerationFlags *flags, size_t index, const Option *option) {
    return option->kind == OPTION_FLAG ? (flags->do_sample ? "true" : NULL) : flags->values[index];
}

// "no-repeat-ngram-size" -> "no_repeat_ngram_size".
static void member_name(const char *option, char *ret_name, size_t bytes) {
    snprintf(ret_name, bytes, "%s", option);
    for (char *c = ret_name; *c; c++)
        if (*c == '-')
            *c = '_';
}

static json_t *member_value(const char *option, const char *text) {
    if (strcmp(option, "early-stopping") == 0 && strcmp(text, "never") == 0)
        return json_string("never");
    return json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
}

Status generation_flags_apply(Arena *arena, const GenerationFlags *flags, GenerationOptions *options, Error *err) {
    GenerationOptions changed = *options;
    const Option *option;
    for (size_t i = 0; (option = option_at(i)); i++) {
        const char *text = option_text(flags, i, option);
        if (!text)
            continue;
        char member[64];
        member_name(option->name, member, sizeof member);
        json_t *value = member_value(option->name, text);
        if (!value)
            return FAIL(err, ERR_USAGE, "--%s is '%s', expected %s", option->name, text,
                        option->argument ? option->argument : "");
        json_t *object = json_object();
        if (!object || json_object_set_new(object, member, value) != 0) {
            json_decref(object);
            return FAIL(err, ERR_MEMORY, "no memory for option --%s", option->name);
        }
        Status status = generation_read(arena, object, "the command line", &changed, err);
        json_decref(object);
        if (status == ERR_FORMAT) // a wrong value here is wrong usage, not a bad file
            err->status = ERR_USAGE;
        if (status != OK)
            return err->status;
    }
    *options = changed;
    return OK;
}

static Status flags_change(const void *flags, Arena *arena, GenerationOptions *options, Error *err) {
    return generation_flags_apply(arena, flags, options, err);
}

Status generation_choose(Arena *arena, const GenerationFlags *flags, const Runtime *runtime, GenerationOptions *ret,
                         Error *err) {
    return generation_change(runtime->model, arena, flags_change, flags, ret, err);
}

void generation_flags_print(const GenerationFlags *flags, Buffer *out) {
    const Option *option;
    for (size_t i = 0; (option = option_at(i)); i++) {
        const char *text = option_text(flags, i, option);
        if (text)
            buffer_format(out, " --%s%s%s", option->name, option->kind == OPTION_FLAG ? "" : " ",
                          option->kind == OPTION_FLAG ? "" : text);
    }
}
