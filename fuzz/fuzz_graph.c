// SPDX-License-Identifier: Apache-2.0
// Fuzz target: a graph's text. What parses is well-formed, prints, and parses back to the same text; if its types hold,
// every pass leaves it well-formed and does nothing more the second time.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "graph/print.h"
#include "op/op.h"
#include "pass/pass.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// The text in the arena; ends the program when it cannot be made.
static Bytes printed(Arena *arena, const Graph *graph) {
    Error err;
    Buffer buffer = {0};
    graph_print(graph, true, &buffer);
    char *text = buffer_status(&buffer, &err) == OK ? arena_copy_text(arena, buffer.data, buffer.bytes, &err) : NULL;
    if (!text)
        abort();
    Bytes bytes = {(const unsigned char *)text, buffer.bytes};
    buffer_done(&buffer);
    return bytes;
}

static bool equal(Bytes a, Bytes b) {
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

static void run_pass(Arena *arena, const Graph *graph, const PassInfo *pass) {
    Error err;
    PassInputs inputs = {.rules = &(QuantizeRule){"*", SCHEME_INT8_ROW}, .rule_count = 1, .verify = true};
    Graph *copy = graph_copy(arena, graph, &err);
    if (!copy || !equal(printed(arena, copy), printed(arena, graph)))
        abort();
    Status status = passes_run(copy, &pass->name, 1, &inputs, NULL, NULL, &err);
    if (status == ERR_FORMAT || status == ERR_LIMIT) // infinite weights; more outputs than a node may have
        return;
    if (status != OK)
        abort();
    Bytes once = printed(arena, copy);
    if (passes_run(copy, &pass->name, 1, &inputs, NULL, NULL, &err) != OK || !equal(printed(arena, copy), once))
        abort();
}

static void try_text(Arena *arena, Bytes text) {
    Error err;
    Graph *graph, *again;
    if (graph_parse(arena, "text", text, &graph, &err) != OK)
        return;
    if (graph_verify(graph, &err) != OK)
        abort();
    Bytes first = printed(arena, graph);
    if (first.size > GRAPH_MOST_TEXT_BYTES) // types may be written shorter than they print
        return;
    if (graph_parse(arena, "print", first, &again, &err) != OK || !equal(printed(arena, again), first))
        abort();
    if (op_verify(graph, &err) != OK)
        return;
    size_t count;
    const PassInfo *passes = passes_all(&count);
    for (size_t p = 0; p < count; p++)
        run_pass(arena, graph, &passes[p]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    memory_init();
    Arena arena;
    arena_init(&arena, 0);
    try_text(&arena, (Bytes){data, size});
    arena_done(&arena);
    return 0;
}
