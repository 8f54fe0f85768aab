// SPDX-License-Identifier: Apache-2.0
// hone optimize: the search under a quality budget.
#include <stdio.h>
#include <string.h>

#include "cli/generation.h"
#include "cli/runtime.h"
#include "compress/evaluations.h"
#include "compress/report.h"
#include "compress/search.h"

typedef struct Settings {
    GenerationFlags generation;
    const char *output, *data, *texts, *goal, *time_limit, *report, *cache;
    double max_loss;
    int64_t most_evaluations, seed;
} Settings;

static const Option options[] = {
    {"output", 'o', "FOLDER", "where to write; new, empty, or written by hone", OPTION_TEXT,
     offsetof(Settings, output)},
    {"data", 0, "DATA", "rows with references (JSON lines), dealt out to tune, to choose by, and to judge", OPTION_TEXT,
     offsetof(Settings, data)},
    {"max-loss", 0, "F", "relative loss that is allowed (default: 0.01)", OPTION_REAL, offsetof(Settings, max_loss),
     .low = 0, .high = 1},
    {"for", 0, "GOAL", "latency (default), throughput or memory", OPTION_TEXT, offsetof(Settings, goal),
     .choices = "latency|throughput|memory"},
    {"time-limit", 0, "TIME", "begin no trial after it: 90s, 30m, 2h (default: 30m)", OPTION_TEXT,
     offsetof(Settings, time_limit)},
    {"max-evaluations", 0, "N", "recipes whose outputs are scored, at most (default: 100)", OPTION_INT,
     offsetof(Settings, most_evaluations), .low = 1, .high = 200},
    {"seed", 0, "N", "of how the rows are dealt out (default: 1)", OPTION_INT, offsetof(Settings, seed), .low = 0,
     .high = 9007199254740992.0},
    {"texts", 0, "DATA", "further texts that a trimmed vocabulary has to serve: all there are", OPTION_TEXT,
     offsetof(Settings, texts)},
    {"report", 0, "FILE", "write the evidence as a page (HTML)", OPTION_TEXT, offsetof(Settings, report)},
    {"cache", 0, "FILE", "of evaluations, or 'none' (default: in the user's cache)", OPTION_TEXT,
     offsetof(Settings, cache)},
    {.kind = OPTION_TABLE, .table = generation_search_options, .offset = offsetof(Settings, generation)},
    {0},
};

// "90", "90s", "30m", "2h" in seconds.
static Status time_parse(const char *text, double *ret_seconds, Error *err) {
    char *end;
    double value = strtod(text, &end);
    double unit = *end == 'h' ? 3600 : *end == 'm' ? 60 : *end == 's' || !*end ? 1 : 0;
    if (end == text || strspn(text, "0123456789.") != (size_t)(end - text) || unit == 0 || (*end && end[1]) ||
        value <= 0)
        return FAIL(err, ERR_USAGE, "--time-limit is '%s', expected a time above 0 as 90s, 30m or 2h", text);
    *ret_seconds = value * unit;
    return OK;
}

typedef struct Told {
    Progress progress;
    bool quiet;
} Told;

static void say(void *context, const char *sentence) {
    Told *told = context;
    progress_done(&told->progress);
    if (!told->quiet)
        fprintf(stderr, "hone: %s\n", sentence);
}

static void tell(void *context, uint64_t done, uint64_t total) {
    progress_tell(&((Told *)context)->progress, done, total);
}

// One answer a source, the same every time.
static Status one_answer(const void *context, Arena *arena, GenerationOptions *generation, Error *err) {
    generation->do_sample = false;
    generation->num_return_sequences = 1;
    return generation_flags_apply(arena, context, generation, err);
}

// What was asked of generation, for the cache and the report, and the command as it would be typed again.
static Status texts_make(CommandRun *run, SearchOptions *search, Error *err) {
    const Settings *s = run->settings;
    Buffer out = {0};
    generation_flags_print(&s->generation, &out);
    Status status = buffer_status(&out, err);
    char *generation = status == OK ? arena_copy_text(run->arena, out.data ? out.data : "", out.bytes, err) : NULL;
    buffer_done(&out);
    TRY_NEW(generation);
    search->generation_text = generation;
    TRY_NEW(search->command = arena_format(run->arena, err,
                                           "hone optimize %s -o %s --data %s --max-loss %g --for %s --time-limit %s "
                                           "--max-evaluations %lld --seed %lld --threads %d%s%s%s",
                                           run->arguments[0], s->output, s->data, s->max_loss, s->goal, s->time_limit,
                                           (long long)s->most_evaluations, (long long)s->seed, run->common.threads,
                                           s->texts ? " --texts " : "", s->texts ? s->texts : "", generation));
    return OK;
}

static double member(const json_t *object, const char *a, const char *b) {
    return json_number_value(json_object_get(json_object_get(object, a), b));
}

static void print_loss(Buffer *out, const json_t *row, const char *metric) {
    const json_t *loss = json_object_get(row, "loss");
    buffer_format(out, " %6.2f [%5.2f,%6.2f]", 100 * member(loss, metric, "relative"),
                  100 * member(loss, metric, "low"), 100 * member(loss, metric, "high"));
}

