// SPDX-License-Identifier: Apache-2.0
// The bench process: load, run calls on request, report. Parent and child speak fixed-size structs.
#include "measure/bench.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "measure/limit.h"
#include "measure/process.h"
#include "measure/worker.h"

typedef struct Reply {
    Status status;
    Error error;
    uint64_t ns;
    BenchReport report;
} Reply;

enum { CALL_FINISH = -1 };

struct Bench {
    Worker *worker;
    const char *model;
    const BenchWork *work;
};

size_t bench_batches(const BenchWork *work) {
    return (work->samples + work->batch - 1) / work->batch;
}

// Of two rows, by length; equal ones keep their order, since both lie in one array.
static int by_length(const void *a, const void *b) {
    const DataRow *x = *(const DataRow *const *)a, *y = *(const DataRow *const *)b;
    if (x->id_count != y->id_count)
        return x->id_count < y->id_count ? -1 : 1;
    return x < y ? -1 : x > y;
}

Status bench_work_fill(Arena *arena, const DataSet *set, size_t batch, BenchWork *work, Error *err) {
    const DataRow **order = arena_array(arena, set->count, sizeof *order, err);
    TRY_NEW(order);
    const int32_t **sources = arena_array(arena, set->count, sizeof *sources, err);
    TRY_NEW(sources);
    size_t *lengths = arena_array(arena, set->count, sizeof *lengths, err);
    TRY_NEW(lengths);
    size_t *numbers = arena_array(arena, set->count, sizeof *numbers, err);
    TRY_NEW(numbers);
    for (size_t i = 0; i < set->count; i++)
        order[i] = &set->rows[i];
    if (batch > 1)
        qsort(order, set->count, sizeof *order, by_length);
    for (size_t i = 0; i < set->count; i++) {
        sources[i] = order[i]->ids;
        lengths[i] = order[i]->id_count;
        numbers[i] = (size_t)(order[i] - set->rows) + 1;
    }
    work->sources = sources;
    work->lengths = lengths;
    work->numbers = numbers;
    work->samples = set->count;
    work->batch = batch;
    return OK;
}

// Everything below until `child` runs in the model's own process.
typedef struct Child {
    const BenchWork *work;
    Runtime *runtime;
    Stream *stream;
    GenerationOptions generation;
    Buffer *outputs; // [samples], JSON of each as Python writes it
    size_t next;     // sample whose answer comes next
    size_t inherited_bytes;
    BenchReport report;
} Child;

static void count_length(BenchReport *report, size_t length) {
    size_t at = 0;
    while (at < report->new_token_kinds && report->new_tokens[at] < length)
        at++;
    bool known = at < report->new_token_kinds && report->new_tokens[at] == length;
    if (known || report->new_token_kinds == sizeof report->new_tokens / sizeof *report->new_tokens)
        return;
    memmove(report->new_tokens + at + 1, report->new_tokens + at,
            (report->new_token_kinds - at) * sizeof *report->new_tokens);
    report->new_tokens[at] = length;
    report->new_token_kinds++;
}

static Status on_answer(void *context, const Answer *answer, Error *err) {
    Child *child = context;
    size_t sample = child->next++;
    if (answer->error) {
        *err = *answer->error;
        if (err->status == ERR_USAGE) // the options were checked before: it is the data that asks for it
            err->status = ERR_FORMAT;
        return error_context(err, "sample %zu", child->work->numbers[sample]);
    }
    const Sequence *s = &answer->sequences[0];
    Buffer *text = &child->outputs[sample];
    if (text->bytes)
        return OK; // an earlier round has it; the same ids come every time
    size_t count = s->count > child->work->digest_leaves_out ? s->count - child->work->digest_leaves_out : 0;
    buffer_add_char(text, '[');
    for (size_t i = 0; i < count; i++)
        buffer_format(text, i ? ", %d" : "%d", s->ids[i]);
    buffer_add_char(text, ']');
    count_length(&child->report, s->count);
    return buffer_status(text, err);
}

