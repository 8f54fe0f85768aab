// SPDX-License-Identifier: Apache-2.0
// The evaluator: frames (one run of one graph or body), blocks (memory of values, counted), programs (what is known of
// a graph beforehand).
#include "exec/evaluator.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "op/tensor/evaluate.h"

// Memory of one or more values (views share it). `next` chains those that are free.
typedef struct Block {
    struct Block *next;
    size_t bytes, whole_bytes, references; // for values, allocated, values in it
    unsigned char *data;                   // 64-byte aligned, within this allocation
} Block;

// A graph with its numbering of values: node n's outputs are values [first[n], first[n] + output_count).
typedef struct Program {
    struct Program *next;
    const Graph *graph;
    size_t *first;
    size_t *last_reader; // [values] the node that reads it last; SIZE_MAX: the graph returns it
    size_t values, inputs;
    void **states;        // [nodes] what prepare made
    const Node **readers; // [nodes] the node that alone reads its only output, or NULL
    bool *taken;          // [nodes] its first input's node does its work too
    struct Slot *slots;   // [values] of the frame that runs it: a body is never within itself
    Arena scratch;        // of that frame
} Program;

typedef struct Slot {
    Tensor tensor;
    Block *block; // NULL: memory of the caller, of a constant, or of an outer frame
} Slot;

// Results of bodies that ran for the node being evaluated.
typedef struct BodyResults {
    struct BodyResults *next;
    size_t count, room; // results, and how many there is room for
    Slot *slots;
    Tensor *tensors; // the slots', for the operator
} BodyResults;

struct Evaluator {
    Arena arena;
    EvaluatorSettings settings;
    Program *programs; // the graph's own last
    Program *main;
    Block *free;
    size_t held_bytes, peak_bytes, packed_bytes;
    Slot *results; // [main's returns]
    Tensor *result_tensors;
    int depth;
};

typedef struct Frame {
    Evaluator *evaluator;
    const Program *program;
    Slot *slots;
    size_t node;   // being evaluated
    Slot *outputs; // its outputs, until it is done
    const Slot **inputs;
    BodyResults *bodies;
    BodyResults *spare; // done with, to be used again
    Arena *scratch;
} Frame;

enum { BLOCK_ALIGNMENT = 64, INPUT_TEXT_BYTES = 200 };

// Gives the free blocks back to the heap.
static void blocks_free(Evaluator *e) {
    for (Block *next, *block = e->free; block; block = next) {
        next = block->next;
        e->held_bytes -= block->whole_bytes;
        memory_free(block);
    }
    e->free = NULL;
}

// The smallest free block that fits and is not more than twice as large, else a new one.
static Status block_take(Evaluator *e, size_t bytes, Block **ret, Error *err) {
    Block **best = NULL;
    for (Block **at = &e->free; *at; at = &(*at)->next)
        if ((*at)->bytes >= bytes && (*at)->bytes / 2 <= bytes && (!best || (*at)->bytes < (*best)->bytes))
            best = at;
    Block *block;
    if (best) {
        block = *best;
        *best = block->next;
    } else {
        size_t whole;
        if (!size_add(bytes, sizeof *block + BLOCK_ALIGNMENT, &whole))
            return FAIL(err, ERR_LIMIT, "%zu bytes are more than this machine can address", bytes);
        if (e->settings.limit_bytes && whole > e->settings.limit_bytes - e->held_bytes)
            blocks_free(e); // of other sizes
        if (e->settings.limit_bytes && whole > e->settings.limit_bytes - e->held_bytes)
            return FAIL(err, ERR_LIMIT, "%zu bytes more than the %zu held would pass the limit of %zu", whole,
                        e->held_bytes, e->settings.limit_bytes);
        TRY_NEW(block = memory_new(1, whole, err));
        *block = (Block){.bytes = bytes, .whole_bytes = whole};
        uintptr_t data = (uintptr_t)(block + 1);
        block->data = (unsigned char *)(block + 1) + (-data & (BLOCK_ALIGNMENT - 1));
        e->held_bytes += whole;
        e->peak_bytes = e->held_bytes > e->peak_bytes ? e->held_bytes : e->peak_bytes;
    }
    block->references = 1;
    *ret = block;
    return OK;
}

