// SPDX-License-Identifier: Apache-2.0
// hone opt: an ONNX file's graph, rewritten by passes, as an ONNX file.
#include <string.h>

#include "cli/command.h"
#include "cli/external_data.h"
#include "format/onnx/onnx.h"
#include "format/onnx/write.h"
#include "pass/levels.h"
#include "pass/pass.h"

typedef struct Settings {
    const char *output, *level, *target, *passes, *dump_after, *external_data, *quantize;
    int64_t opset;
} Settings;

static const Option options[] = {
    {"output", 'o', "FILE", "where to write", OPTION_TEXT, offsetof(Settings, output)},
    {"level", 0, "N",
     "which passes: 0 none, 1 what any runtime runs, 2 fused operators (the default), 99 approximations too",
     OPTION_TEXT, offsetof(Settings, level), .choices = "0|1|2|99"},
    {"target", 0, "NAME", "onnx: ONNX's own operators only; ort: com.microsoft's too (the default)", OPTION_TEXT,
     offsetof(Settings, target), .choices = "ort|onnx"},
    {"passes", 0, "A,B", "these passes instead of a level's", OPTION_TEXT, offsetof(Settings, passes)},
    {"dump-after", 0, "PASS", "print the graph's text after that pass", OPTION_TEXT, offsetof(Settings, dump_after)},
    {"quantize", 0, "SCHEME",
     "int8: products with constants in INT8, activations quantized as they come; fp16: weights and what is computed "
     "with them in half precision",
     OPTION_TEXT, offsetof(Settings, quantize), .choices = "int8|fp16"},
    {"opset", 0, "N", "ONNX's opset to write (default: the file's own, or the lowest above it that can)", OPTION_INT,
     offsetof(Settings, opset), .low = ONNX_WRITE_FIRST, .high = ONNX_WRITE_LAST},
    {"external-data", 0, "WHEN",
     "whether tensors lie in FILE_data: always, never, auto (the default: when the model has more than 1G), or SIZE: "
     "when it has more than that",
     OPTION_TEXT, offsetof(Settings, external_data)},
    {0},
};

typedef struct PassNames {
    const char *names[LEVEL_MOST_PASSES];
    size_t count;
} PassNames;

static bool targets_onnx(const Settings *settings) {
    return settings->target && strcmp(settings->target, "onnx") == 0;
}

// "a,b,c"
static Status names_split(Arena *arena, const char *list, PassNames *ret, Error *err) {
    for (const char *at = list; *at;) {
        size_t bytes = strcspn(at, ",");
        if (!bytes || ret->count == LEVEL_MOST_PASSES)
            return FAIL(err, ERR_USAGE, "--passes is '%s', expected at most %d names with commas between", list,
                        LEVEL_MOST_PASSES);
        TRY_NEW(ret->names[ret->count++] = arena_copy_text(arena, at, bytes, err));
        at += bytes + (at[bytes] == ',');
    }
    return OK;
}

static bool name_among(const PassNames *passes, const char *name) {
    for (size_t i = 0; i < passes->count; i++)
        if (strcmp(passes->names[i], name) == 0)
            return true;
    return false;
}

static Status passes_choose(CommandRun *run, int64_t opset, PassNames *ret, Error *err) {
    const Settings *settings = run->settings;
    if (settings->passes) {
        TRY(names_split(run->arena, settings->passes, ret, err));
    } else {
        LevelWish wish = {.level = settings->level ? (int)strtol(settings->level, NULL, 10) : 2,
                          .only_onnx = targets_onnx(settings),
                          .int8 = settings->quantize && strcmp(settings->quantize, "int8") == 0,
                          .fp16 = settings->quantize && strcmp(settings->quantize, "fp16") == 0,
                          .opset = opset};
        if (settings->quantize && !wish.level)
            return FAIL(err, ERR_USAGE, "--quantize %s needs a level of 1 or more, --level is 0", settings->quantize);
        ret->count = level_passes(wish, ret->names);
    }
    if (settings->dump_after && !name_among(ret, settings->dump_after))
        return FAIL(err, ERR_USAGE, "--dump-after is '%s', which is none of the passes that run", settings->dump_after);
    return OK;
}

// Nodes of a graph and its bodies, by operator.
static void operators_count(const Graph *graph, size_t counts[OP_COUNT], size_t *ret_all) {
    for (size_t n = 0; n < graph->node_count; n++) {
        const Node *node = graph->nodes[n];
        counts[node->op] += node->op != OP_INPUT;
        *ret_all += node->op != OP_INPUT;
        for (size_t i = 0; i < node->attribute_count; i++)
            if (node->attributes[i].kind == ATTRIBUTE_GRAPH)
                operators_count(node->attributes[i].graph, counts, ret_all);
    }
}

typedef struct Summary {
    size_t before[OP_COUNT], after[OP_COUNT];
    size_t all_before, all_after;
    OnnxWritten written;
} Summary;

