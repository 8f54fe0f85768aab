// SPDX-License-Identifier: Apache-2.0
// hone show: a model's graphs as text, as built or after any pass.
#include <string.h>

#include "cli/command.h"
#include "format/onnx/onnx.h"
#include "graph/print.h"
#include "model/model.h"
#include "pass/pass.h"

typedef struct Settings {
    const char *graph, *after;
} Settings;

static const Option options[] = {
    {"graph", 0, "NAME", "only this graph", OPTION_TEXT, offsetof(Settings, graph), .choices = "encode|decode"},
    {"after", 0, "PASS", "stop after this pass; 'build' is before the first (default: after all)", OPTION_TEXT,
     offsetof(Settings, after)},
    {0},
};

// The standard passes up to and including `after`.
static Status passes_until(Graph *graph, const char *after, Error *err) {
    size_t count;
    const PassInfo *all = passes_all(&count);
    bool known = !after || strcmp(after, "build") == 0;
    for (size_t i = 0; i < count; i++)
        known |= after && strcmp(all[i].name, after) == 0 && all[i].standard;
    if (!known)
        return FAIL(err, ERR_USAGE, "--after is '%s', expected 'build' or a pass that models go through", after);
    PassInputs inputs = {0};
    for (size_t i = 0; i < count && !(after && strcmp(after, "build") == 0); i++) {
        if (!all[i].standard)
            continue;
        TRY(passes_run(graph, &all[i].name, 1, &inputs, NULL, NULL, err));
        if (after && strcmp(all[i].name, after) == 0)
            break;
    }
    return OK;
}

static Status show_onnx(CommandRun *run, Error *err) {
    OnnxModel model;
    TRY(onnx_read(run->arena, run->arguments[0], &model, err));
    graph_print(model.graph, true, &run->out.text);
    return output_line(&run->out, err);
}

static Status run(CommandRun *run, Error *err) {
    const Settings *settings = run->settings;
    const Model *model;
    bool onnx;
    TRY(onnx_is_file(run->arena, run->arguments[0], &onnx, err));
    if (onnx)
        return show_onnx(run, err);
    TRY(model_open(run->arena, run->arguments[0], false, &model, err));
    const SessionModel *session = model_session(model);
    const Graph *graphs[] = {session->encode, session->decode, session->head};
    for (size_t i = 0; i < 3; i++) {
        if (settings->graph && strcmp(settings->graph, graphs[i]->name) != 0)
            continue;
        Graph *graph = graph_copy(run->arena, graphs[i], err);
        TRY_NEW(graph);
        TRY(passes_until(graph, settings->after, err));
        graph_print(graph, true, &run->out.text);
        TRY(output_line(&run->out, err));
    }
    return OK;
}

const Command command_show = {
    .arguments = "MODEL",
    .least = 1,
    .most = 1,
    .help = "Prints the graphs of a model as text, after the passes that every model goes through; of an ONNX file, "
            "its graph\n"
            "as it was read.\n",
    .settings_bytes = sizeof(Settings),
    .options = options,
    .run = run,
};