static void block_release(Evaluator *e, Block *block) {
    if (!block || --block->references)
        return;
    block->next = e->free;
    e->free = block;
}

static void slot_release(Evaluator *e, Slot *slot) {
    block_release(e, slot->block);
    *slot = (Slot){.tensor.dtype = DTYPE_COUNT};
}

static Slot slot_share(const Slot *slot) {
    if (slot->block)
        slot->block->references++;
    return *slot;
}

static Frame *frame_of(const Evaluation *run) {
    return run->host_context;
}

static Status host_output(Evaluation *run, size_t index, size_t bytes, void **ret_data, Error *err) {
    Frame *frame = frame_of(run);
    Block *block = NULL;
    TRY(block_take(frame->evaluator, bytes, &block, err));
    block_release(frame->evaluator, frame->outputs[index].block);
    frame->outputs[index].block = block;
    *ret_data = block->data;
    return OK;
}

static Status host_view(Evaluation *run, size_t index, size_t input, Error *err) {
    (void)err;
    Frame *frame = frame_of(run);
    const Slot *from = frame->inputs[input];
    block_release(frame->evaluator, frame->outputs[index].block);
    frame->outputs[index].block = from ? slot_share(from).block : NULL;
    return OK;
}

static Status host_result(Evaluation *run, size_t index, const Tensor *result, Error *err) {
    Frame *frame = frame_of(run);
    for (BodyResults *b = frame->bodies; b; b = b->next)
        if (result >= b->tensors && result < b->tensors + b->count) {
            block_release(frame->evaluator, frame->outputs[index].block);
            frame->outputs[index].block = slot_share(&b->slots[result - b->tensors]).block;
            return OK;
        }
    return FAIL(err, ERR_INTERNAL, "%s: what output %zu takes over is no body's result", evaluate_name(run), index);
}

static Status program_make(Evaluator *e, const Graph *graph, Program **ret, Error *err);
static Status program_run(Evaluator *e, Program *program, Frame *outer, const Tensor *inputs, Slot *ret_results,
                          Error *err);

static Status body_run(Frame *frame, const Graph *body, const Tensor *inputs, size_t count, BodyResults *results,
                       Error *err) {
    Evaluator *e = frame->evaluator;
    Program *program = e->programs;
    while (program && program->graph != body)
        program = program->next;
    if (!program)
        TRY(program_make(e, body, &program, err));
    if (program->inputs != count)
        return FAIL(err, ERR_FORMAT, "body '%s' takes %zu inputs, %zu are given", body->name, program->inputs, count);
    return program_run(e, program, frame, inputs, results->slots, err);
}

static Status results_take(Frame *frame, size_t count, BodyResults **ret, Error *err) {
    BodyResults *results = frame->spare;
    if (results && results->room >= count) {
        frame->spare = results->next;
    } else {
        TRY_NEW(results = arena_array(frame->scratch, 1, sizeof *results, err));
        TRY_NEW(results->slots = arena_array(frame->scratch, count, sizeof *results->slots, err));
        TRY_NEW(results->tensors = arena_array(frame->scratch, count, sizeof *results->tensors, err));
        results->room = count;
    }
    results->count = 0;
    *ret = results;
    return OK;
}

static Status host_body(Evaluation *run, const Graph *body, const Tensor *inputs, size_t count,
                        const Tensor **ret_results, Error *err) {
    Frame *frame = frame_of(run);
    Evaluator *e = frame->evaluator;
    BodyResults *results = NULL;
    TRY(results_take(frame, body->return_count, &results, err));
    if (e->depth + 1 >= GRAPH_MOST_DEPTH)
        return FAIL(err, ERR_LIMIT, "%s: more than %d bodies within bodies", evaluate_name(run), GRAPH_MOST_DEPTH - 1);
    e->depth++;
    Status status = body_run(frame, body, inputs, count, results, err);
    e->depth--;
    TRY(status);
    results->count = body->return_count;
    for (size_t i = 0; i < results->count; i++)
        results->tensors[i] = results->slots[i].tensor;
    results->next = frame->bodies;
    frame->bodies = results;
    *ret_results = results->tensors;
    return OK;
}

