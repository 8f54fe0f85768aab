// SPDX-License-Identifier: Apache-2.0
// The process of each engine loads a file, makes inputs, and runs them whenever it is told to; at the end it hands its
// last outputs over.
#include "cli/bench_onnx.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "measure/process.h"
#include "measure/statistics.h"
#include "measure/worker.h"

enum { USUAL_BATCH = 1, USUAL_TOKENS = 128, USUAL_VOCABULARY = 100, MOST_SUBJECTS = 128 };

enum { CALL_RUN, CALL_FINISH };

// One engine over one file.
typedef struct Subject {
    const CommandRun *run;
    const BenchOnnx *asked;
    EngineKind kind;
    const char *path;
    Worker *worker;
    double *times_ns; // [runs]
    Tensor *outputs;
    size_t output_count;
} Subject;

typedef struct Report {
    double load_ms, weights_mb, rss_mb, peak_rss_mb;
    size_t output_count;
    char version[32], providers[64];
} Report;

typedef struct Reply {
    Status status;
    Error error;
    uint64_t ns;
    Report report;
} Reply;

// The process of one subject.
typedef struct Child {
    const Subject *subject;
    Arena arena;
    OnnxEngine *engine;
    Tensor *inputs;
    const Tensor *results;
    size_t inherited_bytes;
    Report report;
} Child;

static Status load(Child *child, Error *err) {
    const Subject *subject = child->subject;
    const BenchOnnx *asked = subject->asked;
    TRY(worker_inherited(&child->inherited_bytes, err));
    uint64_t before = clock_ns();
    OnnxSettings settings = {subject->kind, asked->level, asked->flags};
    TRY(onnx_engine_open(subject->run, subject->path, &settings, &child->engine, err));
    child->report.load_ms = (double)(clock_ns() - before) * 1e-6;
    child->report.weights_mb = (double)onnx_engine_weight_bytes(child->engine) / 1e6;
    child->report.output_count = onnx_engine_output_count(child->engine);
    snprintf(child->report.version, sizeof child->report.version, "%s", onnx_engine_version(child->engine));
    snprintf(child->report.providers, sizeof child->report.providers, "%s", onnx_engine_providers(child->engine));
    return inputs_make(&child->arena, child->engine, &asked->inputs, &child->inputs, err);
}

static Status call(Child *child, uint64_t *ret_ns, Error *err) {
    uint64_t before = clock_ns();
    TRY(onnx_engine_run(child->engine, child->inputs, &child->results, err));
    *ret_ns = clock_ns() - before;
    onnx_engine_rest(child->engine);
    return OK;
}

static Status finish(Child *child, Error *err) {
    ProcessMemory memory;
    TRY(process_memory(&memory, err));
    child->report.rss_mb = worker_mb(memory.resident_bytes, child->inherited_bytes);
    child->report.peak_rss_mb = worker_mb(memory.peak_bytes, child->inherited_bytes);
    return OK;
}

// Names stay here: they are the same in both engines.
static void outputs_send(const Child *child, int out) {
    bool talking = true;
    for (size_t i = 0; i < child->report.output_count && talking; i++)
        talking = worker_write(out, &child->results[i], sizeof child->results[i]) &&
                  worker_write(out, child->results[i].data, child->results[i].bytes);
}

static void serve(void *context, int in, int out) {
    Child child = {.subject = context};
    arena_init(&child.arena, 0);
    Reply reply = {0};
    reply.status = load(&child, &reply.error);
    reply.report = child.report;
    bool talking = worker_write(out, &reply, sizeof reply);
    for (int32_t what; talking && reply.status == OK && worker_read(in, &what, sizeof what);) {
        reply.status = what == CALL_FINISH ? finish(&child, &reply.error) : call(&child, &reply.ns, &reply.error);
        reply.report = child.report;
        talking = worker_write(out, &reply, sizeof reply);
        if (talking && what == CALL_FINISH && reply.status == OK)
            outputs_send(&child, out);
        talking = talking && what != CALL_FINISH;
    }
    onnx_engine_free(child.engine);
    arena_done(&child.arena);
}

static Status reply_read(Subject *subject, Reply *ret_reply, Error *err) {
    if (!worker_read(worker_output(subject->worker), ret_reply, sizeof *ret_reply))
        return FAIL(err, ERR_INTERNAL, "the process that runs '%s' in %s ended unasked", subject->path,
                    engine_kind_name(subject->kind));
    if (ret_reply->status != OK)
        *err = ret_reply->error;
    return ret_reply->status;
}

static Status ask(Subject *subject, int32_t what, Reply *ret_reply, Error *err) {
    worker_write(worker_input(subject->worker), &what, sizeof what); // if that fails, there is no answer either
    return reply_read(subject, ret_reply, err);
}

