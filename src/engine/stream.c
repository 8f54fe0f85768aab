// SPDX-License-Identifier: Apache-2.0
// A ring of places, oldest first. Each place owns copies of its request's ids and, once done, of its answer.
#include "engine/stream.h"

#include <string.h>

#include "base/memory.h"

typedef struct Place {
    Stream *stream;
    void *user;
    bool done, failed;
    Error error;
    int32_t *ids; // the request's, then the answer's sequences one after another
    size_t id_capacity;
    Sequence *sequences;
    size_t sequence_count, sequence_capacity;
    Arena arena; // the request's bad words
} Place;

struct Stream {
    Engine *engine;
    StreamSink *sink;
    void *context;
    Place *places;
    size_t depth, first, count;
};

Status stream_new(Engine *engine, size_t depth, StreamSink *sink, void *context, Stream **ret_stream, Error *err) {
    Stream *stream = memory_new(1, sizeof *stream, err);
    TRY_NEW(stream);
    *stream = (Stream){.engine = engine, .sink = sink, .context = context, .depth = depth};
    if (!(stream->places = memory_new(depth, sizeof *stream->places, err))) {
        memory_free(stream);
        return err->status;
    }
    for (size_t i = 0; i < depth; i++)
        stream->places[i] = (Place){.stream = stream};
    *ret_stream = stream;
    return OK;
}

void stream_free(Stream *stream) {
    if (!stream)
        return;
    for (size_t i = 0; i < stream->depth; i++) {
        memory_free(stream->places[i].ids);
        memory_free(stream->places[i].sequences);
        arena_done(&stream->places[i].arena);
    }
    memory_free(stream->places);
    memory_free(stream);
}

static Status place_room(Place *place, size_t ids, size_t sequences, Error *err) {
    if (ids > place->id_capacity) {
        int32_t *grown = memory_resize(place->ids, ids, sizeof *grown, err);
        TRY_NEW(grown);
        place->ids = grown;
        place->id_capacity = ids;
    }
    if (sequences > place->sequence_capacity) {
        Sequence *grown = memory_resize(place->sequences, sequences, sizeof *grown, err);
        TRY_NEW(grown);
        place->sequences = grown;
        place->sequence_capacity = sequences;
    }
    return OK;
}

static Status answer_copy(Place *place, const Answer *answer, Error *err) {
    size_t total = 0, used = 0;
    for (size_t i = 0; i < answer->sequence_count; i++)
        total += answer->sequences[i].count;
    TRY(place_room(place, total, answer->sequence_count, err));
    for (size_t i = 0; i < answer->sequence_count; i++) {
        place->sequences[i] = answer->sequences[i];
        place->sequences[i].ids = place->ids + used;
        memcpy(place->ids + used, answer->sequences[i].ids, answer->sequences[i].count * sizeof *place->ids);
        used += answer->sequences[i].count;
    }
    place->sequence_count = answer->sequence_count;
    return OK;
}

static void place_fail(Place *place, const Error *error) {
    place->error = *error;
    place->failed = place->done = true;
}

static void on_done(void *context, const Answer *answer) {
    (void)context;
    Place *place = answer->user;
    Error error;
    if (answer->error)
        place_fail(place, answer->error);
    else if (answer_copy(place, answer, &error) != OK)
        place_fail(place, &error);
    place->done = true;
}

// Hands over every finished answer at the head of the ring.
static Status deliver(Stream *stream, Error *err) {
    while (stream->count && stream->places[stream->first].done) {
        Place *place = &stream->places[stream->first];
        Answer answer = {place->user, place->sequences, place->sequence_count, place->failed ? &place->error : NULL};
        stream->first = (stream->first + 1) % stream->depth;
        stream->count--;
        TRY(stream->sink(stream->context, &answer, err));
    }
    return OK;
}

static Status step(Stream *stream, Error *err) {
    engine_step(stream->engine, on_done, stream);
    return deliver(stream, err);
}

// An empty place at the end of the ring.
static Status place_take(Stream *stream, void *user, Place **ret_place, Error *err) {
    while (stream->count == stream->depth)
        TRY(step(stream, err));
    Place *place = &stream->places[(stream->first + stream->count) % stream->depth];
    place->user = user;
    place->done = place->failed = false;
    place->sequence_count = 0;
    stream->count++;
    *ret_place = place;
    return OK;
}

Status stream_push(Stream *stream, const int32_t *ids, size_t count, const GenerationOptions *options, void *user,
                   Error *err) {
    Place *place;
    Error error;
    TRY(place_take(stream, user, &place, err));
    GenerationOptions own = *options;
    arena_reset(&place->arena);
    Status status = place_room(place, count, 0, &error);
    if (status == OK)
        status = bad_words_copy(&place->arena, &own.bad_words, &error);
    if (status == OK) {
        if (count)
            memcpy(place->ids, ids, count * sizeof *ids);
        while (!engine_has_room(stream->engine))
            TRY(step(stream, err));
        Request request = {place->ids, count, own, place};
        status = engine_submit(stream->engine, &request, &error);
    }
    if (status != OK)
        place_fail(place, &error);
    return deliver(stream, err);
}

Status stream_push_error(Stream *stream, const Error *error, void *user, Error *err) {
    Place *place;
    TRY(place_take(stream, user, &place, err));
    place_fail(place, error);
    return deliver(stream, err);
}

Status stream_finish(Stream *stream, Error *err) {
    while (stream->count)
        TRY(step(stream, err));
    return OK;
}
