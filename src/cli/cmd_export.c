// SPDX-License-Identifier: Apache-2.0
// hone export: a model folder as ONNX files in the layout that Hugging Face's optimum loads.
#include <string.h>

#include "cli/command.h"
#include "cli/external_data.h"
#include "compress/rewrite.h"
#include "format/onnx/export.h"
#include "format/onnx/onnx.h"
#include "format/onnx/write.h"
#include "model/model.h"
#include "pass/levels.h"
#include "pass/pass.h"

typedef struct Settings {
    const char *output, *format, *parts, *external_data, *int8, *optimize, *target, *dynamic_axes;
    int64_t opset, batch_size, source_tokens, target_tokens;
} Settings;

enum { OPSET_LAST = 22 };

#define DATA_FILE "model.onnx_data"

static const Option options[] = {
    {"output", 'o', "OUT", "the folder to write", OPTION_TEXT, offsetof(Settings, output)},
    {"format", 0, "NAME", "what to write (default: onnx)", OPTION_TEXT, offsetof(Settings, format), .choices = "onnx"},
    {"opset", 0, "N", "ONNX's opset (default: 14, or the lowest above it that can)", OPTION_INT,
     offsetof(Settings, opset), .low = ONNX_WRITE_FIRST, .high = OPSET_LAST},
    {"parts", 0, "A,B", "some of encoder, decoder, decoder_with_past, merged (default: all)", OPTION_TEXT,
     offsetof(Settings, parts)},
    {"dynamic-axes", 0, "A,B",
     "what a run may choose: some of batch, source and target (lengths), or none (default: all); the others are fixed, "
     "in all parts but merged",
     OPTION_TEXT, offsetof(Settings, dynamic_axes)},
    {"batch-size", 0, "N", "a fixed batch (default: 1)", OPTION_INT, offsetof(Settings, batch_size), .low = 1,
     .high = 1 << 20},
    {"source-tokens", 0, "N", "a fixed length of sources (default: the most the model takes)", OPTION_INT,
     offsetof(Settings, source_tokens), .low = 1, .high = 1 << 20},
    {"target-tokens", 0, "N", "a fixed number of decoder tokens in a run (default: 1)", OPTION_INT,
     offsetof(Settings, target_tokens), .low = 1, .high = 1 << 20},
    {"external-data", 0, "WHEN",
     "whether tensors lie in one file that all parts share, " DATA_FILE ": always, never, auto (the default: with "
     "several parts, or one of more than 1G), or SIZE: with a part of more than that",
     OPTION_TEXT, offsetof(Settings, external_data)},
    {"int8", 0, "HOW",
     "products of int8 rows: integer, by ONNX's own integer operators, activations quantized as the model's are or "
     "each as a whole (the default); dequantize, weights made real when the file is run",
     OPTION_TEXT, offsetof(Settings, int8), .choices = "integer|dequantize"},
    {"target", 0, "NAME",
     "ort: com.microsoft's operators for weights of 4 bits, and what --optimize makes (the default); onnx: ONNX's own "
     "operators only",
     OPTION_TEXT, offsetof(Settings, target), .choices = "ort|onnx"},
    {"optimize", 0, "LEVEL", "passes as 'hone opt --level' runs them (default: 0, none)", OPTION_TEXT,
     offsetof(Settings, optimize), .choices = "0|1|2|99"},
    {0},
};

typedef struct Export {
    CommandRun *run;
    const Settings *settings;
    const Model *model;
    char *staging;
    bool wanted[EXPORT_PART_COUNT];
    ExportSizes sizes;
    OnnxPart files[EXPORT_PART_COUNT]; // of those that are wanted, in order
    ExportPart part_of[EXPORT_PART_COUNT];
    size_t nodes[EXPORT_PART_COUNT]; // of each file, with those of bodies
    size_t file_count;
    uint64_t data_bytes; // of the file that they share
} Export;

static Status parts_choose(Export *e, Error *err) {
    const char *list = e->settings->parts ? e->settings->parts : "encoder,decoder,decoder_with_past,merged";
    for (const char *at = list; *at;) {
        size_t bytes = strcspn(at, ","), part = 0;
        while (part < EXPORT_PART_COUNT &&
               (strlen(export_part_names[part]) != bytes || memcmp(at, export_part_names[part], bytes) != 0))
            part++;
        if (part == EXPORT_PART_COUNT)
            return FAIL(err, ERR_USAGE,
                        "--parts is '%s', expected some of encoder, decoder, decoder_with_past, merged with commas "
                        "between",
                        list);
        e->wanted[part] = true;
        at += bytes + (at[bytes] == ',');
    }
    for (size_t part = 0; part < EXPORT_PART_COUNT; part++)
        if (e->wanted[part])
            return OK;
    return FAIL(err, ERR_USAGE, "--parts is empty");
}