static Status outputs_receive(Subject *subject, size_t count, Error *err) {
    Arena *arena = subject->run->arena;
    int from = worker_output(subject->worker);
    TRY_NEW(subject->outputs = arena_array(arena, count, sizeof *subject->outputs, err));
    for (size_t i = 0; i < count; i++) {
        Tensor tensor;
        bool good = worker_read(from, &tensor, sizeof tensor);
        void *data = good ? arena_array(arena, tensor.bytes, 1, err) : NULL;
        if (good)
            TRY_NEW(data);
        if (!good || !worker_read(from, data, tensor.bytes))
            return FAIL(err, ERR_INTERNAL, "the process that runs '%s' in %s ended while giving its outputs",
                        subject->path, engine_kind_name(subject->kind));
        tensor.name = NULL;
        tensor.data = data;
        subject->outputs[i] = tensor;
        subject->output_count = i + 1;
    }
    return OK;
}

static Status subjects_start(Subject *subjects, Report *reports, size_t count, Error *err) {
    for (size_t s = 0; s < count; s++) {
        Subject *subject = &subjects[s];
        size_t runs = (size_t)subject->asked->runs;
        TRY_NEW(subject->times_ns = arena_array(subject->run->arena, runs, sizeof *subject->times_ns, err));
        TRY(worker_start(serve, subject, "an engine", &subject->worker, err));
        Reply reply;
        if (reply_read(subject, &reply, err) != OK)
            return err->status;
        reports[s] = reply.report;
    }
    return OK;
}

// Call i of one stands beside call i of all.
static Status turns_take(Subject *subjects, Report *reports, size_t count, Progress *progress, Error *err) {
    size_t warmup = (size_t)subjects[0].asked->warmup, calls = warmup + (size_t)subjects[0].asked->runs;
    Reply reply;
    for (size_t i = 0; i < calls; i++)
        for (size_t s = 0; s < count; s++) {
            if (ask(&subjects[s], CALL_RUN, &reply, err) != OK)
                return error_context(err, "'%s' in %s", subjects[s].path, engine_kind_name(subjects[s].kind));
            if (i >= warmup)
                subjects[s].times_ns[i - warmup] = (double)reply.ns;
            progress_tell(progress, i * count + s + 1, calls * count);
        }
    for (size_t s = 0; s < count; s++) {
        TRY(ask(&subjects[s], CALL_FINISH, &reply, err));
        reports[s] = reply.report;
        TRY(outputs_receive(&subjects[s], reply.report.output_count, err));
    }
    return OK;
}

// The largest difference of two tensors' elements; infinity where they are not alike, or only one is a number.
static double tensor_difference(const Tensor *a, const Tensor *b) {
    enum { CHUNK = 1024 };
    double most = 0, x[CHUNK], y[CHUNK];
    if (a->dtype != b->dtype || !shape_equal(&a->shape, &b->shape))
        return INFINITY;
    size_t size = dtype_bytes(a->dtype), elements = a->bytes / size;
    for (size_t at = 0; at < elements; at += CHUNK) {
        size_t count = elements - at < CHUNK ? elements - at : CHUNK;
        elements_to_f64(a->dtype, (const unsigned char *)a->data + at * size, count, x);
        elements_to_f64(b->dtype, (const unsigned char *)b->data + at * size, count, y);
        for (size_t i = 0; i < count; i++) {
            bool same = x[i] == y[i] || (isnan(x[i]) && isnan(y[i]));
            double difference = same ? 0 : fabs(x[i] - y[i]);
            most = fmax(most, isnan(difference) ? INFINITY : difference);
        }
    }
    return most;
}

static double outputs_difference(const Subject *a, const Subject *b) {
    double most = a->output_count == b->output_count ? 0 : INFINITY;
    for (size_t i = 0; i < a->output_count && i < b->output_count; i++)
        most = fmax(most, tensor_difference(&a->outputs[i], &b->outputs[i]));
    return most;
}

// The first subject of the same file; itself where it is the first.
static const Subject *subject_first(const Subject *subjects, const Subject *subject) {
    while (subjects->path != subject->path)
        subjects++;
    return subjects;
}

