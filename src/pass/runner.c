// SPDX-License-Identifier: Apache-2.0
// Runs passes by name: checks the graph after each, times it, and tells the tracer what changed.
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "graph/print.h"
#include "op/op.h"
#include "pass/pass.h"

#define PASS(name, standard, summary) PassRun pass_##name;
#include "pass/passes.def"
#undef PASS

static const PassInfo passes[] = {
#define PASS(name, standard, summary) {#name, summary, standard, pass_##name},
#include "pass/passes.def"
#undef PASS
};

enum { PASS_COUNT = sizeof passes / sizeof *passes };

const PassInfo *passes_all(size_t *ret_count) {
    *ret_count = PASS_COUNT;
    return passes;
}

static const PassInfo *pass_find(const char *name) {
    for (size_t i = 0; i < PASS_COUNT; i++)
        if (strcmp(passes[i].name, name) == 0)
            return &passes[i];
    return NULL;
}

static bool verifies(const PassInputs *inputs) {
#ifdef NDEBUG
    return inputs->verify;
#else
    (void)inputs;
    return true;
#endif
}

static Status pass_run(Graph *graph, const PassInfo *pass, const PassInputs *inputs, Error *err);

// The same pass over the bodies of If and Loop.
static Status bodies_run(const Graph *graph, const PassInfo *pass, const PassInputs *inputs, Error *err) {
    for (size_t n = 0; n < graph->node_count; n++)
        for (size_t a = 0; a < graph->nodes[n]->attribute_count; a++) {
            Attribute *attribute = &graph->nodes[n]->attributes[a];
            if (attribute->kind != ATTRIBUTE_GRAPH)
                continue;
            Graph *body = graph_copy(graph->arena, attribute->graph, err);
            TRY_NEW(body);
            TRY(pass_run(body, pass, inputs, err));
            attribute->graph = body;
        }
    return OK;
}

static Status pass_run(Graph *graph, const PassInfo *pass, const PassInputs *inputs, Error *err) {
    TRY(pass->run(graph, inputs, err));
    TRY(bodies_run(graph, pass, inputs, err));
    if (verifies(inputs) && op_verify(graph, err) != OK) {
        if (err->status == ERR_FORMAT) // types that do not fit are the pass's fault here
            err->status = ERR_INTERNAL;
        return error_context(err, "after pass %s", pass->name);
    }
    return OK;
}

// One pass between two prints. `text` holds the print before and gets the one after.
static Status pass_run_traced(Graph *graph, const PassInfo *pass, const PassInputs *inputs, Buffer *text,
                              PassTrace *trace, void *context, Error *err) {
    uint64_t start = clock_ns();
    TRY(pass_run(graph, pass, inputs, err));
    PassReport report = {.name = pass->name, .spent_ns = clock_ns() - start};
    Buffer after = {0};
    graph_print(graph, true, &after);
    Status status = buffer_status(&after, err);
    if (status == OK) {
        report.changed = after.bytes != text->bytes || memcmp(after.data, text->data, after.bytes) != 0;
        report.text = after.data;
        trace(context, &report);
    }
    buffer_done(text);
    *text = after;
    return status;
}

static Status passes_run_in(Graph *graph, const char *const *names, size_t count, const PassInputs *inputs,
                            PassTrace *trace, void *context, Error *err) {
    Buffer text = {0};
    if (trace)
        graph_print(graph, true, &text);
    Status status = buffer_status(&text, err);
    for (size_t i = 0; i < count && status == OK; i++) {
        const PassInfo *pass = pass_find(names[i]);
        status = trace ? pass_run_traced(graph, pass, inputs, &text, trace, context, err)
                       : pass_run(graph, pass, inputs, err);
        arena_reset(inputs->scratch);
    }
    buffer_done(&text);
    return status;
}

Status passes_run(Graph *graph, const char *const *names, size_t count, const PassInputs *inputs, PassTrace *trace,
                  void *context, Error *err) {
    for (size_t i = 0; i < count; i++)
        if (!pass_find(names[i]))
            return FAIL(err, ERR_USAGE, "there is no pass '%s'", names[i]);
    Arena scratch;
    arena_init(&scratch, 0);
    PassInputs with_scratch = *inputs;
    with_scratch.scratch = &scratch;
    Status status = passes_run_in(graph, names, count, &with_scratch, trace, context, err);
    arena_done(&scratch);
    return status;
}

Status passes_run_standard(Graph *graph, Error *err) {
    const char *names[PASS_COUNT];
    size_t count = 0;
    for (size_t i = 0; i < PASS_COUNT; i++)
        if (passes[i].standard)
            names[count++] = passes[i].name;
    return passes_run(graph, names, count, &(PassInputs){0}, NULL, NULL, err);
}
