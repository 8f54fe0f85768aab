// SPDX-License-Identifier: Apache-2.0
// hone batch: OpenAI's batch lines from a file through the engine into a file, in their order, many at once; what is
// done is kept line by line, so that a killed run goes on where it was.
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/memory.h"
#include "cli/batch_line.h"
#include "cli/batch_part.h"
#include "cli/generation.h"
#include "cli/levers.h"
#include "cli/lines.h"
#include "measure/model_mark.h"
#include "serve/results.h"

typedef struct Settings {
    RuntimeFlags runtime;
    GenerationFlags generation;
    int64_t batch;
    const char *shard;
    bool resume;
} Settings;

static const Option options[] = {
    {"shard", 0, "I/N", "only the lines whose number, from 0, leaves I when divided by N", OPTION_TEXT,
     offsetof(Settings, shard)},
    {"resume", 0, NULL, "go on with the OUT.part of a run that did not end", OPTION_FLAG, offsetof(Settings, resume)},
    {.kind = OPTION_TABLE, .table = generation_options, .offset = offsetof(Settings, generation)},
    {"batch", 0, "N", "requests in flight", OPTION_INT, offsetof(Settings, batch), .low = 1, .high = 4096},
    {.kind = OPTION_TABLE, .table = runtime_options, .offset = offsetof(Settings, runtime)},
    {0},
};

// A line on its way. Its parts are pushed one after another, and answered so.
typedef struct Job Job;
struct Job {
    Job *next;
    size_t number; // of the line, from 1
    BatchLine line;
    ApiSource *sources;  // [prompts]
    PartAnswer *answers; // [parts of all sources]
    size_t part_count, answered;
    Arena arena;
};

typedef struct Batch {
    CommandRun *run;
    const Settings *settings;
    Runtime *runtime;
    GenerationOptions generation;
    Stream *stream;
    BatchPart part;
    BatchIds *ids;
    Bytes input;
    size_t shard, shards;
    const char *model;      // as answers name it
    const char *input_name; // the beginning of the input's digest: request ids are the same in every run
    int64_t created;        // when the input was
    Job *first, *last;
    Buffer text;
    Progress progress;
    size_t done, bad; // lines answered
} Batch;

static void job_free(Batch *b) {
    Job *job = b->first;
    b->first = job->next;
    b->last = b->first ? b->last : NULL;
    arena_done(&job->arena);
    memory_free(job);
}

static Status job_new(Batch *b, size_t number, Job **ret, Error *err) {
    Job *job = memory_new(1, sizeof *job, err);
    TRY_NEW(job);
    *job = (Job){.number = number};
    arena_init(&job->arena, 0);
    if (b->last)
        b->last->next = job;
    else
        b->first = job;
    b->last = job;
    *ret = job;
    return OK;
}

static Status results_make(Batch *b, Job *job, ApiResult *results, Error *err) {
    const PartAnswer *answers = job->answers;
    for (size_t i = 0; i < job->line.call.prompt_count; i++) {
        TRY(result_make(&job->arena, model_tokenizer(b->runtime->model), b->runtime->encoder, &job->line.call,
                        &job->sources[i], answers, &results[i], err));
        answers += job->sources[i].part_count;
    }
    return OK;
}

// Appends the body of a response, and returns its status.
static Status response_body(Batch *b, Job *job, const char *request_id, int *ret_code, Buffer *body, Error *err) {
    const BatchLine *line = &job->line;
    if (!line->served) {
        *ret_code = api_status(line->error.status);
        api_error(line->route, *ret_code, line->error.message, line->param, body);
        return OK;
    }
    ApiResult *results = arena_array(&job->arena, line->call.prompt_count, sizeof *results, err);
    TRY_NEW(results);
    TRY(results_make(b, job, results, err));
    ApiMeta meta = {request_id, b->model, b->created};
    api_answer(&line->call, &meta, results, body);
    *ret_code = 200;
    return OK;
}

static Status response_add(Batch *b, Job *job, Error *err) {
    Buffer body = {0};
    char request_id[64];
    int code = 0;
    snprintf(request_id, sizeof request_id, "%s-%zu", b->input_name, job->number);
    Status status = response_body(b, job, request_id, &code, &body, err);
    buffer_format(&b->text, "{\"status_code\":%d,\"request_id\":\"%s\",\"body\":", code, request_id);
    buffer_add(&b->text, body.data ? body.data : "", body.bytes);
    buffer_add_text(&b->text, "},\"error\":null}\n");
    if (status == OK)
        status = buffer_status(&body, err);
    buffer_done(&body);
    b->bad += code != 200;
    return status;
}

