// SPDX-License-Identifier: Apache-2.0
// hone summarize: texts or JSON lines in, summaries out, for people.
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/generation.h"
#include "cli/levers.h"
#include "cli/lines.h"
#include "measure/data.h"

typedef struct Settings {
    RuntimeFlags runtime;
    GenerationFlags generation;
    int64_t batch;
} Settings;

static const Option options[] = {
    {.kind = OPTION_TABLE, .table = generation_options, .offset = offsetof(Settings, generation)},
    {"batch", 0, "N", "texts in flight", OPTION_INT, offsetof(Settings, batch), .low = 1, .high = 4096},
    {.kind = OPTION_TABLE, .table = runtime_options, .offset = offsetof(Settings, runtime)},
    {0},
};

enum { TEXT_MOST_BYTES = 64 << 20 };

typedef struct Summarize {
    CommandRun *run;
    Runtime *runtime;
    GenerationOptions generation;
    Stream *stream;
    Buffer text;
    size_t bad, count;
} Summarize;

static Status sink(void *context, const Answer *answer, Error *err) {
    Summarize *s = context;
    if (answer->error) {
        s->bad++;
        return output_error(&s->run->out, answer->error, err);
    }
    for (size_t i = 0; i < answer->sequence_count; i++) {
        buffer_clear(&s->text);
        TRY(runtime_decode(s->runtime, answer->sequences[i].ids, answer->sequences[i].count, &s->text, err));
        const char *start = s->text.data ? s->text.data : "";
        size_t length = s->text.bytes;
        while (length && (*start == ' ' || *start == '\n'))
            start++, length--;
        if (s->run->common.json) {
            buffer_add_text(&s->run->out.text, "{\"summary\":");
            buffer_add_json(&s->run->out.text, start, length);
            buffer_add_char(&s->run->out.text, '}');
        } else
            buffer_add(&s->run->out.text, start, length);
        TRY(output_line(&s->run->out, err));
    }
    return OK;
}

// Texts that are too long are cut at the model's positions, as the tokenizer would.
static Status push(Summarize *s, const char *text, size_t bytes, Error *err) {
    Encoding encoding;
    Error refused;
    s->count++;
    Status status = runtime_encode(s->runtime, text, bytes, true, &encoding, &refused);
    if (status != OK)
        return stream_push_error(s->stream, &refused, NULL, err);
    return stream_push(s->stream, encoding.ids, encoding.count, &s->generation, NULL, err);
}

// A file is JSON lines when its first character that is no white space is '{', else one text.
static Status push_file(Summarize *s, const char *name, Bytes file, Error *err) {
    size_t at = 0;
    while (at < file.size && strchr(" \t\r\n", file.data[at]) && file.data[at])
        at++;
    if (at == file.size)
        return FAIL(err, ERR_FORMAT, "%s holds no text", name);
    if (file.data[at] != '{')
        return push(s, (const char *)file.data, file.size, err);
    for (size_t number = 1; at < file.size; number++) {
        const unsigned char *end = memchr(file.data + at, '\n', file.size - at);
        size_t length = end ? (size_t)(end - file.data) - at : file.size - at;
        Arena arena;
        arena_init(&arena, 0);
        DataRow row;
        Error refused;
        char line[64];
        snprintf(line, sizeof line, "line %zu", number);
        Bytes bytes = {file.data + at, length};
        bool blank = data_line_is_blank(bytes);
        Status status = blank ? OK : data_row_parse(&arena, line, bytes, false, &row, &refused);
        if (!blank && status == OK)
            status = push(s, row.source, row.source_bytes, err);
        else if (!blank) {
            s->count++;
            status = stream_push_error(s->stream, &refused, NULL, err);
        }
        arena_done(&arena);
        TRY(status);
        at += length + 1;
    }
    return OK;
}

static Status push_inputs(Summarize *s, Error *err) {
    CommandRun *run = s->run;
    for (size_t i = 1; i < run->argument_count; i++) {
        Bytes file;
        TRY(file_map(run->arena, run->arguments[i], &file, err));
        char *name = arena_format(run->arena, err, "file '%s'", run->arguments[i]);
        TRY_NEW(name);
        TRY(push_file(s, name, file, err));
    }
    if (run->argument_count == 1) {
        Bytes text;
        TRY(file_read_all(run->arena, STDIN_FILENO, "standard input", TEXT_MOST_BYTES, &text, err));
        TRY(push_file(s, "standard input", text, err));
    }
    return stream_finish(s->stream, err);
}

static Status run(CommandRun *run, Error *err) {
    const Settings *settings = run->settings;
    Summarize s = {.run = run};
    TRY(command_runtime(run, &settings->runtime, run->arguments[0], (size_t)settings->batch, &s.runtime, err));
    TRY(generation_choose(run->arena, &settings->generation, s.runtime, &s.generation, err));
    TRY(levers_check(&settings->runtime, &s.generation, err));
    TRY(stream_new(s.runtime->engine, 4 * (size_t)settings->batch, sink, &s, &s.stream, err));
    Status status = push_inputs(&s, err);
    stream_free(s.stream);
    buffer_done(&s.text);
    TRY(status);
    EngineCounts counts = engine_counts(s.runtime->engine);
    levers_tell(run, &s.runtime->settings, &counts, engine_screen_refusal(s.runtime->engine));
    return lines_verdict(s.bad, s.count, err);
}

const Command command_summarize = {
    .arguments = "MODEL [FILE...]",
    .least = 1,
    .most = SIZE_MAX,
    .help = "Summarizes each FILE, or standard input: plain text, or JSON lines with the text under text, dialogue or\n"
            "document. Texts longer than the model can read are cut.\n",
    .settings_bytes = sizeof(Settings),
    .defaults = &(const Settings){.batch = 8},
    .options = options,
    .json = true,
    .run = run,
};
