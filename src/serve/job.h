// SPDX-License-Identifier: Apache-2.0
// Job: one request on its way through a service. Two own it: who has submitted it, and the engine's thread until its
// end. Inside the service only; serve/service.h has what others see.
#pragma once

#include <pthread.h>

#include "serve/service.h"

struct Job {
    Service *service;
    pthread_mutex_t lock; // of everything below that changes
    JobSpec spec;
    Arena arena; // ids and bad words
    JobState state;
    Error error;
    int32_t *tokens; // [max new tokens]
    size_t token_count;
    Sequence *sequences;
    size_t sequence_count;
    AnswerTimes times;
    uint64_t told_ns;     // its last token
    size_t queued_tokens; // that it holds in the queue; 0 once it has joined
    int owners;
    bool cancelled;
    Job *next;           // in the inbox
    Job *next_cancelled; // in the list of those
};

// With copies of what the spec points to, owned once by each; it is not queued yet. request_check's errors, ERR_MEMORY.
MUST_CHECK Status job_make(Service *service, const ModelInfo *info, const JobSpec *spec, Job **ret_job, Error *err);

// One owner less; without any it is gone.
void job_drop(Job *job);

// With the lock held: calls `changed`, unless who has submitted the job has released it.
void job_tell(Job *job);

// The request that the engine gets; its `user` is the job.
Request job_request(Job *job);
