// SPDX-License-Identifier: Apache-2.0
// The bench process: fork, load, run calls on request, report. Parent and child speak fixed-size structs over two
// pipes.
#include "measure/bench.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "measure/limit.h"
#include "measure/process.h"

typedef struct Reply {
    Status status;
    Error error;
    uint64_t ns;
    BenchReport report;
} Reply;

enum { CALL_FINISH = -1 };

// Of no file, what a process has that has done nothing yet: 0.3 MB as measured. What a fork has beyond is its parent's.
enum { BARE_BYTES = 512 << 10 };

struct Bench {
    pid_t process;
    int to_child, from_child;
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
    ProcessMemory memory;
    TRY(process_memory(&memory, err));
    child->inherited_bytes = memory.own_bytes > BARE_BYTES ? memory.own_bytes - BARE_BYTES : 0;
    uint64_t before = clock_ns();
    TRY(runtime_new(model, &work->runtime, &child->runtime, err));
    child->report.load_ms = (double)(clock_ns() - before) * 1e-6;
    child->report.weights_mb = (double)child->runtime->info->weight_bytes / 1e6;
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

// What was inherited may have been swapped out meanwhile.
static double without_inherited_mb(const Child *child, size_t bytes) {
    return bytes > child->inherited_bytes ? (double)(bytes - child->inherited_bytes) / 1e6 : 0;
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
    child->report.rss_mb = without_inherited_mb(child, memory.resident_bytes);
    child->report.peak_rss_mb = without_inherited_mb(child, memory.peak_bytes);
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

static bool transfer(int descriptor, void *data, size_t bytes, bool out) {
    unsigned char *p = data;
    while (bytes) {
        ssize_t moved = out ? write(descriptor, p, bytes) : read(descriptor, p, bytes);
        if (moved < 0 && errno == EINTR)
            continue;
        if (moved <= 0)
            return false;
        p += moved;
        bytes -= (size_t)moved;
    }
    return true;
}

// bench_free's signal. A handler of the parent's program might remove what the parent is writing.
static void on_end(int number) {
    (void)number;
    file_discard_all();
    _exit(0);
}

static void child_main(const char *model, const BenchWork *work, int in, int out) {
    file_disown_all();
    struct sigaction action = {.sa_handler = on_end};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    Child child = {.work = work};
    Reply reply = {0};
    reply.status = load(&child, model, &reply.error);
    bool talking = transfer(out, &reply, sizeof reply, true);
    for (int32_t index; talking && reply.status == OK && transfer(in, &index, sizeof index, false);) {
        reply.status =
            index == CALL_FINISH ? finish(&child, &reply.error) : call(&child, (size_t)index, &reply.ns, &reply.error);
        reply.report = child.report;
        talking = transfer(out, &reply, sizeof reply, true) && index != CALL_FINISH;
    }
    for (size_t i = 0; child.outputs && i < work->samples; i++)
        buffer_done(&child.outputs[i]);
    memory_free(child.outputs);
    stream_free(child.stream);
    runtime_free(child.runtime);
}

static Status ask(Bench *bench, int32_t index, Reply *ret_reply, Error *err) {
    bool sent = transfer(bench->to_child, &index, sizeof index, true);
    if (!sent || !transfer(bench->from_child, ret_reply, sizeof *ret_reply, false))
        return FAIL(err, ERR_INTERNAL, "the process that runs the model ended unasked");
    if (ret_reply->status != OK)
        *err = ret_reply->error;
    return ret_reply->status;
}

static Status start(Bench *bench, const char *model, const BenchWork *work, Error *err) {
    int down[2], up[2];
    if (pipe(down) != 0)
        return FAIL(err, ERR_IO, "no pipe to a bench process: %s", strerror(errno));
    if (pipe(up) != 0) {
        close(down[0]);
        close(down[1]);
        return FAIL(err, ERR_IO, "no pipe from a bench process: %s", strerror(errno));
    }
    memory_trim(); // or the model's process would use, as its own, what this one has freed
    bench->process = fork();
    if (bench->process == 0) {
        close(down[1]);
        close(up[0]);
        child_main(model, work, down[0], up[1]);
        _exit(0);
    }
    close(down[0]);
    close(up[1]);
    bench->to_child = down[1];
    bench->from_child = up[0];
    if (bench->process < 0)
        return FAIL(err, ERR_IO, "no process for model '%s': %s", model, strerror(errno));
    Reply reply;
    if (!transfer(bench->from_child, &reply, sizeof reply, false))
        return FAIL(err, ERR_INTERNAL, "the process that runs model '%s' ended unasked", model);
    if (reply.status != OK)
        *err = reply.error;
    return reply.status;
}

Status bench_start(const char *model, const BenchWork *work, Bench **ret_bench, Error *err) {
    Bench *bench = memory_new(1, sizeof *bench, err);
    TRY_NEW(bench);
    *bench = (Bench){.process = -1, .to_child = -1, .from_child = -1};
    Status status = start(bench, model, work, err);
    if (status != OK) {
        bench_free(bench);
        return status;
    }
    *ret_bench = bench;
    return OK;
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
    if (bench->to_child >= 0)
        close(bench->to_child);
    if (bench->from_child >= 0)
        close(bench->from_child);
    if (bench->process > 0) {
        kill(bench->process, SIGTERM);
        waitpid(bench->process, NULL, 0);
    }
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
