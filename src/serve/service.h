// SPDX-License-Identifier: Apache-2.0
// Service: one model being served: its runtime, and the thread that steps the engine. Jobs come in from any thread and
// are told about as they go on; nothing here knows HTTP.
//
//     TRY(service_new("models/bart", &settings, metrics, &service, err));      // loads and warms up
//     TRY(service_reserve(service, tokens, err));                             // room in the queue, before any work
//     TRY(service_submit(service, &spec, &job, err));                         // takes over what was reserved
//     ... spec.changed is called; job_view, job_tokens, job_sequences ...
//     job_release(job);
//     service_free(service);
#pragma once

#include "engine/runtime.h"
#include "measure/find_batch.h"
#include "serve/metrics.h"
#include "serve/profile.h"

typedef struct Service Service;
typedef struct Job Job;

typedef struct ServiceSettings {
    RuntimeSettings runtime;   // `batch` of it is not used
    size_t most_running;       // requests that are encoded and decoded at once (--max-batch-size); 0: 64
    size_t most_source_tokens; // of one encode batch (--max-batch-tokens); 0: the engine's choice
    uint64_t queue_delay_ns;   // how long a busy engine waits to fill a batch (--max-queue-delay)
    uint64_t step_target_ns;   // time per token that no batch may exceed (--target-p99); 0: any
    size_t most_queued;        // jobs that wait (--max-queue); 0: 1024
    size_t most_queued_tokens; // sources and outputs of those that wait; 0: any number
    size_t memory_limit_bytes; // of weights, activations and K/V together with `memory_base_bytes`; 0: none
    size_t memory_base_bytes;  // what the rest of the process may take
    size_t memory_held_bytes;  // what the models that are loaded take, those that a reload replaces with them
    bool tunes;                // find most_running by measuring, up to what is given (--tune)
    size_t cached_sources;     // whose K/V may stay for another request with the same source
} ServiceSettings;

typedef enum JobState { JOB_QUEUED, JOB_RUNNING, JOB_DONE, JOB_FAILED } JobState;

typedef struct JobSpec {
    const int32_t *ids; // copied
    size_t count;
    GenerationOptions options; // what it points to is copied
    int priority;              // 0 most urgent .. 9
    uint64_t tenant;           // whose share it takes; requests of one priority are fair between tenants
    uint64_t salt;             // encoded sources are shared within one salt
    uint64_t deadline_ns;      // clock_ns; 0: none
    size_t reserved_tokens;    // of service_reserve; 0: nothing was reserved
    bool streams;              // `changed` is called for new tokens too, not for the end alone
    // Called on the engine's thread until job_release; it may not block, nor call any function of the job.
    void (*changed)(void *context);
    void *context;
} JobSpec;

// What can be read of a job at any time, from any thread.
typedef struct JobView {
    JobState state;
    Error error;        // JOB_FAILED: ERR_INTERRUPTED where it was cancelled, ERR_LATE, ..
    size_t token_count; // so far, where the answer is one sequence that only grows
    AnswerTimes times;
} JobView;

// ERR_LIMIT where model and K/V for one request do not fit the memory limit; else as opening and running a model.
MUST_CHECK Status service_new(const char *path, const ServiceSettings *settings, Metrics *metrics,
                              Service **ret_service, Error *err);
// What is left is cancelled. No job may be released later.
void service_free(Service *service);

// Another one takes its place: it ends what it has and leaves the gauges of the metrics alone.
void service_retire(Service *service);

const ModelInfo *service_info(const Service *service);
const Model *service_model(const Service *service);
const ServiceSettings *service_settings(const Service *service); // as it runs: defaults filled in
SessionMemory service_memory(const Service *service);
// What was measured where the service tunes; NULL: nothing was.
const BatchCurve *service_curve(const Service *service);

// Encoders for the threads that make ids of texts: taken, used, given back. NULL: there is no tokenizer, or no memory.
Encoder *service_encoder_take(Service *service, Error *err);
void service_encoder_give(Service *service, Encoder *encoder);

// Room in the queue for one job of about `tokens`, source and output. ERR_BUSY: the queue is full. What was reserved
// and does not become a job is given back by service_unreserve.
MUST_CHECK Status service_reserve(Service *service, size_t tokens, Error *err);
void service_unreserve(Service *service, size_t tokens);
bool service_is_full(const Service *service); // no request would have room now

// The caller owns one reference. Where it fails nothing is reserved any more. request_check's errors.
MUST_CHECK Status service_submit(Service *service, const JobSpec *spec, Job **ret_job, Error *err);
void job_cancel(Job *job); // within one step; `changed` is called once more
void job_release(Job *job);

void job_view(Job *job, JobView *ret);
// Copies tokens [from, token_count) of the sequence that grows, at most `most`; returns how many.
size_t job_tokens(Job *job, size_t from, size_t most, int32_t *ret_ids);
// The answer of a job that is JOB_DONE; lives until job_release.
const Sequence *job_sequences(const Job *job, size_t *ret_count);

// When the engine's thread was last seen alive, by clock_ns: at least twice a second, steps aside.
uint64_t service_heartbeat_ns(const Service *service);
// How the engine is doing, as of its last step.
EngineLoad service_load(Service *service);
// How long a request that came now would wait for its turn.
uint64_t service_wait_ns(Service *service);
// Jobs that were submitted and have not ended.
size_t service_pending(const Service *service);

// Where time went, as of the last second (serve/profile.h); returns the number of rows.
size_t service_profile(Service *service, ProfileRow ret_rows[PROFILE_MOST_ROWS]);