static void results_drop(Frame *frame, BodyResults *results) {
    for (size_t i = 0; i < results->count; i++)
        slot_release(frame->evaluator, &results->slots[i]);
    results->next = frame->spare;
    frame->spare = results;
}

static void host_done(Evaluation *run, const Tensor *results) {
    Frame *frame = frame_of(run);
    for (BodyResults **at = &frame->bodies; *at; at = &(*at)->next)
        if ((*at)->tensors == results) {
            BodyResults *done = *at;
            *at = done->next;
            results_drop(frame, done);
            return;
        }
}

static const EvaluateHost host = {host_output, host_view, host_body, host_result, host_done};

// The memory of the results goes with the scratch.
static void bodies_release(Frame *frame) {
    for (BodyResults *next, *b = frame->bodies; b; b = next) {
        next = b->next;
        results_drop(frame, b);
    }
    frame->bodies = frame->spare = NULL;
}

static size_t value_number(const Program *program, Value value) {
    return program->first[value.node->index] + (size_t)value.output;
}

static Tensor constant_tensor(const Constant *constant) {
    Tensor tensor = {
        .name = constant->name, .dtype = constant->dtype, .shape = constant->shape, .data = constant->data};
    if (!shape_bytes(&constant->shape, constant->dtype, &tensor.bytes))
        tensor.bytes = 0; // graph_verify has seen to it that this cannot be
    return tensor;
}

static Status constant_check(const char *reader, const Constant *constant, Error *err) {
    if (constant_is_plain(constant))
        return OK;
    return FAIL(err, ERR_UNSUPPORTED, "'%s' reads constant '%s', which has no dense values", reader, constant->name);
}

static Status node_prepare(Evaluator *e, Program *program, const Node *node, Error *err) {
    const OpDef *def = op_def(node->op);
    if (node->op == OP_INPUT) {
        program->inputs++;
        return OK;
    }
    if (!def->evaluate)
        return FAIL(err, ERR_UNSUPPORTED, "operator %s of '%s' does not run on whole tensors", op_name(node->op),
                    node->output_count ? node->names[0] : "");
    for (size_t i = 0; i < node->input_count; i++)
        if (node->inputs[i].constant)
            TRY(constant_check(node->names[0], node->inputs[i].constant, err));
    bool takes_reader = false;
    OpPrepare args = {.node = node,
                      .kernels = e->settings.kernels,
                      .pool = e->settings.pool,
                      .arena = &e->arena,
                      .ret_packed_bytes = &e->packed_bytes,
                      .reader = program->readers[node->index],
                      .ret_takes_reader = &takes_reader};
    if (def->prepare && !program->taken[node->index])
        TRY(def->prepare(&args, &program->states[node->index], err));
    if (takes_reader)
        program->taken[args.reader->index] = true;
    return OK;
}

// Which nodes have one output that one node reads, once, and nobody else.
static Status readers_find(Evaluator *e, Program *program, Error *err) {
    const Graph *graph = program->graph;
    size_t *uses = arena_array(&e->arena, graph->node_count, sizeof *uses, err);
    TRY_NEW(uses);
    TRY_NEW(program->readers = arena_array(&e->arena, graph->node_count, sizeof(Node *), err));
    TRY_NEW(program->taken = arena_array(&e->arena, graph->node_count, sizeof *program->taken, err));
    graph_count_uses(graph, uses); // returns among them
    for (size_t n = 0; n < graph->node_count; n++)
        for (size_t i = 0; i < graph->nodes[n]->input_count; i++) {
            const Node *made = graph->nodes[n]->inputs[i].node;
            if (made && uses[made->index] == 1 && made->output_count == 1)
                program->readers[made->index] = graph->nodes[n];
        }
    return OK;
}

