// SPDX-License-Identifier: Apache-2.0
// Answers piece by piece: what is new of the jobs' tokens becomes events, source by source.
#include <string.h>

#include "base/memory.h"
#include "serve/completion.h"
#include "serve/stops.h"

enum { TOKENS_AT_ONCE = 64 };

static size_t sequences_of(const Completion *completion) {
    return (size_t)completion->call.options.num_return_sequences;
}

static size_t index_of(const Completion *completion, size_t sequence) {
    return completion->teller.source * sequences_of(completion) + sequence;
}

static bool grows(const Completion *completion) {
    return completion->call.options.num_beams == 1 && sequences_of(completion) == 1;
}

// Bytes of the answer so far that can be told: all but what may become a stop.
static size_t certain(Completion *completion, bool complete) {
    Teller *teller = &completion->teller;
    const ApiCall *call = &completion->call;
    bool met = false;
    if (!call->stop_count)
        return teller->text.bytes;
    size_t end =
        stops_find(call->stops, call->stop_count, teller->text.data, teller->text.bytes, teller->sent, complete, &met);
    teller->stopped |= met;
    return end;
}

// Tells what is new of the text. TGI's clients count events: there each token is one, whatever it says.
static void tell_piece(Completion *completion, int32_t token, bool complete, Buffer *out) {
    Teller *teller = &completion->teller;
    size_t end = teller->text.bytes ? certain(completion, complete) : 0;
    bool tgi = completion->call.route->shape == API_TGI && !complete;
    if (end <= teller->sent && !tgi)
        return;
    const char *text = teller->text.data ? teller->text.data : "";
    api_stream_piece(&completion->call, &completion->meta, index_of(completion, 0), teller->taken, text + teller->sent,
                     end - teller->sent, token, out);
    teller->sent = end;
}

static Status take_tokens(Completion *completion, Job *job, Encoder *encoder, Buffer *out, Error *err) {
    Teller *teller = &completion->teller;
    int32_t ids[TOKENS_AT_ONCE];
    size_t count;
    detext_lend(teller->detext, encoder);
    while (!teller->stopped && (count = job_tokens(job, teller->taken, TOKENS_AT_ONCE, ids)))
        for (size_t i = 0; i < count && !teller->stopped; i++) {
            teller->taken++;
            TRY(detext_add(teller->detext, ids[i], &teller->text, err));
            tell_piece(completion, ids[i], false, out);
        }
    return OK;
}

static Status end_part(Completion *completion, Encoder *encoder, Buffer *out, Error *err) {
    Teller *teller = &completion->teller;
    const CompletionSource *source = &completion->sources[teller->source];
    detext_lend(teller->detext, encoder);
    TRY(detext_end(teller->detext, &teller->text, err));
    bool last = ++teller->part == source->source.part_count;
    if (!last)
        buffer_add_char(&teller->text, '\n');
    TRY(buffer_status(&teller->text, err));
    if (!teller->stopped)
        tell_piece(completion, 0, last, out);
    teller->taken = 0;
    return OK;
}

// An answer that did not grow is told whole.
static void tell_whole(Completion *completion, const ApiResult *result, Buffer *out) {
    for (size_t i = 0; i < result->sequence_count; i++) {
        const ApiSequence *sequence = &result->sequences[i];
        int32_t last = sequence->count ? sequence->ids[sequence->count - 1] : 0;
        if (sequence->bytes)
            api_stream_piece(&completion->call, &completion->meta, index_of(completion, i), sequence->count,
                             sequence->text, sequence->bytes, last, out);
    }
}

static Status end_source(Completion *completion, Buffer *out, Error *err) {
    Teller *teller = &completion->teller;
    CompletionSource *source = &completion->sources[teller->source];
    TRY(completion_result(completion, source, err));
    if (!grows(completion))
        tell_whole(completion, &source->result, out);
    for (size_t i = 0; i < source->result.sequence_count; i++)
        api_stream_finish(&completion->call, &completion->meta, index_of(completion, i), &source->result, out);
    teller->source++;
    teller->part = teller->sent = teller->taken = 0;
    teller->begun = teller->stopped = false;
    buffer_clear(&teller->text);
    return OK;
}

// A stop was met: what is still generated for this source is not wanted.
static void cancel_rest(const CompletionSource *source) {
    for (size_t i = 0; i < source->job_count; i++)
        job_cancel(source->jobs[i]);
}

// Goes on with the source in turn. *ret_waits: its jobs have to go on first.
static Status tell_source(Completion *completion, Encoder *encoder, Buffer *out, bool *ret_waits, Error *err) {
    Teller *teller = &completion->teller;
    CompletionSource *source = &completion->sources[teller->source];
    for (size_t i = 0; i < sequences_of(completion) && !teller->begun; i++)
        api_stream_begin(&completion->call, &completion->meta, index_of(completion, i), out);
    teller->begun = true;
    while (grows(completion) && encoder && teller->part < source->source.part_count && !teller->stopped) {
        Job *job = source->jobs[teller->part];
        JobView view;
        job_view(job, &view); // before its tokens are taken: a job that has ended has them all
        TRY(take_tokens(completion, job, encoder, out, err));
        if (teller->stopped)
            cancel_rest(source);
        *ret_waits = view.state <= JOB_RUNNING && !teller->stopped;
        if (*ret_waits)
            return OK;
        if (!teller->stopped)
            TRY(end_part(completion, encoder, out, err));
    }
    *ret_waits = !completion_source_ended(source);
    return *ret_waits ? OK : end_source(completion, out, err);
}

static Status tell_some(Completion *completion, Buffer *out, bool *ret_waits, Error *err) {
    Service *service = completion->visit->instance->service;
    const Tokenizer *tokenizer = model_tokenizer(service_model(service));
    Encoder *encoder = NULL;
    if (tokenizer) {
        TRY_NEW(encoder = service_encoder_take(service, err));
        if (!completion->teller.detext && detext_new(tokenizer, encoder, &completion->teller.detext, err) != OK) {
            service_encoder_give(service, encoder);
            return err->status;
        }
    }
    Status status = OK;
    *ret_waits = false;
    while (status == OK && !*ret_waits && completion->teller.source < completion->source_count)
        status = tell_source(completion, encoder, out, ret_waits, err);
    if (encoder)
        service_encoder_give(service, encoder);
    return status;
}

Status completion_follow(Completion *completion, bool *ret_waits, Error *err) {
    Buffer untold = {0};
    Status status = tell_some(completion, &untold, ret_waits, err);
    buffer_done(&untold);
    return status;
}

StreamState completion_tell(void *context, Buffer *out) {
    Completion *completion = context;
    Error error;
    bool waits;
    if (tell_some(completion, out, &waits, &error) != OK) {
        completion->failure = error;
        completion_cancel_jobs(completion);
        api_stream_error(completion->visit->route, api_status(error.status), error.message, out);
        return STREAM_END;
    }
    if (waits)
        return STREAM_WAIT;
    ApiResult *results = arena_array(&completion->visit->arena, completion->source_count, sizeof *results, &error);
    if (!results)
        return STREAM_ABORT;
    for (size_t i = 0; i < completion->source_count; i++)
        results[i] = completion->sources[i].result;
    api_stream_end(&completion->call, &completion->meta, results, out);
    completion->ended = true;
    return STREAM_END;
}