// The line of OUT for the first job, which is answered.
static Status answer_write(Batch *b, Error *err) {
    Job *job = b->first;
    const BatchLine *line = &job->line;
    buffer_clear(&b->text);
    buffer_format(&b->text, "{\"id\":\"batch_req_%zu\",\"custom_id\":", job->number);
    if (line->id)
        buffer_add_json(&b->text, line->id, strlen(line->id));
    else
        buffer_add_text(&b->text, "null");
    buffer_add_text(&b->text, ",\"response\":");
    if (line->code) {
        buffer_format(&b->text, "null,\"error\":{\"code\":\"%s\",\"message\":", line->code);
        buffer_add_json(&b->text, line->error.message, strlen(line->error.message));
        buffer_add_text(&b->text, "}}\n");
        b->bad++;
    } else
        TRY(response_add(b, job, err));
    TRY(buffer_status(&b->text, err));
    TRY(journal_add(b->part.journal, b->text.data, b->text.bytes, err));
    b->done++;
    progress_step(&b->progress, b->done);
    job_free(b);
    return OK;
}

// Keeps what the engine gave for one part.
static Status part_keep(Job *job, const Answer *answer, Error *err) {
    Sequence *sequences = arena_array(&job->arena, answer->sequence_count, sizeof *sequences, err);
    TRY_NEW(sequences);
    for (size_t i = 0; i < answer->sequence_count; i++) {
        const Sequence *from = &answer->sequences[i];
        int32_t *ids = arena_array(&job->arena, from->count, sizeof *ids, err);
        TRY_NEW(ids);
        if (from->count)
            memcpy(ids, from->ids, from->count * sizeof *ids);
        sequences[i] = *from;
        sequences[i].ids = ids;
    }
    job->answers[job->answered] = (PartAnswer){sequences, answer->sequence_count};
    return OK;
}

static Status sink(void *context, const Answer *answer, Error *err) {
    Batch *b = context;
    Job *job = answer->user;
    if (answer->error && answer->error->status == ERR_MEMORY)
        return *err = *answer->error, ERR_MEMORY;
    if (!answer->error)
        TRY(part_keep(job, answer, err));
    else if (job->line.served) { // the first part that fails speaks for the line
        job->line.served = false;
        job->line.error = *answer->error;
    }
    return ++job->answered == job->part_count ? answer_write(b, err) : OK;
}

static Status sources_make(Batch *b, Job *job, Error *err) {
    ApiCall *call = &job->line.call;
    size_t positions = b->runtime->info->most_positions;
    api_fit(call, positions);
    if (!call->seed_said) // other lines draw otherwise, and every run alike
        call->options.seed += job->number;
    TRY_NEW(job->sources = arena_array(&job->arena, call->prompt_count, sizeof *job->sources, err));
    for (size_t i = 0; i < call->prompt_count; i++) {
        TRY(source_make(&job->arena, model_tokenizer(b->runtime->model), b->runtime->encoder, call, &call->prompts[i],
                        positions, &job->sources[i], err));
        job->part_count += job->sources[i].part_count;
    }
    TRY_NEW(job->answers = arena_array(&job->arena, job->part_count, sizeof *job->answers, err));
    return OK;
}

static Status job_push(Batch *b, Job *job, Error *err) {
    BatchLine *line = &job->line;
    Status status = line->served ? sources_make(b, job, &line->error) : line->error.status;
    if (status == ERR_MEMORY)
        return *err = line->error, status;
    if (status != OK) {
        line->served = false;
        job->part_count = 1;
        return stream_push_error(b->stream, &line->error, job, err);
    }
    size_t prompts = line->call.prompt_count;
    const ApiSource *sources = job->sources; // the job may end with its last part's push
    const GenerationOptions generation = line->call.options;
    for (size_t i = 0; i < prompts; i++) {
        size_t parts = sources[i].part_count;
        const SourcePart *part = sources[i].parts;
        bool last_source = i + 1 == prompts;
        for (size_t j = 0; j < parts; j++, part++) {
            TRY(stream_push(b->stream, part->ids, part->count, &generation, job, err));
            if (last_source && j + 1 == parts)
                return OK;
        }
    }
    return OK;
}