static Status program_make(Evaluator *e, const Graph *graph, Program **ret, Error *err) {
    Program *program = arena_array(&e->arena, 1, sizeof *program, err);
    TRY_NEW(program);
    program->graph = graph;
    TRY_NEW(program->first = arena_array(&e->arena, graph->node_count, sizeof *program->first, err));
    TRY_NEW(program->states = arena_array(&e->arena, graph->node_count, sizeof *program->states, err));
    TRY(readers_find(e, program, err));
    for (size_t n = 0; n < graph->node_count; n++) {
        program->first[n] = program->values;
        program->values += graph->nodes[n]->output_count;
    }
    TRY_NEW(program->last_reader = arena_array(&e->arena, program->values, sizeof *program->last_reader, err));
    for (size_t n = 0; n < graph->node_count; n++) {
        const Node *node = graph->nodes[n];
        TRY(node_prepare(e, program, node, err));
        for (size_t o = 0; o < node->output_count; o++)
            program->last_reader[program->first[n] + o] = n; // read by nobody: gone when the node is done
        for (size_t i = 0; i < node->input_count; i++)
            if (node->inputs[i].node)
                program->last_reader[value_number(program, node->inputs[i])] = n;
    }
    for (size_t r = 0; r < graph->return_count; r++) {
        if (graph->returns[r].node)
            program->last_reader[value_number(program, graph->returns[r])] = SIZE_MAX;
        else
            TRY(constant_check(graph->name, graph->returns[r].constant, err));
    }
    TRY_NEW(program->slots = arena_array(&e->arena, program->values, sizeof *program->slots, err));
    arena_init(&program->scratch, e->settings.limit_bytes);
    program->next = e->programs;
    e->programs = program;
    *ret = program;
    return OK;
}

// Gathers the inputs of the frame's node and evaluates it; its outputs go into their slots.
static Status node_run(Frame *frame, const Node *node, Error *err) {
    Evaluator *e = frame->evaluator;
    const Program *program = frame->program;
    Tensor *inputs = arena_array(frame->scratch, node->input_count, sizeof *inputs, err);
    Tensor *outputs = arena_array(frame->scratch, node->output_count, sizeof *outputs, err);
    TRY_NEW(inputs);
    TRY_NEW(outputs);
    TRY_NEW(frame->inputs = arena_array(frame->scratch, node->input_count, sizeof *frame->inputs, err));
    frame->outputs = &frame->slots[program->first[node->index]];
    for (size_t i = 0; i < node->input_count; i++) {
        Value value = node->inputs[i];
        if (value.node)
            frame->inputs[i] = &frame->slots[value_number(program, value)];
        inputs[i] = value.constant ? constant_tensor(value.constant)
                    : value.node   ? frame->inputs[i]->tensor
                                   : (Tensor){.dtype = DTYPE_COUNT};
    }
    Evaluation run = {.node = node,
                      .inputs = inputs,
                      .outputs = outputs,
                      .state = program->states[node->index],
                      .kernels = e->settings.kernels,
                      .pool = e->settings.pool,
                      .scratch = frame->scratch,
                      .host = &host,
                      .host_context = frame};
    for (size_t o = 0; o < node->output_count; o++)
        outputs[o].dtype = DTYPE_COUNT;
    Status status = op_def(node->op)->evaluate(&run, err);
    for (size_t o = 0; o < node->output_count; o++)
        frame->outputs[o].tensor = outputs[o];
    bodies_release(frame);
    return status;
}

// Gives back what node n was the last to read, and outputs of its own that nobody reads.
static void values_release(Frame *frame, const Node *node) {
    const Program *program = frame->program;
    for (size_t i = 0; i < node->input_count; i++)
        if (node->inputs[i].node && program->last_reader[value_number(program, node->inputs[i])] == node->index)
            slot_release(frame->evaluator, &frame->slots[value_number(program, node->inputs[i])]);
    for (size_t o = 0; o < node->output_count; o++)
        if (program->last_reader[program->first[node->index] + o] == node->index)
            slot_release(frame->evaluator, &frame->slots[program->first[node->index] + o]);
}

