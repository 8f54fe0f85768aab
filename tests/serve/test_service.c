// SPDX-License-Identifier: Apache-2.0
// A service without HTTP: jobs from several threads, cancelled, released early, refused; memory that runs out; limits.
#include "serve/service.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/random.h"
#include "check.h"

enum { WAIT_S = 60, SOURCE = 40 };

typedef struct Waiter {
    atomic_int changes;
} Waiter;

static void on_change(void *context) {
    atomic_fetch_add(&((Waiter *)context)->changes, 1);
}

static const char *demo_model(void) {
    static char path[512];
    snprintf(path, sizeof path, "%s/demo/model", getenv("HONE_SOURCE"));
    return path;
}

static Metrics *metrics;

static Service *service_open(ServiceSettings settings) {
    Service *service = NULL;
    Error err;
    settings.runtime.threads = 1;
    settings.runtime.level = cpu_detect();
    CHECK_OK(metrics_new("demo", &metrics, &err));
    CHECK_OK(service_new(demo_model(), &settings, metrics, &service, &err));
    return service;
}

static void service_close(Service *service) {
    service_free(service);
    metrics_free(metrics);
}

static JobSpec spec_of(const Service *service, const int32_t ids[SOURCE], int64_t new_tokens, Waiter *waiter) {
    JobSpec spec = {.ids = ids,
                    .count = SOURCE,
                    .options = *model_generation(service_model(service)),
                    .changed = on_change,
                    .context = waiter,
                    .streams = true,
                    .priority = 5};
    spec.options.max_new_tokens = spec.options.min_new_tokens = new_tokens;
    return spec;
}

static void source_fill(int32_t ids[SOURCE], int seed) {
    Random random = {(uint64_t)seed};
    for (int i = 0; i < SOURCE; i++)
        ids[i] = 4 + (int32_t)(random_next(&random) % 5000);
}

static JobState wait_end(Job *job) {
    JobView view;
    uint64_t begun = clock_ns();
    do {
        job_view(job, &view);
        ck_assert_msg(clock_ns() - begun < WAIT_S * (uint64_t)1000000000, "a job takes for ever");
        usleep(200);
    } while (view.state <= JOB_RUNNING);
    return view.state;
}

static void check_empty(Service *service) {
    uint64_t begun = clock_ns();
    EngineLoad load;
    do {
        usleep(1000);
        load = service_load(service);
        ck_assert_msg(clock_ns() - begun < WAIT_S * (uint64_t)1000000000, "something is left in the engine");
    } while (load.running + load.encoding + load.waiting + load.self_pages + load.cross_pages ||
             service_pending(service));
}

START_TEST(test_tokens_and_answer_agree) {
    Service *service = service_open((ServiceSettings){.cached_sources = 4});
    int32_t ids[SOURCE], tokens[64];
    source_fill(ids, 1);
    Waiter waiter = {0};
    Job *job;
    Error err;
    JobSpec spec = spec_of(service, ids, 30, &waiter);
    CHECK_OK(service_submit(service, &spec, &job, &err));
    ck_assert_int_eq(wait_end(job), JOB_DONE);
    size_t count, told = job_tokens(job, 0, 64, tokens);
    const Sequence *sequence = job_sequences(job, &count);
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(told, sequence->count);
    ck_assert(memcmp(tokens, sequence->ids, told * sizeof *tokens) == 0);
    ck_assert_int_ge(atomic_load(&waiter.changes), 2);
    ck_assert_double_eq(metrics_value(metrics, METRIC_GENERATED_TOKENS, 0), 30);
    job_release(job);
    check_empty(service);
    service_close(service);
}
END_TEST

typedef struct Crowd {
    Service *service;
    int seed;
} Crowd;

static void *crowd_run(void *context) {
    const Crowd *crowd = context;
    Random random = {(uint64_t)crowd->seed};
    Waiter waiter = {0};
    for (int i = 0; i < 60; i++) {
        int32_t ids[SOURCE];
        source_fill(ids, (int)(random_next(&random) % 6));
        JobSpec spec = spec_of(crowd->service, ids, 2 + (int64_t)(random_next(&random) % 30), &waiter);
        spec.tenant = random_next(&random) % 3;
        spec.salt = spec.tenant;
        Job *job;
        Error err;
        if (service_submit(crowd->service, &spec, &job, &err) != OK) {
            ck_assert_int_eq(err.status, ERR_BUSY);
            usleep(500);
            continue;
        }
        switch (random_next(&random) % 4) {
        case 0:
            job_cancel(job);
            break;
        case 1:
            ck_assert_int_eq(wait_end(job), JOB_DONE);
            break;
        case 2: {
            int32_t tokens[8];
            usleep((useconds_t)(random_next(&random) % 3000));
            job_tokens(job, 0, 8, tokens);
            job_cancel(job);
            job_cancel(job);
            wait_end(job);
            break;
        }
        default:
            break; // left to itself
        }
        job_release(job);
    }
    return NULL;
}