static void nothing(void *context, size_t index) {
    (void)context;
    (void)index;
}

static Status call(Child *child, size_t index, uint64_t *ret_ns, Error *err) {
    const BenchWork *work = child->work;
    size_t first = index * work->batch,
           last = first + work->batch < work->samples ? first + work->batch : work->samples;
    child->next = first;
    uint64_t before = clock_ns();
    for (size_t i = first; i < last; i++)
        TRY(stream_push(child->stream, work->sources[i], work->lengths[i], &child->generation, NULL, err));
    TRY(stream_finish(child->stream, err));
    *ret_ns = clock_ns() - before;
    // Workers must not spin while another model has its turn.
    pool_run_last(child->runtime->pool, (size_t)pool_threads(child->runtime->pool), nothing, NULL);
    return OK;
}

static Status load(Child *child, const char *model, Error *err) {
    const BenchWork *work = child->work;
    TRY(worker_inherited(&child->inherited_bytes, err));
    uint64_t before = clock_ns();
    TRY(runtime_new(model, &work->runtime, &child->runtime, err));
    child->report.load_ms = (double)(clock_ns() - before) * 1e-6;
    child->report.weights_mb = (double)runtime_weight_bytes(child->runtime) / 1e6;
    child->report.kv_token_kb =
        (double)session_page_bytes(model_session(child->runtime->model), child->runtime->settings.kv_kind) /
        KV_BLOCK_TOKENS / 1e3;
    child->report.runtime = child->runtime->settings;
    child->report.vocabulary = child->runtime->info->vocabulary;
    TRY(generation_change(child->runtime->model, &child->runtime->arena, work->options, work->context,
                          &child->generation, err));
    TRY_NEW(child->outputs = memory_new(work->samples, sizeof *child->outputs, err));
    memset(child->outputs, 0, work->samples * sizeof *child->outputs);
    return stream_new(child->runtime->engine, work->batch, on_answer, child, &child->stream, err);
}

static Status finish(Child *child, Error *err) {
    Sha256 hash;
    sha256_init(&hash);
    sha256_add(&hash, "[", 1);
    for (size_t i = 0; i < child->work->samples; i++) {
        if (i)
            sha256_add(&hash, ", ", 2);
        sha256_add(&hash, child->outputs[i].data, child->outputs[i].bytes);
    }
    sha256_add(&hash, "]", 1);
    char digest[SHA256_TEXT_BYTES];
    sha256_text(&hash, digest);
    snprintf(child->report.digest, sizeof child->report.digest, "%.12s", digest);
    const char *refusal = engine_screen_refusal(child->runtime->engine);
    snprintf(child->report.screen_refusal, sizeof child->report.screen_refusal, "%s", refusal ? refusal : "");
    child->report.counts = engine_counts(child->runtime->engine);
    ProcessMemory memory;
    TRY(process_memory(&memory, err));
    child->report.rss_mb = worker_mb(memory.resident_bytes, child->inherited_bytes);
    child->report.peak_rss_mb = worker_mb(memory.peak_bytes, child->inherited_bytes);
    size_t new_tokens = child->report.new_token_kinds ? child->report.new_tokens[child->report.new_token_kinds - 1] : 0;
    LimitWork limit = {.source_tokens = child->work->lengths,
                       .samples = child->work->samples,
                       .batch = child->work->batch,
                       .new_tokens = new_tokens,
                       .beams = (size_t)child->generation.num_beams,
                       .kv_token_bytes = child->report.kv_token_kb * 1e3};
    return child->work->skips_limit
               ? OK
               : limit_ms(engine_session(child->runtime->engine), &limit, &child->report.limit_ms, err);
}