// A body's input that is a value of the node around it, or a result of that node's bodies, shares its block: the body's
// results may be views of it.
static Slot slot_from(Frame *outer, const Tensor *input) {
    Slot slot = {.tensor = *input};
    const Node *node = outer ? outer->program->graph->nodes[outer->node] : NULL;
    for (size_t i = 0; node && i < node->input_count; i++)
        if (outer->inputs[i] && outer->inputs[i]->block && outer->inputs[i]->tensor.data == input->data)
            slot.block = outer->inputs[i]->block;
    for (BodyResults *b = outer ? outer->bodies : NULL; b; b = b->next)
        for (size_t i = 0; i < b->count; i++)
            if (b->slots[i].block && b->tensors[i].data == input->data)
                slot.block = b->slots[i].block;
    return slot_share(&slot);
}

// The node's work was done with that of its first input: the value becomes its own.
static void result_pass_on(Frame *frame, const Node *node) {
    const Program *program = frame->program;
    Slot *slot = &frame->slots[program->first[node->index]];
    *slot = slot_share(&frame->slots[value_number(program, node->inputs[0])]);
    slot->tensor.name = node->names[0];
}

static Status frame_run(Frame *frame, Frame *outer, const Tensor *inputs, Slot *ret_results, Error *err) {
    const Graph *graph = frame->program->graph;
    size_t input = 0;
    for (size_t n = 0; n < graph->node_count; n++) {
        const Node *node = graph->nodes[n];
        frame->node = n;
        if (node->op == OP_INPUT) {
            frame->slots[frame->program->first[n]] = slot_from(outer, &inputs[input++]);
            continue;
        }
        if (frame->program->taken[n])
            result_pass_on(frame, node);
        else
            TRY(node_run(frame, node, err));
        values_release(frame, node);
        arena_reset(frame->scratch);
    }
    for (size_t r = 0; r < graph->return_count; r++) {
        Value value = graph->returns[r];
        if (value.node && frame->slots[value_number(frame->program, value)].tensor.dtype == DTYPE_COUNT)
            return FAIL(err, ERR_UNSUPPORTED, "'%s' is returned, but %s did not compute it",
                        value.node->names[value.output], op_name(value.node->op));
    }
    for (size_t r = 0; r < graph->return_count; r++) {
        Value value = graph->returns[r];
        ret_results[r] = value.constant ? (Slot){.tensor = constant_tensor(value.constant)}
                                        : slot_share(&frame->slots[value_number(frame->program, value)]);
    }
    return OK;
}

static Status program_run(Evaluator *e, Program *program, Frame *outer, const Tensor *inputs, Slot *ret_results,
                          Error *err) {
    Frame frame = {.evaluator = e, .program = program, .slots = program->slots, .scratch = &program->scratch};
    for (size_t v = 0; v < program->values; v++)
        frame.slots[v] = (Slot){.tensor.dtype = DTYPE_COUNT};
    Status status = frame_run(&frame, outer, inputs, ret_results, err);
    bodies_release(&frame);
    for (size_t v = 0; v < program->values; v++)
        slot_release(e, &frame.slots[v]);
    arena_reset(&program->scratch);
    return status;
}

static Status evaluator_fill(Evaluator *e, const Graph *graph, Error *err) {
    TRY_NEW(e->results = arena_array(&e->arena, graph->return_count, sizeof *e->results, err));
    TRY_NEW(e->result_tensors = arena_array(&e->arena, graph->return_count, sizeof *e->result_tensors, err));
    return program_make(e, graph, &e->main, err);
}