START_TEST(test_a_crowd) {
    Service *service = service_open((ServiceSettings){.most_running = 3, .most_queued = 5, .cached_sources = 3});
    pthread_t threads[4];
    Crowd crowds[4];
    for (int i = 0; i < 4; i++) {
        crowds[i] = (Crowd){service, i + 1};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, crowd_run, &crowds[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    check_empty(service);
    service_close(service);
}
END_TEST

// Freed with jobs in every state, and jobs that outlive nothing.
START_TEST(test_freeing_cancels) {
    Service *service = service_open((ServiceSettings){.most_running = 2, .most_queued = 20});
    int32_t ids[SOURCE];
    Waiter waiter = {0};
    Job *jobs[10];
    Error err;
    for (int i = 0; i < 10; i++) {
        source_fill(ids, i);
        JobSpec spec = spec_of(service, ids, 400, &waiter);
        CHECK_OK(service_submit(service, &spec, &jobs[i], &err));
    }
    for (int i = 0; i < 10; i++)
        job_release(jobs[i]);
    service_close(service);
}
END_TEST

START_TEST(test_reservations) {
    Service *service = service_open((ServiceSettings){.most_queued = 3, .most_queued_tokens = 1000});
    Error err;
    CHECK_OK(service_reserve(service, 400, &err));
    CHECK_OK(service_reserve(service, 500, &err));
    CHECK_FAILS(service_reserve(service, 200, &err), ERR_BUSY,
                "900 tokens wait and this request may have 200, the limit is 1000");
    CHECK_OK(service_reserve(service, 100, &err));
    ck_assert(service_is_full(service));
    CHECK_FAILS(service_reserve(service, 0, &err), ERR_BUSY, "3 requests wait, which is the limit");
    service_unreserve(service, 400);
    service_unreserve(service, 500);
    service_unreserve(service, 100);
    ck_assert(!service_is_full(service));
    service_close(service);
}
END_TEST

// Whichever allocation of a submission fails, that job fails, and the next one is served.
START_TEST(test_memory_that_runs_out) {
    Service *service = service_open((ServiceSettings){.cached_sources = 2});
    int32_t ids[SOURCE];
    source_fill(ids, 1);
    Waiter waiter = {0};
    Error err;
    size_t failed = 0;
    for (uint64_t n = 1; n < 60; n++) {
        Job *job;
        JobSpec spec = spec_of(service, ids, 3, &waiter);
        fault_arm(FAULT_ALLOCATION, n);
        Status status = service_submit(service, &spec, &job, &err);
        if (status == OK) {
            JobState state = wait_end(job);
            ck_assert(state == JOB_DONE || state == JOB_FAILED);
            failed += state == JOB_FAILED;
            job_release(job);
        } else {
            ck_assert_int_eq(status, ERR_MEMORY);
            failed++;
        }
        fault_arm(FAULT_ALLOCATION, 0);
    }
    ck_assert_uint_gt(failed, 0);
    Job *job;
    JobSpec spec = spec_of(service, ids, 3, &waiter);
    CHECK_OK(service_submit(service, &spec, &job, &err));
    ck_assert_int_eq(wait_end(job), JOB_DONE);
    job_release(job);
    check_empty(service);
    service_close(service);
}
END_TEST

START_TEST(test_memory_limit) {
    Metrics *own;
    Service *service = NULL;
    Error err;
    CHECK_OK(metrics_new("demo", &own, &err));
    ServiceSettings settings = {.runtime = {.threads = 1, .level = cpu_detect()}, .memory_limit_bytes = 40 << 20};
    CHECK_FAILS(service_new(demo_model(), &settings, own, &service, &err), ERR_LIMIT,
                "the memory limit is 40 MB, but serving");
    settings.memory_limit_bytes = 120 << 20;
    CHECK_OK(service_new(demo_model(), &settings, own, &service, &err));
    SessionMemory memory = service_memory(service);
    ck_assert_uint_le(memory.packed_bytes + memory.activation_bytes + memory.kv_bytes, settings.memory_limit_bytes);
    ck_assert_uint_gt(memory.kv_bytes, 0);
    service_free(service);
    metrics_free(own);
}
END_TEST

TEST_MAIN("serve/service", test_tokens_and_answer_agree, test_a_crowd, test_freeing_cancels, test_reservations,
          test_memory_that_runs_out, test_memory_limit)
