// SPDX-License-Identifier: Apache-2.0
// hone explain: the plans of a model step by step: operator, shapes, kernel, buffer, bytes, operations, measured time.
#include <string.h>

#include "cli/explain_engine.h"
#include "cli/runtime.h"
#include "graph/print.h"

typedef struct Settings {
    RuntimeFlags runtime;
    int64_t source_tokens, steps, rows; // 0: not given
} Settings;

enum { SOURCE_TOKENS = 128, STEPS = 16 };

static const Option options[] = {
    {"source-tokens", 0, "N", "tokens of the source (default: 128)", OPTION_INT, offsetof(Settings, source_tokens),
     .low = 1, .high = 1e6},
    {"steps", 0, "N", "decode steps to time (default: 16)", OPTION_INT, offsetof(Settings, steps), .low = 1,
     .high = 1e6},
    {"rows", 0, "N", "rows of a decode step (beams of the source)", OPTION_INT, offsetof(Settings, rows), .low = 1,
     .high = 512},
    {.kind = OPTION_TABLE, .table = runtime_options, .offset = offsetof(Settings, runtime)},
    {0},
};

// One encode and `steps` decode steps of `rows` beams that never meet, over made-up tokens.
static Status drive(CommandRun *run, const Settings *settings, Session *session, Error *err) {
    size_t tokens = (size_t)settings->source_tokens, steps = (size_t)settings->steps, rows = (size_t)settings->rows;
    size_t vocabulary = session_model(session)->vocabulary;
    int32_t *ids = arena_array(run->arena, tokens, sizeof *ids, err);
    TRY_NEW(ids);
    for (size_t t = 0; t < tokens; t++)
        ids[t] = (int32_t)((t * 7919 + 4) % vocabulary);
    int32_t *slots = arena_array(run->arena, rows * steps, sizeof *slots, err);
    TRY_NEW(slots);
    DecodeRow *decode = arena_array(run->arena, rows, sizeof *decode, err);
    TRY_NEW(decode);
    Source *source;
    TRY(session_open(session, tokens, rows * steps, &source, err));
    EncodeItem item = {source, ids, NULL, tokens, tokens};
    Status status = session_encode(session, &item, 1, NULL, err);
    for (size_t s = 0; s < steps && status == OK; s++) {
        for (size_t r = 0; r < rows; r++) {
            slots[r * steps + s] = source_take_slot(source);
            decode[r] = (DecodeRow){
                source, (int32_t)((s * 31 + r * 17 + 4) % vocabulary), (int32_t)s, slots + r * steps, s + 1, true};
        }
        float *logits;
        status = session_decode(session, decode, rows, &logits, err);
    }
    session_close(session, source);
    return status;
}

// "linear f32[128,768] x s8/row[3072,768] -> f32[128,3072]", with the run's rows for the graph's variables.
static void shape_print(Buffer *text, const Node *node, size_t rows) {
    buffer_format(text, "%s", op_name(node->op));
    for (size_t i = 0; i < node->input_count; i++) {
        const Constant *c = node->inputs[i].constant;
        char shape[SHAPE_TEXT_BYTES];
        if (c && c->shape.rank == 2) {
            buffer_add_char(text, ' ');
            graph_print_scheme(c, text);
            buffer_add_text(text, shape_text(&c->shape, shape));
        }
    }
    if (node->output_count)
        buffer_format(text, " -> [%zu,%lld]", rows,
                      node->types[0].rank > 1 ? (long long)node->types[0].dims[1].value : 1LL);
}

static void step_print(CommandRun *run, Session *session, const char *graph, size_t index, const PlanStep *step,
                       size_t rows, size_t keys) {
    Buffer *text = &run->out.text;
    const OpDef *def = op_def(step->node->op);
    OpCost cost = def->cost ? def->cost(step->node, rows, keys) : (OpCost){0};
    double regions = step->runs ? (double)step->regions / (double)step->runs : 0;
    double us = step->runs ? (double)step->spent_ns / (double)step->runs * 1e-3 : 0;
    Buffer shape = {0};
    shape_print(&shape, step->node, rows);
    const char *name = step->node->output_count ? step->node->names[0] : "";
    if (run->common.json) {
        buffer_format(text, "{\"graph\":\"%s\",\"step\":%zu,\"op\":\"%s\",\"name\":", graph, index,
                      op_name(step->node->op));
        buffer_add_json(text, name, strlen(name));
        buffer_add_text(text, ",\"shape\":");
        buffer_add_json(text, shape.data ? shape.data : "", shape.bytes);
        buffer_format(text,
                      ",\"kernel\":\"%s\",\"offset\":%zu,\"bytes\":%zu,\"weight_bytes\":%.0f,\"operations\":%.0f,"
                      "\"us\":%.2f,\"regions\":%.2f",
                      step->kernel, step->offset, step->bytes, cost.weight_bytes, cost.operations, us, regions);
    } else
        buffer_format(text, "%3zu  %-58s %-18s @%-10zu %9.2f MB %8.3f Gop %10.1f us  %s", index,
                      shape.data ? shape.data : "", step->kernel, step->offset, cost.weight_bytes / 1e6,
                      cost.operations / 1e9, us, name);
    explain_choice(run, session, step->node, rows, text);
    if (run->common.json)
        buffer_add_char(text, '}');
    buffer_done(&shape);
}

