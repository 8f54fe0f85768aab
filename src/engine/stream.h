// SPDX-License-Identifier: Apache-2.0
// Stream: many requests through an engine, answers in the order of the requests, however they finish.
//
//     Stream *stream;
//     TRY(stream_new(engine, 4 * batch, sink, &context, &stream, err));
//     for each request:
//         TRY(stream_push(stream, ids, count, &options, user, err));   // runs steps until there is room
//     TRY(stream_finish(stream, err));
//     stream_free(stream);
//
// Everything is copied, so the caller's buffers are free again after each call. One thread.
#pragma once

#include "engine/engine.h"

typedef struct Stream Stream;

// Called in order, once for each request; a failure ends the push or finish that was running with that failure.
typedef Status StreamSink(void *context, const Answer *answer, Error *err);

// At most `depth` requests are held at once: in flight, or finished and waiting for an earlier one.
MUST_CHECK Status stream_new(Engine *engine, size_t depth, StreamSink *sink, void *context, Stream **ret_stream,
                             Error *err);
void stream_free(Stream *stream);

// A request that the engine refuses is answered by its error in its place. `user` is handed to the sink.
MUST_CHECK Status stream_push(Stream *stream, const int32_t *ids, size_t count, const GenerationOptions *options,
                              void *user, Error *err);

// An answer that is an error already, in its place.
MUST_CHECK Status stream_push_error(Stream *stream, const Error *error, void *user, Error *err);

// Runs until every answer has gone to the sink.
MUST_CHECK Status stream_finish(Stream *stream, Error *err);
