// SPDX-License-Identifier: Apache-2.0
// hone generate: JSON lines in and out, every generation option, for programs.
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "cli/engine_choice.h"
#include "cli/generation.h"
#include "cli/levers.h"
#include "cli/lines.h"
#include "measure/data.h"

typedef struct Settings {
    RuntimeFlags runtime;
    EngineFlags engine;
    GenerationFlags generation;
    int64_t batch;
    bool truncate;
} Settings;

static const Option options[] = {
    {.kind = OPTION_TABLE, .table = generation_options, .offset = offsetof(Settings, generation)},
    {"batch", 0, "N", "requests in flight", OPTION_INT, offsetof(Settings, batch), .low = 1, .high = 4096},
    {"truncate", 0, NULL, "cut texts that are longer than the model's positions", OPTION_FLAG,
     offsetof(Settings, truncate)},
    {.kind = OPTION_TABLE, .table = runtime_options, .offset = offsetof(Settings, runtime)},
    {.kind = OPTION_TABLE, .table = engine_options, .offset = offsetof(Settings, engine)},
    {0},
};

typedef struct Generate {
    CommandRun *run;
    Runtime *runtime;
    const Settings *settings;
    GenerationOptions generation;
    Stream *stream;
    Buffer text;
    size_t bad;
} Generate;

static Status sequence_write(Generate *g, const Sequence *sequence, Error *err) {
    Buffer *out = &g->run->out.text;
    buffer_add_text(out, "{\"ids\":[");
    for (size_t i = 0; i < sequence->count; i++)
        buffer_format(out, i ? ",%d" : "%d", sequence->ids[i]);
    buffer_add_text(out, "],\"text\":");
    if (g->runtime->encoder) {
        buffer_clear(&g->text);
        TRY(runtime_decode(g->runtime, sequence->ids, sequence->count, &g->text, err));
        buffer_add_json(out, g->text.data ? g->text.data : "", g->text.bytes);
    } else
        buffer_add_text(out, "null");
    // Bans that leave nothing give a score of -infinity, which JSON cannot say.
    if (isfinite(sequence->score))
        buffer_format(out, ",\"score\":%.9g", sequence->score);
    else
        buffer_add_text(out, ",\"score\":null");
    buffer_format(out, ",\"finish\":\"%s\"", sequence->finish == FINISH_STOP ? "stop" : "length");
    return OK;
}

// user: the number of source tokens.
static Status sink(void *context, const Answer *answer, Error *err) {
    Generate *g = context;
    if (answer->error) {
        g->bad++;
        return output_error(&g->run->out, answer->error, err);
    }
    size_t source_tokens = (size_t)(uintptr_t)answer->user;
    Buffer *out = &g->run->out.text;
    if (answer->sequence_count == 1) {
        TRY(sequence_write(g, &answer->sequences[0], err));
    } else {
        buffer_add_text(out, "{\"sequences\":[");
        for (size_t i = 0; i < answer->sequence_count; i++) {
            if (i)
                buffer_add_char(out, ',');
            TRY(sequence_write(g, &answer->sequences[i], err));
            buffer_add_char(out, '}');
        }
        buffer_add_char(out, ']');
    }
    buffer_format(out, ",\"source_tokens\":%zu}", source_tokens);
    return output_line(&g->run->out, err);
}

// One line: a string, {"text"} or {"input_ids"}; other members may override generation options.
static Status line_push(Generate *g, Arena *arena, const char *name, Bytes line, Error *ret_refused, Error *err) {
    json_t *value;
    Encoding encoding = {0};
    GenerationOptions generation = g->generation;
    Status status = json_parse(arena, name, line, false, &value, ret_refused);
    if (status == OK && json_is_object(value))
        status = generation_read(arena, value, name, &generation, ret_refused);
    const json_t *ids = status == OK ? json_object_get(value, "input_ids") : NULL;
    const json_t *text = status == OK ? (json_is_string(value) ? value : json_object_get(value, "text")) : NULL;
    if (status == OK && json_is_array(ids)) {
        status = data_ids_parse(arena, ids, name, "input_ids", &encoding.ids, &encoding.count, ret_refused);
        if (status == OK && !encoding.count)
            status = FAIL(ret_refused, ERR_FORMAT, "%s: input_ids is empty", name);
    } else if (status == OK && json_is_string(text))
        status = runtime_encode(g->runtime, json_string_value(text), json_string_length(text), g->settings->truncate,
                                &encoding, ret_refused);
    else if (status == OK)
        status =
            FAIL(ret_refused, ERR_FORMAT, "%s: expected a string, {\"text\": string} or {\"input_ids\": [ids]}", name);
    if (status == ERR_MEMORY)
        return *err = *ret_refused, status;
    if (status != OK)
        return stream_push_error(g->stream, ret_refused, NULL, err);
    return stream_push(g->stream, encoding.ids, encoding.count, &generation, (void *)(uintptr_t)encoding.count, err);
}

static Status serve(Generate *g, Lines *lines, Arena *arena, Error *err) {
    for (;;) {
        Bytes line;
        bool there;
        Error refused;
        Status status = lines_next(lines, &line, &there, &refused);
        if (status == ERR_LIMIT) {
            TRY(stream_push_error(g->stream, &refused, NULL, err));
            continue;
        }
        if (status != OK)
            return *err = refused, status;
        if (!there)
            return stream_finish(g->stream, err);
        char name[40];
        snprintf(name, sizeof name, "line %zu", lines->number);
        status = line_push(g, arena, name, line, &refused, err);
        arena_reset(arena);
        TRY(status);
    }
}

static Status run(CommandRun *run, Error *err) {
    Generate g = {.run = run, .settings = run->settings};
    RuntimeSettings settings = runtime_settings(run, &g.settings->runtime, (size_t)g.settings->batch);
    TRY(engine_choose(run, &g.settings->engine, &g.settings->runtime, &settings.parts, err));
    TRY(command_runtime_open(run, &settings, run->arguments[0], &g.runtime, err));
    TRY(generation_choose(run->arena, &g.settings->generation, g.runtime, &g.generation, err));
    TRY(levers_check(&g.settings->runtime, &g.generation, err));
    TRY(stream_new(g.runtime->engine, 4 * (size_t)g.settings->batch, sink, &g, &g.stream, err));
    Arena arena;
    arena_init(&arena, 0);
    Lines lines;
    lines_init(&lines, STDIN_FILENO, "standard input", &run->out);
    Status status = serve(&g, &lines, &arena, err);
    size_t count = lines.number;
    lines_done(&lines);
    arena_done(&arena);
    stream_free(g.stream);
    buffer_done(&g.text);
    TRY(status);
    EngineCounts counts = engine_counts(g.runtime->engine);
    levers_tell(run, &g.runtime->settings, &counts, engine_screen_refusal(g.runtime->engine));
    return lines_verdict(g.bad, count, err);
}

const Command command_generate = {
    .arguments = "MODEL",
    .least = 1,
    .most = 1,
    .help =
        "Reads JSON lines: a string, {\"text\":string} or {\"input_ids\":[ids]}, any of them with members that are\n"
        "named like generation options. Answers {\"ids\",\"text\",\"score\",\"finish\",\"source_tokens\"} lines in\n"
        "their order.\n",
    .settings_bytes = sizeof(Settings),
    .defaults = &(const Settings){.batch = 8, .runtime.needs_scores = true},
    .options = options,
    .run = run,
};
