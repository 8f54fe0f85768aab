// SPDX-License-Identifier: Apache-2.0
// hone compare: whether the second of two programs got slower, from pairs of times.
#include <unistd.h>

#include "cli/lines.h"
#include "measure/change.h"

typedef struct Pairs {
    Buffer before, after; // of doubles
} Pairs;

static Status pair_take(Arena *arena, Pairs *pairs, size_t number, Bytes line, Error *err) {
    char name[32];
    snprintf(name, sizeof name, "line %zu", number);
    json_t *value;
    TRY(json_parse(arena, name, line, false, &value, err));
    if (!json_is_number(json_object_get(value, "before")) || !json_is_number(json_object_get(value, "after")))
        return FAIL(err, ERR_FORMAT, "%s: expected {\"before\":milliseconds,\"after\":milliseconds}", name);
    double before = json_number_value(json_object_get(value, "before")),
           after = json_number_value(json_object_get(value, "after"));
    buffer_add(&pairs->before, &before, sizeof before);
    buffer_add(&pairs->after, &after, sizeof after);
    TRY(buffer_status(&pairs->before, err));
    return buffer_status(&pairs->after, err);
}

static Status pairs_read(CommandRun *run, Pairs *pairs, Error *err) {
    Lines lines;
    lines_init(&lines, STDIN_FILENO, "standard input", &run->out);
    Status status = OK;
    for (bool there = true; status == OK;) {
        Bytes line = {0};
        status = lines_next(&lines, &line, &there, err);
        if (status != OK || !there)
            break;
        status = pair_take(run->arena, pairs, lines.number, line, err);
    }
    lines_done(&lines);
    return status;
}

static Status judge(CommandRun *run, const Pairs *pairs, Error *err) {
    Change change;
    TRY(change_judge(run->arena, (const double *)(const void *)pairs->before.data,
                     (const double *)(const void *)pairs->after.data, pairs->before.bytes / sizeof(double), &change,
                     err));
    Buffer *text = &run->out.text;
    if (run->common.json)
        buffer_format(text, "{\"verdict\":\"%s\",\"pairs\":%zu,\"relative\":%.6g,\"low\":%.6g,\"high\":%.6g}",
                      verdict_name(change.verdict), change.pairs, change.relative, change.low, change.high);
    else
        change_print(&change, text);
    TRY(output_line(&run->out, err));
    return change.verdict == VERDICT_SLOWER ? FAIL(err, ERR_NO, "the times after are longer than those before") : OK;
}

static Status run(CommandRun *run, Error *err) {
    Pairs pairs = {0};
    Status status = pairs_read(run, &pairs, err);
    if (status == OK)
        status = judge(run, &pairs, err);
    buffer_done(&pairs.before);
    buffer_done(&pairs.after);
    return status;
}

const Command command_compare = {
    .arguments = "",
    .help =
        "Reads lines {\"before\":milliseconds,\"after\":milliseconds}, pairs of times taken side by side, and tells\n"
        "whether the times got longer, with a 95 % interval; noise is not called a change. Exit code 1: longer.\n",
    .json = true,
    .run = run,
};