// Takes the next line of `text`; false: there is none.
static bool line_next(Bytes *text, Bytes *ret_line) {
    if (!text->size)
        return false;
    const unsigned char *newline = memchr(text->data, '\n', text->size);
    size_t bytes = newline ? (size_t)(newline - text->data) : text->size, taken = bytes + (newline != NULL);
    *ret_line = (Bytes){text->data, bytes};
    *text = (Bytes){text->data + taken, text->size - taken};
    return true;
}

static bool line_is_blank(Bytes line) {
    size_t i = 0;
    while (i < line.size && (line.data[i] == ' ' || line.data[i] == '\t' || line.data[i] == '\r'))
        i++;
    return i == line.size;
}

// A line that OUT.part has answered already: its answer has to be of it.
static Status done_check(Batch *b, Arena *arena, Bytes answer, const BatchLine *line, size_t number, Error *err) {
    char name[64];
    const char *id;
    bool good;
    snprintf(name, sizeof name, "the answer to line %zu in OUT.part", number);
    TRY(batch_part_line(arena, answer, name, &id, &good, err));
    if (!id != !line->id || (id && strcmp(id, line->id) != 0))
        return FAIL(err, ERR_FORMAT, "%s is of custom_id '%s', expected '%s': OUT.part was changed", name,
                    id ? id : "null", line->id ? line->id : "null");
    b->done++;
    b->bad += !good;
    return OK;
}

// One line of the input: noted, recognised as done, or pushed.
static Status line_take(Batch *b, Arena *scratch, Bytes line, size_t number, Bytes *answers, Error *err) {
    char name[40];
    BatchLine read;
    Bytes answer;
    snprintf(name, sizeof name, "line %zu", number);
    if ((number - 1) % b->shards != b->shard)
        return batch_line_read(scratch, b->ids, line, name, false, NULL, &read, err);
    if (line_next(answers, &answer)) {
        TRY(batch_line_read(scratch, b->ids, line, name, false, NULL, &read, err));
        return done_check(b, scratch, answer, &read, number, err);
    }
    Job *job = NULL;
    TRY(job_new(b, number, &job, err));
    TRY(batch_line_read(&job->arena, b->ids, line, name, true, &b->generation, &job->line, err));
    return job_push(b, job, err);
}

static Status serve(Batch *b, Error *err) {
    Arena scratch;
    arena_init(&scratch, 0);
    Bytes rest = b->input, answers = b->part.done, line;
    Status status = OK;
    for (size_t number = 1; status == OK && line_next(&rest, &line); number++) {
        if (!line_is_blank(line))
            status = line_take(b, &scratch, line, number, &answers, err);
        arena_reset(&scratch);
    }
    arena_done(&scratch);
    TRY(status);
    if (answers.size)
        return FAIL(err, ERR_FORMAT, "OUT.part has more answers than there are lines: it was changed");
    return stream_finish(b->stream, err);
}

static Status shard_parse(const char *text, size_t *ret_shard, size_t *ret_shards, Error *err) {
    unsigned long shard = 0, shards = 0;
    int used = 0;
    bool digits = text[0] >= '0' && text[0] <= '9';
    if (!digits || sscanf(text, "%6lu/%6lu%n", &shard, &shards, &used) != 2 || text[used] || shard >= shards)
        return FAIL(err, ERR_USAGE, "--shard is '%s', expected I/N with I from 0 to N-1, as 0/4", text);
    *ret_shard = shard;
    *ret_shards = shards;
    return OK;
}

// What the model is called: its folder's name, or its file's.
static Status model_name(Arena *arena, const char *path, const char **ret_name, Error *err) {
    char whole[PATH_MAX];
    const char *name = path_name(realpath(path, whole) ? whole : path);
    TRY_NEW(*ret_name = arena_copy_text(arena, name, strlen(name), err));
    return OK;
}