static void summary_json(const Summary *summary, Buffer *out) {
    buffer_format(out, "{\"nodes\":{\"before\":%zu,\"after\":%zu},\"operators\":{", summary->all_before,
                  summary->all_after);
    const char *comma = "";
    for (OpCode op = 0; op < OP_COUNT; op++) {
        if (!summary->before[op] && !summary->after[op])
            continue;
        buffer_format(out, "%s\"%s\":{\"before\":%zu,\"after\":%zu}", comma, op_name(op), summary->before[op],
                      summary->after[op]);
        comma = ",";
    }
    buffer_format(out, "},\"opset\":%lld,\"bytes\":%llu,\"external_bytes\":%llu}", (long long)summary->written.opset,
                  (unsigned long long)summary->written.bytes, (unsigned long long)summary->written.external_bytes);
}

static void summary_table(const Summary *summary, Buffer *out) {
    buffer_format(out, "%-40s %8s %8s\n", "operator", "before", "after");
    for (OpCode op = 0; op < OP_COUNT; op++)
        if (summary->before[op] || summary->after[op])
            buffer_format(out, "%-40s %8zu %8zu\n", op_name(op), summary->before[op], summary->after[op]);
    buffer_format(out, "%-40s %8zu %8zu\n", "all", summary->all_before, summary->all_after);
    buffer_format(out, "opset %lld, %llu bytes", (long long)summary->written.opset,
                  (unsigned long long)(summary->written.bytes + summary->written.external_bytes));
    if (summary->written.external_bytes)
        buffer_format(out, ", %llu of them external data", (unsigned long long)summary->written.external_bytes);
}

static void dump(void *context, const PassReport *report) {
    CommandRun *run = context;
    const Settings *settings = run->settings;
    if (strcmp(report->name, settings->dump_after) == 0)
        buffer_add_text(&run->out.text, report->text);
}

// ERR_UNSUPPORTED for an operator that only ONNX Runtime has.
static Status operators_check_plain(const Graph *graph, Error *err) {
    for (size_t n = 0; n < graph->node_count; n++) {
        const Node *node = graph->nodes[n];
        const char *name = op_name(node->op);
        if (strncmp(name, "com.", 4) == 0 || node->op == TENSOR_SIMPLIFIED_LAYER_NORMALIZATION)
            return FAIL(err, ERR_UNSUPPORTED,
                        "%%%s is still %s, which only ONNX Runtime has: nothing is written (--target ort writes it)",
                        node->names[0], name);
        for (size_t i = 0; i < node->attribute_count; i++)
            if (node->attributes[i].kind == ATTRIBUTE_GRAPH)
                TRY(operators_check_plain(node->attributes[i].graph, err));
    }
    return OK;
}

static Status model_write(CommandRun *run, const OnnxModel *model, OnnxWritten *ret_written, Error *err) {
    const Settings *settings = run->settings;
    OnnxWriteSettings write = {.opset = settings->opset, .producer_version = HONE_VERSION, .written = ret_written};
    TRY(external_data_choose(settings->external_data, &write, err));
    if (!settings->opset) {
        TRY(onnx_lowest_opset(model->graph, &write.opset, err));
        write.opset = write.opset < model->opset ? model->opset : write.opset;
    }
    return onnx_write(settings->output, model->graph, model->output_names, &write, err);
}

// Reads the model and rewrites it by passes that write nothing newer than `opset` (0: any).
static Status model_rewrite(CommandRun *run, int64_t opset, OnnxModel *ret_model, Summary *summary, Error *err) {
    const Settings *settings = run->settings;
    PassNames passes = {0};
    *summary = (Summary){0};
    run->out.text.bytes = 0; // what was dumped of a rewriting before
    TRY(passes_choose(run, opset, &passes, err));
    TRY(onnx_read(run->arena, run->arguments[0], ret_model, err));
    Graph *graph = ret_model->graph;
    operators_count(graph, summary->before, &summary->all_before);
    TRY(passes_run(graph, passes.names, passes.count, &(PassInputs){0}, settings->dump_after ? dump : NULL, run, err));
    operators_count(graph, summary->after, &summary->all_after);
    return OK;
}

static Status run(CommandRun *run, Error *err) {
    const Settings *settings = run->settings;
    if (!settings->output)
        return FAIL(err, ERR_USAGE, "expected -o FILE, the place for the model that is written");
    OnnxModel model;
    int64_t lowest;
    Summary *summary = arena_array(run->arena, 1, sizeof *summary, err);
    TRY_NEW(summary);
    TRY(model_rewrite(run, 0, &model, summary, err));
    TRY(onnx_lowest_opset(model.graph, &lowest, err));
    // ONNX Runtime's operators may have taken in again what is too new; where they have not, it must not come about.
    if (settings->opset && lowest > settings->opset && !settings->passes)
        TRY(model_rewrite(run, settings->opset, &model, summary, err));
    if (targets_onnx(settings))
        TRY(operators_check_plain(model.graph, err));
    TRY(model_write(run, &model, &summary->written, err));
    if (run->common.json)
        summary_json(summary, &run->out.text);
    else if (!settings->dump_after)
        summary_table(summary, &run->out.text);
    return output_line(&run->out, err);
}

const Command command_opt = {
    .arguments = "IN.onnx",
    .least = 1,
    .most = 1,
    .help = "Rewrites the graph of an ONNX file by passes and writes it as an ONNX file that computes the same.\n",
    .settings_bytes = sizeof(Settings),
    .options = options,
    .json = true,
    .run = run,
};