static void print_row(Buffer *out, const json_t *row, const json_t *metrics) {
    buffer_format(
        out, "%-20s %6.2f %6.2f %6.2f %8.1f %6.2f %8.2f %8.1f %6.1f", json_string_value(json_object_get(row, "name")),
        member(row, "latency_ms", "p50"), member(row, "latency_ms", "p95"), member(row, "latency_ms", "p99"),
        json_number_value(json_object_get(row, "samples_per_s")), member(row, "speedup", "mean"),
        json_number_value(json_object_get(row, "weights_mb")), json_number_value(json_object_get(row, "peak_rss_mb")),
        json_number_value(json_object_get(row, "reduction_percent")));
    for (size_t m = 0; m < json_array_size(metrics); m++)
        buffer_format(
            out, " %6.2f",
            100 * member(json_object_get(row, "quality"), json_string_value(json_array_get(metrics, m)), "mean"));
    print_loss(out, row, "mean");
    const char *note = json_string_value(json_object_get(row, "note"));
    buffer_format(out, "%s%s\n", note ? "  " : "", note ? note : "");
}

// The table, then the answer.
static void print_people(Buffer *out, const SearchAnswer *answer, const Settings *settings) {
    const json_t *metrics = json_object_get(answer->evidence, "metrics"),
                 *rows = json_object_get(answer->evidence, "rows");
    buffer_format(out, "%-20s %6s %6s %6s %8s %6s %8s %8s %6s", "", "p50 ms", "p95", "p99", "a second", "times", "MB",
                  "RSS MB", "less %");
    for (size_t m = 0; m < json_array_size(metrics); m++)
        buffer_format(out, " %6.6s", json_string_value(json_array_get(metrics, m)));
    buffer_format(out, " %22s\n", "mean loss %, 95 %");
    for (size_t i = 0; i < json_array_size(rows); i++)
        print_row(out, json_array_get(rows, i), metrics);
    const json_t *told = json_object_get(answer->evidence, "answer");
    buffer_format(out, "chosen: %s\n%s\n%s has it%s%s", json_string_value(json_object_get(told, "recipe_text")),
                  answer->sentence, settings->output, settings->report ? "; the evidence as a page: " : "",
                  settings->report ? settings->report : "");
}

static Status check(const CommandRun *run, Error *err) {
    const Settings *settings = run->settings;
    if (!settings->output)
        return FAIL(err, ERR_USAGE, "expected -o FOLDER, the place for the answer");
    if (!settings->data)
        return FAIL(err, ERR_USAGE, "expected --data DATA, rows with references to tune on and to judge by");
    return OK;
}

static Status page_write(CommandRun *run, const SearchAnswer *answer, FileWriter *page, Error *err) {
    Buffer html = {0};
    Status status = report_html(run->arena, answer->evidence, &html, err);
    if (status == OK)
        status = file_write(page, html.data, html.bytes, err);
    buffer_done(&html);
    if (status == OK)
        return file_commit(page, err);
    file_discard(page);
    return status;
}

static Status answer_write(CommandRun *run, const SearchAnswer *answer, Error *err) {
    const Settings *settings = run->settings;
    if (run->common.json)
        TRY(output_json(&run->out, answer->evidence, err));
    else {
        print_people(&run->out.text, answer, settings);
        TRY(output_line(&run->out, err));
    }
    if (!answer->met)
        return FAIL(err, ERR_NO, "the budget was not met; '%s' keeps the best that was found: %s", settings->output,
                    answer->sentence);
    return OK;
}

static Status run(CommandRun *run, Error *err) {
    const Settings *settings = run->settings;
    Told told = {.quiet = run->common.quiet};
    TRY(check(run, err));
    SearchOptions search = {.model = run->arguments[0],
                            .output = settings->output,
                            .data = settings->data,
                            .texts = settings->texts,
                            .max_loss = settings->max_loss,
                            .goal = search_goal_find(settings->goal),
                            .most_evaluations = (size_t)settings->most_evaluations,
                            .seed = (uint64_t)settings->seed,
                            .threads = run->common.threads,
                            .level = run->common.level,
                            .cache = cache_choose(run->arena, settings->cache, EVALUATIONS_USUAL),
                            .generation = one_answer,
                            .generation_context = &settings->generation,
                            .say = say,
                            .tell = tell,
                            .context = &told};
    TRY(time_parse(settings->time_limit, &search.seconds, err));
    TRY(texts_make(run, &search, err));
    progress_init(&told.progress, "searching", 0, run->common.quiet);
    FileWriter *page = NULL; // before the search: a place that cannot be written is told now
    if (settings->report)
        TRY(file_create(settings->report, &page, err));
    SearchAnswer answer;
    Status status = search_run(run->arena, &search, &answer, err);
    progress_done(&told.progress);
    if (status != OK) {
        file_discard(page);
        return status;
    }
    if (page)
        TRY(page_write(run, &answer, page, err));
    return answer_write(run, &answer, err);
}

const Command command_optimize = {
    .arguments = "MODEL",
    .least = 1,
    .most = 1,
    .help =
        "Searches for the fastest (or smallest) version of a model whose loss stays within a budget, shows the\n"
        "evidence, and writes it. Schemes of weights layer by layer, cuts, the vocabulary, K/V types, levers that\n"
        "change no output, threads and batch are combined. The rows of --data are dealt out once: some to tune on,\n"
        "some to choose by, and some that confirm the choice, safest first, and give the final figures. The\n"
        "loss is the mean of ROUGE-1, 2 and L (or of exact matches), and what counts is the upper end of its\n"
        "95 % interval.\n"
        "\n"
        "Everything measured is kept in --cache: a search that was ended goes on where it was, one that is\n"
        "repeated is instant. Where the budget is not met, the exit code is 1, and the folder holds the best that\n"
        "was found.\n",
    .settings_bytes = sizeof(Settings),
    .defaults =
        &(const Settings){.goal = "latency", .time_limit = "30m", .max_loss = 0.01, .most_evaluations = 100, .seed = 1},
    .options = options,
    .json = true,
    .run = run,
};