static Status plan_print(CommandRun *run, Session *session, const char *name, const Plan *plan, size_t rows,
                         size_t keys, Error *err) {
    const PlanStep *steps;
    size_t count = plan_steps(plan, &steps);
    double total = 0, regions = 0;
    if (!run->common.json) {
        buffer_format(
            &run->out.text,
            "%s: %zu steps, %zu rows, intermediates %.1f MB in one block (%.1f MB without sharing), packed %.1f MB",
            name, count, rows, (double)plan_block_bytes(plan) / 1e6, (double)plan_unshared_bytes(plan) / 1e6,
            (double)plan_packed_bytes(plan) / 1e6);
        TRY(output_line(&run->out, err));
    }
    for (size_t i = 0; i < count; i++) {
        step_print(run, session, name, i, &steps[i], rows, keys);
        TRY(output_line(&run->out, err));
        total += steps[i].runs ? (double)steps[i].spent_ns / (double)steps[i].runs * 1e-3 : 0;
        regions += steps[i].runs ? (double)steps[i].regions / (double)steps[i].runs : 0;
    }
    if (run->common.json)
        return OK;
    buffer_format(&run->out.text, "%s: %.1f us in all, %.1f regions of the threads\n", name, total, regions);
    return output_line(&run->out, err);
}

// How the model runs, and what its hone.json says of that.
static Status settings_print(CommandRun *run, const Runtime *runtime, Error *err) {
    const RuntimeSettings *settings = &runtime->settings;
    const RuntimeAdvice *advice = &runtime->info->advice;
    const Session *session = engine_session(runtime->engine);
    Buffer *text = &run->out.text;
    double token = (double)session_page_bytes(session_model(session), settings->kv_kind) / KV_BLOCK_TOKENS;
    double pool = (double)session_memory(session).kv_bytes;
    if (run->common.json) {
        json_t *line =
            json_pack("{s:s, s:f, s:f, s:b, s:b, s:o}", "kv_type", kv_kind_name(settings->kv_kind), "kv_token_kb",
                      token / 1e3, "kv_pool_mb", pool / 1e6, "lm_head_screen", settings->lm_head_screen,
                      "lookup_decoding", settings->lookup_decoding, "recommended", advice_json(advice));
        Status status = output_json(&run->out, line, err);
        json_decref(line);
        return status;
    }
    buffer_format(text, "K/V: %s, %.3f kB a token in all layers, a pool of %.1f MB", kv_kind_name(settings->kv_kind),
                  token / 1e3, pool / 1e6);
    if (advice_is_there(advice)) {
        buffer_add_text(text, "\nhone.json recommends ");
        advice_print(advice, text);
        buffer_add_text(text, settings->plain ? ": left off by --plain-runtime" : "");
    }
    return output_line(&run->out, err);
}

// What was not asked for is as usual, or what a small model can take.
static void choose(int64_t *value, int64_t usual, size_t most) {
    if (!*value)
        *value = usual < (int64_t)most ? usual : (int64_t)most;
}

static Status run(CommandRun *run, Error *err) {
    Settings asked = *(const Settings *)run->settings;
    Runtime *runtime;
    size_t rows = (size_t)asked.rows;
    TRY(command_runtime(run, &asked.runtime, run->arguments[0], (rows + 7) / 8, &runtime, err));
    Session *session = engine_session(runtime->engine);
    size_t most = runtime->info->most_positions;
    choose(&asked.source_tokens, SOURCE_TOKENS, most);
    choose(&asked.steps, STEPS, most);
    size_t tokens = (size_t)asked.source_tokens;
    if (tokens > most || (size_t)asked.steps > most)
        return FAIL(err, ERR_USAGE, "--source-tokens and --steps may be at most the model's %zu positions", most);
    TRY(explain_origin(run, session, err));
    TRY(drive(run, &asked, session, err));
    session_set_timing(session, true);
    TRY(drive(run, &asked, session, err));
    TRY(plan_print(run, session, "encode", session_plan(session, SESSION_ENCODE), tokens, tokens, err));
    TRY(plan_print(run, session, "decode", session_plan(session, SESSION_DECODE), rows, tokens, err));
    TRY(plan_print(run, session, "head", session_plan(session, SESSION_HEAD), rows, tokens, err));
    TRY(explain_region(run, runtime->pool, err));
    return settings_print(run, runtime, err);
}

const Command command_explain = {
    .arguments = "MODEL",
    .least = 1,
    .most = 1,
    .help =
        "Runs a model on made-up tokens and prints its plans: each step's operator and shapes, kernel, place of its\n"
        "result in the block of intermediates, bytes of weights, operations, and measured time; for products with\n"
        "weights the tile, and the kernels and tiles that were timed for it; where the packed weights came from; and\n"
        "how keys and values are kept, with what the model's hone.json recommends.\n",
    .settings_bytes = sizeof(Settings),
    .defaults = &(const Settings){.rows = 1},
    .options = options,
    .json = true,
    .run = run,
};