static Status report_write(CommandRun *run, const Subject *subjects, const Subject *subject, const Report *r,
                           Error *err) {
    const BenchOnnx *asked = subject->asked;
    LatencySummary latency = statistics_latency(subject->times_ns, (size_t)asked->runs);
    const Subject *first = subject_first(subjects, subject);
    double difference = first != subject ? outputs_difference(first, subject) : NAN, per_s = 1e3 / latency.mean_ms;
    const char *engine = engine_kind_name(subject->kind), *model = path_name(subject->path);
    if (!run->common.json) {
        if (subject == subjects)
            buffer_format(&run->out.text, "%-6s %-28s %10s %10s %10s %10s %10s %9s %9s %9s %9s %11s\n", "engine",
                          "model", "mean ms", "p50 ms", "p95 ms", "p99 ms", "runs/s", "load ms", "weights", "rss MB",
                          "peak MB", "difference");
        char weights[16], apart[16];
        snprintf(apart, sizeof apart, first == subject ? "-" : "%.3g", difference);
        snprintf(weights, sizeof weights, subject->kind == ENGINE_ORT ? "-" : "%.1f", r->weights_mb);
        buffer_format(&run->out.text, "%-6s %-28s %10.3f %10.3f %10.3f %10.3f %10.2f %9.1f %9s %9.1f %9.1f %11s",
                      engine, model, latency.mean_ms, latency.p50_ms, latency.p95_ms, latency.p99_ms, per_s, r->load_ms,
                      weights, r->rss_mb, r->peak_rss_mb, apart);
        return output_line(&run->out, err);
    }
    json_t *line = json_pack("{s:s, s:s, s:I, s:I, s:i, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:s, s:s, s:s}",
                             "engine", engine, "model", model, "batch", (json_int_t)asked->inputs.batch,
                             "source_tokens", (json_int_t)asked->inputs.source_tokens, "threads", run->common.threads,
                             "runs", (json_int_t)asked->runs, "mean_ms", latency.mean_ms, "p50_ms", latency.p50_ms,
                             "p95_ms", latency.p95_ms, "p99_ms", latency.p99_ms, "runs_per_s", per_s, "rss_mb",
                             r->rss_mb, "peak_rss_mb", r->peak_rss_mb, "load_ms", r->load_ms, "version", r->version,
                             "providers", r->providers, "cpu", cpu_level_name(run->common.level));
    bool good = line && json_object_set_new(line, "weights_mb",
                                            subject->kind == ENGINE_ORT ? json_null() : json_real(r->weights_mb)) == 0;
    if (good && subject->kind == ENGINE_HONE)
        good = json_object_set_new(line, "level", json_integer(asked->level)) == 0;
    if (good && first != subject)
        good = json_object_set_new(line, "max_difference",
                                   isfinite(difference) ? json_real(difference) : json_null()) == 0;
    Status status = good ? output_json(&run->out, line, err) : FAIL(err, ERR_MEMORY, "no memory for the report");
    json_decref(line);
    return status;
}

static Status measure(CommandRun *run, Subject *subjects, size_t count, Error *err) {
    Report *reports = arena_array(run->arena, count, sizeof *reports, err);
    TRY_NEW(reports);
    Progress progress;
    progress_init(&progress, "measuring", 0, run->common.quiet);
    Status status = subjects_start(subjects, reports, count, err);
    if (status == OK)
        status = turns_take(subjects, reports, count, &progress, err);
    progress_done(&progress);
    for (size_t s = 0; s < count; s++)
        worker_free(subjects[s].worker);
    for (size_t s = 0; s < count && status == OK; s++)
        status = report_write(run, subjects, &subjects[s], &reports[s], err);
    return status == OK ? output_flush(&run->out, err) : status;
}

Status bench_onnx(CommandRun *run, const BenchOnnx *asked, Error *err) {
    EngineKind kinds[ENGINE_KINDS];
    size_t kind_count = 0, count = 0;
    TRY(engine_kinds_parse(asked->engines, kinds, &kind_count, err));
    OrtSettings checked;
    TRY(ort_flags_settings(run, asked->flags, &checked, err)); // wrong usage is told before any process starts
    BenchOnnx *full = arena_array(run->arena, 1, sizeof *full, err);
    TRY_NEW(full);
    *full = *asked;
    OrtFlags flags = *asked->flags;
    flags.takes_turns = kind_count * run->argument_count > 1;
    full->flags = &flags;
    full->inputs.batch = asked->inputs.batch ? asked->inputs.batch : USUAL_BATCH;
    full->inputs.source_tokens = asked->inputs.source_tokens ? asked->inputs.source_tokens : USUAL_TOKENS;
    full->inputs.vocabulary = asked->inputs.vocabulary ? asked->inputs.vocabulary : USUAL_VOCABULARY;
    Subject subjects[MOST_SUBJECTS] = {0}; // a command has at most 64 files
    for (size_t m = 0; m < run->argument_count; m++)
        for (size_t k = 0; k < kind_count; k++)
            subjects[count++] = (Subject){.run = run, .asked = full, .kind = kinds[k], .path = run->arguments[m]};
    return measure(run, subjects, count, err);
}
