// SPDX-License-Identifier: Apache-2.0
// Service: one model being served: its runtime, and the thread that steps the engine. Jobs come in from any thread and
// are told about as they go on; nothing here knows HTTP.
#pragma once

#include "engine/runtime.h"
#include "serve/metrics.h"

typedef struct Service Service;
typedef struct Job Job;

typedef struct ServiceSettings {
    RuntimeSettings runtime;
    size_t most_requests;         // in flight in the engine (--max-batch-size)
    size_t most_source_tokens;    // of one encode step (--max-batch-tokens)
    uint64_t queue_delay_ns;      // how long an idle-less engine may wait to fill a batch (--max-queue-delay)
    size_t most_queued;           // jobs that wait (--max-queue)
    size_t most_queued_tokens;    // of theirs, sources and outputs
    size_t kv_bytes;              // of the K/V pages; 0: the engine's choice
    size_t encoder_cache_entries; // sources whose cross K/V may stay for the next same one
} ServiceSettings;

typedef enum JobState { JOB_QUEUED, JOB_RUNNING, JOB_DONE, JOB_FAILED, JOB_CANCELLED } JobState;

typedef struct JobSpec {
    const int32_t *ids; // copied
    size_t count;
    GenerationOptions options; // what it points to is copied
    int priority;              // 0 most urgent .. 9
    uint64_t tenant;           // of the API key; 0: none. Shares of one priority are fair between tenants
    uint64_t salt;             // the encoder cache is shared only within one salt
    uint64_t deadline_ns;      // clock_ns; 0: none
    // Called on the engine's thread after a step that changed the job: more tokens, or the end. Must not block.
    void (*changed)(void *context);
    void *context;
} JobSpec;

// What can be read of a job at any time, from any thread.
typedef struct JobView {
    JobState state;
    Error error;          // JOB_FAILED
    size_t token_count;   // of a sequence that is streamed (greedy or one sample), so far
    uint64_t queued_ns, started_ns, encoded_ns, first_token_ns, ended_ns; // clock_ns; 0: not yet
} JobView;

MUST_CHECK Status service_new(const char *path, const char *name, const ServiceSettings *settings, Metrics *metrics,
                              Service **ret_service, Error *err);
void service_free(Service *service); // cancels what is left

const ModelInfo *service_info(const Service *service);
const Runtime *service_runtime(const Service *service);

// ERR_LIMIT: the queue is full; request_check's errors. The caller holds a reference until job_release.
MUST_CHECK Status service_submit(Service *service, const JobSpec *spec, Job **ret_job, Error *err);
void job_cancel(Job *job); // within one step; `changed` is called once more
void job_release(Job *job);

void job_view(const Job *job, JobView *ret);
// Copies tokens [from, token_count) of the streamed sequence, at most `most`; returns how many.
size_t job_tokens(const Job *job, size_t from, size_t most, int32_t *ret_ids);
// The answer of a job that is JOB_DONE; lives until job_release.
const Sequence *job_sequences(const Job *job, size_t *ret_count);
