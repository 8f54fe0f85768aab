// SPDX-License-Identifier: Apache-2.0
// Jobs: made with everything that their answer will need, read by whoever submitted them.
#include "serve/job.h"

#include <string.h>

#include "base/memory.h"

void job_drop(Job *job) {
    pthread_mutex_lock(&job->lock);
    bool last = --job->owners == 0;
    pthread_mutex_unlock(&job->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&job->lock);
    arena_done(&job->arena);
    memory_free(job);
}

void job_release(Job *job) {
    if (!job)
        return;
    pthread_mutex_lock(&job->lock);
    job->spec.changed = NULL;
    pthread_mutex_unlock(&job->lock);
    job_drop(job);
}

void job_tell(Job *job) {
    if (job->spec.changed)
        job->spec.changed(job->spec.context);
}

// Everything an answer will need is taken here, so that a job that began never fails for want of memory.
static Status job_fill(Job *job, const JobSpec *spec, Error *err) {
    Arena *arena = &job->arena;
    size_t most_new = (size_t)generation_max_length(&spec->options) - 1;
    size_t sequences = (size_t)spec->options.num_return_sequences;
    job->spec = *spec;
    int32_t *ids = arena_array(arena, spec->count, sizeof *ids, err);
    TRY_NEW(ids);
    memcpy(ids, spec->ids, spec->count * sizeof *ids);
    job->spec.ids = ids;
    TRY(bad_words_copy(arena, &job->spec.options.bad_words, err));
    TRY_NEW(job->tokens = arena_array(arena, most_new * sequences, sizeof *job->tokens, err));
    TRY_NEW(job->sequences = arena_array(arena, sequences, sizeof *job->sequences, err));
    return OK;
}

Request job_request(Job *job) {
    const JobSpec *spec = &job->spec;
    return (Request){.ids = spec->ids,
                     .count = spec->count,
                     .options = spec->options,
                     .user = job,
                     .priority = spec->priority,
                     .tenant = spec->tenant,
                     .salt = spec->salt,
                     .deadline_ns = spec->deadline_ns};
}

Status job_make(Service *service, const ModelInfo *info, const JobSpec *spec, Job **ret_job, Error *err) {
    Request request = {.ids = spec->ids, .count = spec->count, .options = spec->options};
    TRY(request_check(&request, info->most_positions, info->vocabulary, err));
    Job *job = memory_new(1, sizeof *job, err);
    TRY_NEW(job);
    *job = (Job){.service = service, .owners = 2};
    pthread_mutex_init(&job->lock, NULL);
    arena_init(&job->arena, 0);
    Status status = job_fill(job, spec, err);
    if (status != OK) {
        job->owners = 1;
        job_drop(job);
        return status;
    }
    *ret_job = job;
    return OK;
}

void job_view(Job *job, JobView *ret) {
    pthread_mutex_lock(&job->lock);
    *ret = (JobView){.state = job->state, .token_count = job->token_count, .times = job->times};
    if (job->state == JOB_FAILED)
        ret->error = job->error;
    pthread_mutex_unlock(&job->lock);
}

size_t job_tokens(Job *job, size_t from, size_t most, int32_t *ret_ids) {
    pthread_mutex_lock(&job->lock);
    size_t count = from < job->token_count ? job->token_count - from : 0;
    count = count < most ? count : most;
    memcpy(ret_ids, job->tokens + from, count * sizeof *ret_ids);
    pthread_mutex_unlock(&job->lock);
    return count;
}

const Sequence *job_sequences(const Job *job, size_t *ret_count) {
    *ret_count = job->sequence_count;
    return job->sequences;
}