// Everything that says what the run is of; opens OUT.part.
static Status work_open(Batch *b, Error *err) {
    CommandRun *run = b->run;
    const char *input = run->arguments[1];
    char digest[SHA256_TEXT_BYTES], model[SHA256_TEXT_BYTES];
    struct stat info, other;
    TRY(file_map(run->arena, input, &b->input, err));
    if (stat(input, &info) != 0)
        return FAIL(err, ERR_IO, "file '%s' is gone", input);
    if (stat(run->arguments[2], &other) == 0 && info.st_dev == other.st_dev && info.st_ino == other.st_ino)
        return FAIL(err, ERR_USAGE, "IN and OUT are the same file, '%s': the answers would take the place of the lines",
                    run->arguments[2]);
    Sha256 hash;
    sha256_init(&hash);
    sha256_add(&hash, b->input.data, b->input.size);
    sha256_text(&hash, digest);
    TRY_NEW(b->input_name = arena_copy_text(run->arena, digest, 8, err));
    b->created = (int64_t)info.st_mtime;
    TRY(model_digest(run->arena, run->arguments[0], model, err));
    TRY(model_name(run->arena, run->arguments[0], &b->model, err));
    Buffer typed = {0};
    generation_flags_print(&b->settings->generation, &typed);
    const RuntimeFlags *flags = &b->settings->runtime;
    if (flags->kv_type)
        buffer_format(&typed, " --kv-type %s", flags->kv_type);
    if (flags->plain_runtime)
        buffer_add_text(&typed, " --plain-runtime");
    char shard[64];
    snprintf(shard, sizeof shard, "%zu/%zu", b->shard, b->shards);
    BatchWork work = {digest, model, shard, typed.data ? typed.data : ""};
    Status status = buffer_status(&typed, err);
    if (status == OK)
        status = batch_part_open(run->arena, run->arguments[2], b->settings->resume, &work, &b->part, err);
    buffer_done(&typed);
    return status;
}

static uint64_t line_count(Bytes text) {
    uint64_t count = 0;
    for (Bytes line; line_next(&text, &line);)
        count += !line_is_blank(line);
    return count;
}

static Status run_open(Batch *b, Error *err) {
    const Settings *settings = b->settings;
    if (settings->shard)
        TRY(shard_parse(settings->shard, &b->shard, &b->shards, err));
    TRY(command_runtime(b->run, &settings->runtime, b->run->arguments[0], (size_t)settings->batch, &b->runtime, err));
    TRY(generation_choose(b->run->arena, &settings->generation, b->runtime, &b->generation, err));
    if (b->generation.num_return_sequences != model_generation(b->runtime->model)->num_return_sequences)
        return FAIL(err, ERR_USAGE, "--num-return-sequences is not for batches: 'n' of each line says it");
    TRY(work_open(b, err));
    TRY(batch_ids_new(&b->ids, err));
    TRY(stream_new(b->runtime->engine, 4 * (size_t)settings->batch, sink, b, &b->stream, err));
    progress_init(&b->progress, "answering", line_count(b->input) / b->shards, b->run->common.quiet);
    TRY(serve(b, err));
    return batch_part_commit(&b->part, err);
}

static Status run(CommandRun *run, Error *err) {
    Batch b = {.run = run, .settings = run->settings, .shards = 1};
    Status status = run_open(&b, err);
    progress_done(&b.progress);
    journal_close(b.part.journal);
    stream_free(b.stream);
    while (b.first)
        job_free(&b);
    batch_ids_free(b.ids);
    buffer_done(&b.text);
    TRY(status);
    EngineCounts counts = engine_counts(b.runtime->engine);
    levers_tell(run, &b.runtime->settings, &counts, engine_screen_refusal(b.runtime->engine));
    return lines_verdict(b.bad, b.done, err);
}

const Command command_batch = {
    .arguments = "MODEL IN.jsonl OUT.jsonl",
    .least = 3,
    .most = 3,
    .help = "Reads OpenAI's batch lines {\"custom_id\",\"method\",\"url\",\"body\"} of /v1/completions,\n"
            "/v1/chat/completions and /v1/summarize (docs/api.md) and answers each, in their order, by\n"
            "{\"id\",\"custom_id\",\"response\":{\"status_code\",\"request_id\",\"body\"},\"error\"}. Options given\n"
            "here hold where a body says nothing. `stream`, `priority` and `timeout` have no effect, and `model`\n"
            "may say anything.\n\n"
            "What is done lies in OUT.part until all of it becomes OUT, beside OUT.part.of, which tells what it\n"
            "is of. A run that was ended goes on with --resume and the same arguments; without it, an OUT.part\n"
            "that is there is left alone and the run refused. --resume without an OUT.part begins anew.\n",
    .settings_bytes = sizeof(Settings),
    .defaults = &(const Settings){.batch = 8},
    .options = options,
    .run = run,
};