// The sizes of axes that --dynamic-axes does not leave open.
static Status sizes_choose(const Export *e, ExportSizes *ret, Error *err) {
    const Settings *s = e->settings;
    const ModelInfo *info = model_info(e->model);
    static const char *const names[] = {"batch", "source", "target"};
    const int64_t asked[] = {s->batch_size, s->source_tokens, s->target_tokens};
    int64_t sizes[] = {s->batch_size ? s->batch_size : 1,
                       s->source_tokens ? s->source_tokens : (int64_t)info->most_positions,
                       s->target_tokens ? s->target_tokens : 1};
    const char *list = !s->dynamic_axes                  ? "batch,source,target"
                       : strcmp(s->dynamic_axes, "none") ? s->dynamic_axes
                                                         : "";
    for (const char *at = list; *at;) {
        size_t bytes = strcspn(at, ","), axis = 0;
        while (axis < 3 && (strlen(names[axis]) != bytes || memcmp(at, names[axis], bytes) != 0))
            axis++;
        if (axis == 3)
            return FAIL(err, ERR_USAGE, "--dynamic-axes is '%s', expected some of batch, source, target, or none",
                        list);
        if (asked[axis])
            return FAIL(err, ERR_USAGE, "--dynamic-axes leaves '%s' open, and a size of it is given", names[axis]);
        sizes[axis] = 0;
        at += bytes + (at[bytes] == ',');
    }
    if (sizes[1] > (int64_t)info->most_positions || sizes[2] > (int64_t)info->most_positions)
        return FAIL(err, ERR_USAGE, "the model takes %zu tokens at most, --source-tokens or --target-tokens is more",
                    info->most_positions);
    *ret = (ExportSizes){sizes[0], sizes[1], sizes[2]};
    if ((sizes[0] || sizes[1] || sizes[2]) && s->parts && e->wanted[EXPORT_MERGED])
        return FAIL(err, ERR_USAGE, "the merged part has open axes only: leave it out of --parts, or --dynamic-axes");
    return OK;
}

static size_t nodes_count(const Graph *graph) {
    size_t count = 0;
    for (size_t n = 0; n < graph->node_count; n++) {
        const Node *node = graph->nodes[n];
        count += node->op != OP_INPUT;
        for (size_t i = 0; i < node->attribute_count; i++)
            if (node->attributes[i].kind == ATTRIBUTE_GRAPH)
                count += nodes_count(node->attributes[i].graph);
    }
    return count;
}

// PassInputs'. An int8 head is the word table, turned (export.h): computed, it would be there twice.
static size_t most_constant_bytes(const Graph *head) {
    for (size_t c = 0; c < head->constant_count; c++)
        if (head->constants[c]->scheme == SCHEME_INT8_ROW)
            return 1 << 16;
    return 0;
}

// A part's graph, gone through the passes of its level.
static Status part_make(const Export *e, ExportPart part, LevelWish wish, OnnxPart *ret_file, Graph **ret_graph,
                        Error *err) {
    const SessionModel *session = model_session(e->model);
    const Settings *settings = e->settings;
    ExportSource source = {.encode = session->encode,
                           .decode = session->decode,
                           .head = session->head,
                           .opset = settings->opset ? settings->opset : ONNX_WRITE_FIRST,
                           .only_onnx = wish.only_onnx,
                           .dequantize = settings->int8 && strcmp(settings->int8, "dequantize") == 0,
                           .sizes = e->sizes};
    const char **names, *passes[LEVEL_MOST_PASSES];
    TRY(export_part(e->run->arena, &source, part, ret_graph, &names, err));
    TRY(passes_run(*ret_graph, passes, level_passes(wish, passes),
                   &(PassInputs){.most_constant_bytes = most_constant_bytes(session->head)}, NULL, NULL, err));
    *ret_file = (OnnxPart){.graph = *ret_graph, .output_names = names};
    TRY_NEW(ret_file->path = path_join(e->run->arena, e->staging, export_part_files[part], err));
    return OK;
}

// What ONNX Runtime's operators take in again may pass through newer ones of ONNX; where such are left, the part is
// made anew without them.
static Status part_add(Export *e, ExportPart part, Error *err) {
    const Settings *settings = e->settings;
    LevelWish wish = {.level = settings->optimize ? (int)strtol(settings->optimize, NULL, 10) : 0,
                      .only_onnx = settings->target && strcmp(settings->target, "onnx") == 0};
    int64_t lowest;
    Graph *graph;
    OnnxPart *file = &e->files[e->file_count];
    TRY(part_make(e, part, wish, file, &graph, err));
    TRY(onnx_lowest_opset(graph, &lowest, err));
    if (settings->opset && lowest > settings->opset) {
        wish.opset = settings->opset;
        TRY(part_make(e, part, wish, file, &graph, err));
    }
    e->part_of[e->file_count] = part;
    e->nodes[e->file_count++] = nodes_count(graph);
    return OK;
}