Status evaluator_new(const Graph *graph, const EvaluatorSettings *settings, Evaluator **ret_evaluator, Error *err) {
    Evaluator *e = memory_new(1, sizeof *e, err);
    TRY_NEW(e);
    *e = (Evaluator){.settings = *settings};
    arena_init(&e->arena, 0);
    Status status = evaluator_fill(e, graph, err);
    if (status == OK)
        *ret_evaluator = e;
    else
        evaluator_free(e);
    return status;
}

static void results_release(Evaluator *e) {
    for (size_t r = 0; e->results && e->main && r < e->main->graph->return_count; r++)
        slot_release(e, &e->results[r]);
}

void evaluator_free(Evaluator *evaluator) {
    if (!evaluator)
        return;
    results_release(evaluator);
    blocks_free(evaluator);
    for (Program *program = evaluator->programs; program; program = program->next)
        arena_done(&program->scratch);
    arena_done(&evaluator->arena);
    memory_free(evaluator);
}

// "f32[B,3]": what an input node takes.
static const char *type_text(const Graph *graph, const ValueType *type, char ret_text[INPUT_TEXT_BYTES]) {
    size_t used = (size_t)snprintf(ret_text, INPUT_TEXT_BYTES, "%s[", dtype_name(type->dtype));
    for (int i = 0; i < type->rank && used < INPUT_TEXT_BYTES; i++) {
        const Dim *dim = &type->dims[i];
        char number[24] = "?";
        if (!dim->variable)
            snprintf(number, sizeof number, "%lld", (long long)dim->value);
        const char *name = dim->variable && dim->value != DIM_UNKNOWN ? graph->dims[dim->value] : number;
        used += (size_t)snprintf(ret_text + used, INPUT_TEXT_BYTES - used, "%s%.60s", i ? "," : "", name);
    }
    if (used < INPUT_TEXT_BYTES)
        snprintf(ret_text + used, INPUT_TEXT_BYTES - used, "]");
    return ret_text;
}

static Status input_check(const Graph *graph, const Node *node, const Tensor *tensor, Error *err) {
    const ValueType *type = &node->types[0];
    char found[SHAPE_TEXT_BYTES], expected[INPUT_TEXT_BYTES];
    if (type->rank < 0)
        return OK;
    if (tensor->dtype != type->dtype || tensor->shape.rank != type->rank)
        return FAIL(err, ERR_FORMAT, "input '%s' is %s%s, expected %s", node->names[0], dtype_name(tensor->dtype),
                    shape_text(&tensor->shape, found), type_text(graph, type, expected));
    for (int i = 0; i < type->rank; i++)
        if (!type->dims[i].variable && type->dims[i].value != tensor->shape.dims[i])
            return FAIL(err, ERR_FORMAT, "dimension %d of input '%s' is %lld in %s%s, expected %lld as in %s", i,
                        node->names[0], (long long)tensor->shape.dims[i], dtype_name(tensor->dtype),
                        shape_text(&tensor->shape, found), (long long)type->dims[i].value,
                        type_text(graph, type, expected));
    return OK;
}

static Status inputs_check(const Graph *graph, const Tensor *inputs, Error *err) {
    size_t input = 0;
    for (size_t n = 0; n < graph->node_count; n++)
        if (graph->nodes[n]->op == OP_INPUT)
            TRY(input_check(graph, graph->nodes[n], &inputs[input++], err));
    return OK;
}

Status evaluator_run(Evaluator *evaluator, const Tensor *inputs, const Tensor **ret_results, Error *err) {
    Evaluator *e = evaluator;
    const Graph *graph = e->main->graph;
    TRY(inputs_check(graph, inputs, err));
    results_release(e);
    TRY(program_run(e, e->main, NULL, inputs, e->results, err));
    for (size_t r = 0; r < graph->return_count; r++)
        e->result_tensors[r] = e->results[r].tensor;
    *ret_results = e->result_tensors;
    return OK;
}

size_t evaluator_peak_bytes(const Evaluator *evaluator) {
    return evaluator->peak_bytes;
}

size_t evaluator_packed_bytes(const Evaluator *evaluator) {
    return evaluator->packed_bytes;
}
