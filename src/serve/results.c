// SPDX-License-Identifier: Apache-2.0
#include "serve/results.h"

#include <math.h>
#include <string.h>

#include "serve/stops.h"

typedef struct Making {
    Arena *arena;
    Encoder *encoder;
    DecodeOptions options;
    const ApiCall *call;
    const PartAnswer *answers;
    size_t part_count;
} Making;

static Status texts_join(const Making *making, size_t index, Buffer *text, Error *err) {
    for (size_t i = 0; i < making->part_count; i++) {
        const Sequence *sequence = &making->answers[i].sequences[index];
        if (i)
            buffer_add_char(text, '\n');
        TRY(encoder_decode(making->encoder, sequence->ids, sequence->count, making->options, text, err));
    }
    return buffer_status(text, err);
}

static Status text_make(const Making *making, size_t index, ApiSequence *ret, Error *err) {
    const ApiCall *call = making->call;
    Buffer text = {0};
    Status status = texts_join(making, index, &text, err);
    const char *data = text.data ? text.data : "";
    size_t bytes = text.bytes;
    if (status == OK && call->stop_count) {
        bool met;
        size_t end = stops_find(call->stops, call->stop_count, data, bytes, 0, true, &met);
        bytes = met ? end : bytes;
        ret->finish = met ? API_STOP_TEXT : ret->finish;
    }
    char *copy = status == OK ? arena_copy_text(making->arena, data, bytes, err) : NULL;
    buffer_done(&text);
    TRY(status);
    TRY_NEW(copy);
    ret->text = copy;
    ret->bytes = bytes;
    return OK;
}

// The index-th sequence of every part, one after another. It ended by length if one of them did.
static Status sequence_make(const Making *making, size_t index, ApiSequence *ret, Error *err) {
    ApiSequence made = {.finish = API_STOP, .score = NAN};
    for (size_t i = 0; i < making->part_count; i++)
        made.count += making->answers[i].sequences[index].count;
    int32_t *ids = arena_array(making->arena, made.count, sizeof *ids, err);
    TRY_NEW(ids);
    made.ids = ids;
    for (size_t i = 0; i < making->part_count; i++) {
        const Sequence *sequence = &making->answers[i].sequences[index];
        if (sequence->count)
            memcpy(ids, sequence->ids, sequence->count * sizeof *ids);
        ids += sequence->count;
        if (sequence->finish == FINISH_LENGTH)
            made.finish = API_LENGTH;
        if (making->part_count == 1)
            made.score = sequence->score;
    }
    if (making->encoder)
        TRY(text_make(making, index, &made, err));
    *ret = made;
    return OK;
}

Status result_make(Arena *arena, const Tokenizer *tokenizer, Encoder *encoder, const ApiCall *call,
                   const ApiSource *source, const PartAnswer *answers, ApiResult *ret, Error *err) {
    Making making = {
        .arena = arena, .encoder = encoder, .call = call, .answers = answers, .part_count = source->part_count};
    making.options = (DecodeOptions){.skip_special = true, .clean_up = encoder && tokenizer_cleans_up(tokenizer)};
    size_t count = answers[0].count;
    for (size_t i = 1; i < source->part_count; i++)
        count = answers[i].count < count ? answers[i].count : count;
    ApiSequence *sequences = arena_array(arena, count, sizeof *sequences, err);
    TRY_NEW(sequences);
    for (size_t i = 0; i < count; i++)
        TRY(sequence_make(&making, i, &sequences[i], err));
    *ret = (ApiResult){.sequences = sequences,
                       .sequence_count = count,
                       .source_tokens = source->tokens,
                       .chunks = source->part_count,
                       .truncated = source->truncated,
                       .timings.total_ms = NAN};
    return OK;
}