static Status parts_write(Export *e, const OnnxWriteSettings *write, Error *err) {
    for (ExportPart part = 0; part < EXPORT_PART_COUNT; part++)
        if (e->wanted[part])
            TRY(part_add(e, part, err));
    char *data = path_join(e->run->arena, e->staging, DATA_FILE, err);
    TRY_NEW(data);
    TRY(onnx_write_parts(e->files, e->file_count, data, write, err));
    e->data_bytes = e->files[0].written.external_bytes;
    return OK;
}

static Status file_copy(Export *e, const char *name, Error *err) {
    char *from = path_join(e->run->arena, model_info(e->model)->folder, name, err);
    TRY_NEW(from);
    if (path_kind(from) != PATH_FILE)
        return OK;
    char *to = path_join(e->run->arena, e->staging, name, err);
    Bytes bytes;
    TRY_NEW(to);
    TRY(file_map(e->run->arena, from, &bytes, err));
    return file_replace(to, bytes.data, bytes.size, err);
}

static Status folder_fill(Export *e, const OnnxWriteSettings *write, Error *err) {
    char **names;
    size_t count;
    TRY(folder_list(e->run->arena, model_info(e->model)->folder, &names, &count, err));
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], "config.json") == 0 || rewrite_copies(names[i]))
            TRY(file_copy(e, names[i], err));
    return parts_write(e, write, err);
}

static void report_json(const Export *e, Buffer *out) {
    uint64_t all = e->data_bytes;
    for (size_t i = 0; i < e->file_count; i++)
        all += e->files[i].written.bytes;
    buffer_format(out, "{\"weight_bytes\":%zu,\"bytes\":%llu,\"data_file\":%s,\"data_bytes\":%llu,\"files\":[",
                  model_info(e->model)->weight_bytes, (unsigned long long)all,
                  e->data_bytes ? "\"" DATA_FILE "\"" : "null", (unsigned long long)e->data_bytes);
    for (size_t i = 0; i < e->file_count; i++) {
        const OnnxWritten *w = &e->files[i].written;
        buffer_format(out,
                      "%s{\"part\":\"%s\",\"file\":\"%s\",\"opset\":%lld,\"nodes\":%zu,\"bytes\":%llu,"
                      "\"external_bytes\":%llu}",
                      i ? "," : "", export_part_names[e->part_of[i]], path_name(e->files[i].path), (long long)w->opset,
                      e->nodes[i], (unsigned long long)w->bytes, (unsigned long long)w->external_bytes);
    }
    buffer_add_text(out, "]}");
}

static void report_text(const Export *e, Buffer *out) {
    for (size_t i = 0; i < e->file_count; i++) {
        const OnnxWritten *w = &e->files[i].written;
        buffer_format(out, "%s%-18s %-30s opset %lld, %zu nodes, %llu bytes", i ? "\n" : "",
                      export_part_names[e->part_of[i]], path_name(e->files[i].path), (long long)w->opset, e->nodes[i],
                      (unsigned long long)w->bytes);
    }
    if (e->data_bytes)
        buffer_format(out, "\n%-18s %-30s %llu bytes", "their weights", DATA_FILE, (unsigned long long)e->data_bytes);
}

static Status run(CommandRun *run, Error *err) {
    Export e = {.run = run, .settings = run->settings};
    OnnxWriteSettings write = {.opset = e.settings->opset, .producer_version = HONE_VERSION};
    const char *output = e.settings->output;
    bool onnx;
    if (!output)
        return FAIL(err, ERR_USAGE, "expected -o OUT, the folder to write");
    TRY(parts_choose(&e, err));
    TRY(external_data_choose(e.settings->external_data, &write, err));
    TRY(onnx_is_file(run->arena, run->arguments[0], &onnx, err));
    if (onnx)
        return FAIL(err, ERR_UNSUPPORTED, "'%s' is an ONNX file already; exported are model folders and checkpoints",
                    run->arguments[0]);
    TRY(folder_stage_check(run->arena, output, false, err));
    TRY(model_open(run->arena, run->arguments[0], false, &e.model, err));
    TRY(sizes_choose(&e, &e.sizes, err));
    TRY(folder_stage(run->arena, output, false, &e.staging, err));
    Status status = folder_fill(&e, &write, err);
    if (status == OK)
        status = folder_commit(e.staging, output, err);
    if (status != OK) {
        folder_discard(e.staging);
        return status;
    }
    (run->common.json ? report_json : report_text)(&e, &run->out.text);
    return output_line(&run->out, err);
}

const Command command_export = {
    .arguments = "MODEL",
    .least = 1,
    .most = 1,
    .help =
        "Writes a model as ONNX files beside its settings and tokenizer, in the layout that optimum's\n"
        "ORTModelForSeq2SeqLM loads. Weights keep their type: F16 and BF16 are cast where they are used, int8 rows\n"
        "multiplied as integers (--int8), 4 bits by ONNX Runtime's own operators or decoded (--target onnx).\n",
    .settings_bytes = sizeof(Settings),
    .options = options,
    .json = true,
    .run = run,
};