static void serve(void *context, int in, int out) {
    const Bench *bench = context;
    const BenchWork *work = bench->work;
    Child child = {.work = work};
    Reply reply = {0};
    reply.status = load(&child, bench->model, &reply.error);
    bool talking = worker_write(out, &reply, sizeof reply);
    for (int32_t index; talking && reply.status == OK && worker_read(in, &index, sizeof index);) {
        reply.status =
            index == CALL_FINISH ? finish(&child, &reply.error) : call(&child, (size_t)index, &reply.ns, &reply.error);
        reply.report = child.report;
        talking = worker_write(out, &reply, sizeof reply) && index != CALL_FINISH;
    }
    for (size_t i = 0; child.outputs && i < work->samples; i++)
        buffer_done(&child.outputs[i]);
    memory_free(child.outputs);
    stream_free(child.stream);
    runtime_free(child.runtime);
}

static Status answer_read(Bench *bench, Reply *ret_reply, Error *err) {
    if (!worker_read(worker_output(bench->worker), ret_reply, sizeof *ret_reply))
        return FAIL(err, ERR_INTERNAL, "the process that runs model '%s' ended unasked", bench->model);
    if (ret_reply->status != OK)
        *err = ret_reply->error;
    return ret_reply->status;
}

static Status ask(Bench *bench, int32_t index, Reply *ret_reply, Error *err) {
    worker_write(worker_input(bench->worker), &index, sizeof index); // if that fails, there is no answer either
    return answer_read(bench, ret_reply, err);
}

Status bench_start(const char *model, const BenchWork *work, Bench **ret_bench, Error *err) {
    Bench *bench = memory_new(1, sizeof *bench, err);
    TRY_NEW(bench);
    *bench = (Bench){.model = model, .work = work};
    Reply reply;
    Status status = worker_start(serve, bench, "a model", &bench->worker, err);
    if (status == OK)
        status = answer_read(bench, &reply, err);
    if (status == OK)
        *ret_bench = bench;
    else
        bench_free(bench);
    return status;
}

Status bench_call(Bench *bench, size_t index, uint64_t *ret_ns, Error *err) {
    Reply reply;
    TRY(ask(bench, (int32_t)index, &reply, err));
    *ret_ns = reply.ns;
    return OK;
}

Status bench_finish(Bench *bench, BenchReport *ret_report, Error *err) {
    Reply reply;
    TRY(ask(bench, CALL_FINISH, &reply, err));
    *ret_report = reply.report;
    return OK;
}

void bench_free(Bench *bench) {
    if (!bench)
        return;
    worker_free(bench->worker);
    memory_free(bench);
}

static Status turns_take(BenchModel *models, size_t count, Bench **benches, const BenchTurns *turns, Error *err) {
    size_t batches = bench_batches(models[0].work), calls = turns->warmup + turns->passes * batches;
    for (size_t i = 0; i < calls; i++)
        for (size_t m = 0; m < count; m++) {
            uint64_t ns = 0;
            size_t index = i < turns->warmup ? i : i - turns->warmup;
            if (bench_call(benches[m], index % batches, &ns, err) != OK)
                return error_context(err, "model '%s'", models[m].path);
            if (i >= turns->warmup)
                models[m].times_ns[index] = (double)ns;
            if (turns->tell)
                turns->tell(turns->tell_context, i * count + m + 1, calls * count);
        }
    for (size_t m = 0; m < count; m++)
        TRY(bench_finish(benches[m], &models[m].report, err));
    return OK;
}

Status bench_turns(Arena *arena, BenchModel *models, size_t count, const BenchTurns *turns, Error *err) {
    size_t batches = bench_batches(models[0].work);
    Bench **benches = arena_array(arena, count, sizeof *benches, err);
    TRY_NEW(benches);
    Status status = OK;
    for (size_t m = 0; m < count && status == OK; m++) {
        assert(bench_batches(models[m].work) == batches);
        models[m].times_ns = arena_array(arena, turns->passes * batches, sizeof *models[m].times_ns, err);
        status = models[m].times_ns ? bench_start(models[m].path, models[m].work, &benches[m], err) : err->status;
    }
    if (status == OK)
        status = turns_take(models, count, benches, turns, err);
    for (size_t m = 0; m < count; m++)
        bench_free(benches[m]);
    return status;
}
