// SPDX-License-Identifier: Apache-2.0
// Plans: liveness and placement of values, preparation of operators, and the loop that runs them.
#include "exec/plan.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "exec/buffers.h"

// A value of the graph: its own buffer, or a view of another value's columns.
typedef struct PlanValue {
    size_t root;          // index of the value whose buffer holds it (itself if it is no view)
    size_t column;        // first column within the root
    size_t root_columns;  // row stride in elements
    size_t element_bytes; // 4 for f32 and i32
    Slab slab;            // data and row_stride fixed at plan time, rows set by each run
    Dim rows;
    size_t made, last; // of a root: nodes between which its bytes are kept (inputs: from 0; returned: to the end)
} PlanValue;

typedef struct PlanNode {
    const Node *node;
    const OpDef *def;
    void *state;
    Slab *inputs, *outputs; // filled for each run
    size_t *input_values;   // index in values, or SIZE_MAX for constants and absent inputs
    size_t first_value;     // of its outputs
} PlanNode;

// Steps that do not run: `to` has the value of `from` instead of what they would make.
typedef struct PlanSkip {
    size_t first, last;
    size_t from, to; // values
} PlanSkip;

struct Plan {
    const Graph *graph;
    PlanSettings settings;
    PlanNode *nodes;
    PlanValue *values;
    size_t value_count;
    PlanStep *steps; // nodes that run, in order
    size_t *step_nodes;
    size_t step_count;
    unsigned char *block;
    size_t block_bytes, unshared_bytes, packed_bytes;
    void *scratch;
    size_t scratch_total;
    bool timing;
    PlanObserver observer;
    PlanSkip skip;
};

// Nodes that read other constants than the graph's, and what is prepared for them while the plan's own is out.
struct PlanVariant {
    Plan *plan;
    size_t *nodes;
    void **states;
    size_t count;
};

static size_t dim_value(Dim dim, const size_t *dims) {
    return dim.variable ? dims[dim.value] : (size_t)dim.value;
}

static size_t value_index(const Plan *plan, Value value) {
    return value.node ? plan->nodes[value.node->index].first_value + (size_t)value.output : SIZE_MAX;
}

static Status check_type(const Node *node, size_t output, Error *err) {
    const ValueType *type = &node->types[output];
    bool columns_known = type->rank == 1 || (type->rank == 2 && !type->dims[1].variable);
    if (!columns_known || dtype_bytes(type->dtype) != 4)
        return FAIL(err, ERR_UNSUPPORTED, "%s '%s': plans run values of f32 or i32 [rows] or [rows, columns]",
                    op_name(node->op), node->names[output]);
    return OK;
}

// Constants are read by the operators that prepare them; everywhere else a plan has bytes for values of nodes only.
static bool input_is_prepared(OpCode op, size_t input) {
    switch (op) {
    case OP_EMBED:
        return input == 1;
    case OP_LINEAR:
        return input == 1 || input == 2 || input == 4;
    case OP_LAYER_NORM:
        return input >= 1;
    case OP_ADD_NORM:
        return input >= 2;
    default:
        return false;
    }
}

static Status check_constants(const Graph *graph, Error *err) {
    for (size_t n = 0; n < graph->node_count; n++) {
        const Node *node = graph->nodes[n];
        for (size_t i = 0; i < node->input_count; i++)
            if (node->inputs[i].constant && !input_is_prepared(node->op, i))
                return FAIL(err, ERR_UNSUPPORTED, "%s '%s': input %zu is the constant '%s'; plans run values of nodes",
                            op_name(node->op), node->output_count ? node->names[0] : "", i,
                            node->inputs[i].constant->name);
    }
    for (size_t r = 0; r < graph->return_count; r++)
        if (graph->returns[r].constant)
            return FAIL(err, ERR_UNSUPPORTED, "graph '%s' returns the constant '%s'; plans run values of nodes",
                        graph->name, graph->returns[r].constant->name);
    return OK;
}

// Numbers all values and resolves views to the buffers they look into.
static Status values_make(Arena *arena, Plan *plan, Error *err) {
    const Graph *graph = plan->graph;
    TRY_NEW(plan->nodes = arena_array(arena, graph->node_count, sizeof *plan->nodes, err));
    for (size_t i = 0; i < graph->node_count; i++) {
        plan->nodes[i] =
            (PlanNode){.node = graph->nodes[i], .def = op_def(graph->nodes[i]->op), .first_value = plan->value_count};
        plan->value_count += graph->nodes[i]->output_count;
    }
    TRY_NEW(plan->values = arena_array(arena, plan->value_count, sizeof *plan->values, err));
    for (size_t i = 0; i < graph->node_count; i++) {
        PlanNode *p = &plan->nodes[i];
        TRY_NEW(p->input_values = arena_array(arena, p->node->input_count, sizeof *p->input_values, err));
        TRY_NEW(p->inputs = arena_array(arena, p->node->input_count, sizeof *p->inputs, err));
        TRY_NEW(p->outputs = arena_array(arena, p->node->output_count, sizeof *p->outputs, err));
        for (size_t k = 0; k < p->node->input_count; k++)
            p->input_values[k] = value_index(plan, p->node->inputs[k]);
        size_t column = 0;
        for (size_t o = 0; o < p->node->output_count; o++) {
            TRY(check_type(p->node, o, err));
            const ValueType *type = &p->node->types[o];
            size_t columns = type->rank == 1 ? 1 : (size_t)type->dims[1].value, self = p->first_value + o;
            PlanValue *value = &plan->values[self];
            *value = (PlanValue){.root = self, .root_columns = columns, .element_bytes = 4, .rows = type->dims[0]};
            if (p->def->view) {
                const PlanValue *of = &plan->values[p->input_values[0]];
                value->root = of->root;
                value->root_columns = of->root_columns;
                value->column = of->column + column;
                column += columns;
            }
            value->slab.columns = columns;
        }
    }
    return OK;
}

// Steps are node indices. A root lives from the node that makes it to the last node that reads it or a view of it;
// inputs live from the start, returned values to the end.
static Status place(Plan *plan, Error *err) {
    const Graph *graph = plan->graph;
    Arena scratch;
    arena_init(&scratch, 0);
    BufferUse *uses = arena_array(&scratch, plan->value_count, sizeof *uses, err);
    Status status = uses ? OK : err->status;
    for (size_t i = 0; i < graph->node_count && status == OK; i++) {
        const PlanNode *p = &plan->nodes[i];
        for (size_t o = 0; o < p->node->output_count; o++) {
            const PlanValue *v = &plan->values[p->first_value + o];
            size_t rows = dim_value(v->rows, plan->settings.most_dims);
            BufferUse *use = &uses[p->first_value + o];
            use->first = use->last = p->node->op == OP_INPUT ? 0 : i;
            use->bytes = v->root == p->first_value + o ? rows * v->root_columns * v->element_bytes : 0;
            plan->unshared_bytes += use->bytes;
        }
        for (size_t k = 0; k < p->node->input_count; k++)
            if (p->input_values[k] != SIZE_MAX)
                uses[plan->values[p->input_values[k]].root].last = i;
    }
    for (size_t r = 0; r < graph->return_count && status == OK; r++)
        if (graph->returns[r].node)
            uses[plan->values[value_index(plan, graph->returns[r])].root].last = graph->node_count;
    for (size_t i = 0; i < plan->value_count && status == OK; i++) {
        plan->values[i].made = uses[i].first;
        plan->values[i].last = uses[i].last;
    }
    if (status == OK)
        status = buffers_place(&scratch, uses, plan->value_count, &plan->block_bytes, err);
    if (status == OK && !(plan->block = memory_map_sparse(plan->block_bytes, err)))
        status = err->status;
    for (size_t i = 0; i < plan->value_count && status == OK; i++) {
        PlanValue *v = &plan->values[i];
        v->slab.row_stride = v->root_columns;
        v->slab.data = plan->block + uses[v->root].ret_offset + v->column * v->element_bytes;
    }
    arena_done(&scratch);
    return status;
}

static void plan_unmap(void *object) {
    Plan *plan = object;
    memory_unmap(plan->block, plan->block_bytes);
    memory_unmap(plan->scratch, plan->scratch_total);
}

// What a node needs of the scratch that all nodes share.
static size_t scratch_bytes(const Plan *plan, const Node *node, const OpDef *def) {
    const PlanSettings *s = &plan->settings;
    Dim rows = node->output_count ? node->types[0].dims[0] : value_type(node->inputs[0]).dims[0];
    return def->scratch_bytes
               ? def->scratch_bytes(node, dim_value(rows, s->most_dims), pool_threads(s->pool), s->most_keys)
               : 0;
}

static Status prepare(Arena *arena, Plan *plan, Error *err) {
    const PlanSettings *s = &plan->settings;
    TRY_NEW(plan->steps = arena_array(arena, plan->graph->node_count, sizeof *plan->steps, err));
    TRY_NEW(plan->step_nodes = arena_array(arena, plan->graph->node_count, sizeof *plan->step_nodes, err));
    for (size_t i = 0; i < plan->graph->node_count; i++) {
        PlanNode *p = &plan->nodes[i];
        if (p->def->prepare) {
            OpPrepare args = {p->node, s->kernels, s->pool, arena, &plan->packed_bytes, s->block};
            TRY(p->def->prepare(&args, &p->state, err));
        }
        size_t bytes = scratch_bytes(plan, p->node, p->def);
        plan->scratch_total = bytes > plan->scratch_total ? bytes : plan->scratch_total;
        if (p->def->view || p->node->op == OP_INPUT)
            continue;
        PlanStep *step = &plan->steps[plan->step_count];
        *step = (PlanStep){.node = p->node, .kernel = p->def->kernel_name ? p->def->kernel_name(p->state) : ""};
        if (p->node->output_count) {
            const PlanValue *v = &plan->values[p->first_value];
            step->offset = (size_t)((unsigned char *)v->slab.data - plan->block);
            step->bytes = dim_value(v->rows, s->most_dims) * v->root_columns * v->element_bytes;
        }
        plan->step_nodes[plan->step_count++] = i;
    }
    TRY_NEW(plan->scratch = memory_map_sparse(plan->scratch_total + 64, err));
    plan->scratch_total += 64;
    return OK;
}

Status plan_make(Arena *arena, const Graph *graph, const PlanSettings *settings, Plan **ret_plan, Error *err) {
    TRY(op_verify(graph, err));
    TRY(check_constants(graph, err));
    Plan *plan = arena_array(arena, 1, sizeof *plan, err);
    TRY_NEW(plan);
    plan->graph = graph;
    plan->settings = *settings;
    size_t *most_dims = arena_array(arena, graph->dim_count, sizeof *most_dims, err);
    TRY_NEW(most_dims);
    memcpy(most_dims, settings->most_dims, graph->dim_count * sizeof *most_dims);
    plan->settings.most_dims = most_dims;
    TRY(values_make(arena, plan, err));
    TRY(arena_on_free(arena, plan_unmap, plan, err));
    TRY(place(plan, err));
    TRY(prepare(arena, plan, err));
    *ret_plan = plan;
    return OK;
}

void *plan_input(const Plan *plan, size_t index) {
    for (size_t i = 0; i < plan->graph->node_count; i++)
        if (plan->graph->nodes[i]->op == OP_INPUT && index-- == 0)
            return plan->values[plan->nodes[i].first_value].slab.data;
    return NULL;
}

Slab plan_value(const Plan *plan, Value value) {
    return plan->values[value_index(plan, value)].slab;
}

Slab plan_return(const Plan *plan, size_t index) {
    return plan_value(plan, plan->graph->returns[index]);
}

void plan_bind(Plan *plan, const size_t *dims) {
    for (size_t i = 0; i < plan->value_count; i++)
        plan->values[i].slab.rows = dim_value(plan->values[i].rows, dims);
}

// `to` may lie where `from` lay, in part or whole: it has bytes from the step that makes it on.
static void value_pass(Plan *plan, const PlanSkip *skip) {
    const Slab *from = &plan->values[skip->from].slab, *to = &plan->values[skip->to].slab;
    memmove(to->data, from->data, from->rows * from->row_stride * plan->values[skip->from].element_bytes);
}

static void node_run(Plan *plan, PlanNode *p, const StepContext *step) {
    for (size_t k = 0; k < p->node->input_count; k++)
        p->inputs[k] = p->input_values[k] == SIZE_MAX ? (Slab){0} : plan->values[p->input_values[k]].slab;
    for (size_t o = 0; o < p->node->output_count; o++)
        p->outputs[o] = plan->values[p->first_value + o].slab;
    OpRun run = {p->node, p->inputs, p->outputs, p->state, plan->scratch, plan->settings.kernels, plan->settings.pool,
                 step};
    p->def->run(&run);
}

void plan_run_steps(Plan *plan, size_t first, size_t last, const StepContext *step) {
    uint64_t before = plan->timing ? clock_ns() : 0, regions = pool_regions(plan->settings.pool);
    for (size_t s = first; s < last; s++) {
        if (s >= plan->skip.first && s < plan->skip.last) {
            if (s == plan->skip.first)
                value_pass(plan, &plan->skip);
            continue;
        }
        PlanNode *p = &plan->nodes[plan->step_nodes[s]];
        node_run(plan, p, step);
        if (plan->timing) {
            uint64_t now = clock_ns();
            plan->steps[s].spent_ns += now - before;
            plan->steps[s].regions += pool_regions(plan->settings.pool) - regions;
            regions = pool_regions(plan->settings.pool);
            plan->steps[s].runs++;
            before = now;
        }
        if (plan->observer.seen)
            plan->observer.seen(plan->observer.context, plan->graph, p->node, p->inputs, p->outputs);
    }
}

void plan_run(Plan *plan, const size_t *dims, const StepContext *step) {
    plan_bind(plan, dims);
    plan_run_steps(plan, 0, plan->step_count, step);
}

// Bytes of a value that steps from the one of `node` on read and nodes before it made; 0 for any other.
static size_t kept_bytes(const Plan *plan, size_t value, size_t node) {
    const PlanValue *v = &plan->values[value];
    bool alive = v->root == value && v->made < node && v->last >= node;
    return alive ? v->slab.rows * v->root_columns * v->element_bytes : 0;
}

size_t plan_state_bytes(const Plan *plan, size_t step) {
    size_t bytes = 0;
    for (size_t i = 0; i < plan->value_count; i++)
        bytes += kept_bytes(plan, i, plan->step_nodes[step]);
    return bytes;
}

void plan_state_save(const Plan *plan, size_t step, void *ret_state) {
    unsigned char *to = ret_state;
    for (size_t i = 0; i < plan->value_count; i++) {
        size_t bytes = kept_bytes(plan, i, plan->step_nodes[step]);
        memcpy(to, plan->values[i].slab.data, bytes);
        to += bytes;
    }
}

void plan_state_restore(Plan *plan, size_t step, const void *state) {
    const unsigned char *from = state;
    for (size_t i = 0; i < plan->value_count; i++) {
        size_t bytes = kept_bytes(plan, i, plan->step_nodes[step]);
        memcpy(plan->values[i].slab.data, from, bytes);
        from += bytes;
    }
}

void plan_skip(Plan *plan, size_t first, size_t last, Value from, Value to) {
    plan->skip = (PlanSkip){first, last};
    if (first < last) {
        plan->skip.from = value_index(plan, from);
        plan->skip.to = value_index(plan, to);
    }
}

static const Constant *constant_called(const Constant *constants, size_t count, const Constant *constant) {
    for (size_t i = 0; constant && i < count; i++)
        if (strcmp(constants[i].name, constant->name) == 0)
            return &constants[i];
    return NULL;
}

static Status scratch_grow(Plan *plan, size_t bytes, Error *err) {
    if (bytes + 64 <= plan->scratch_total)
        return OK;
    void *grown = memory_map_sparse(bytes + 64, err);
    TRY_NEW(grown);
    memory_unmap(plan->scratch, plan->scratch_total);
    plan->scratch = grown;
    plan->scratch_total = bytes + 64;
    return OK;
}

// Prepares `node` as if it read the other constants.
static Status variant_add(Arena *arena, PlanVariant *variant, const Node *node, const Constant *constants, size_t count,
                          Error *err) {
    Plan *plan = variant->plan;
    const OpDef *def = op_def(node->op);
    Node other = *node;
    size_t packed_bytes = 0;
    TRY_NEW(other.inputs = arena_array(arena, node->input_count, sizeof *other.inputs, err));
    TRY_NEW(other.types = arena_array(arena, node->output_count, sizeof *other.types, err));
    for (size_t i = 0; i < node->input_count; i++) {
        const Constant *constant = constant_called(constants, count, node->inputs[i].constant);
        other.inputs[i] = constant ? value_constant(constant) : node->inputs[i];
    }
    TRY(op_infer(&other, err));
    for (size_t o = 0; o < node->output_count; o++)
        if (!type_equal(&other.types[o], &node->types[o]))
            return FAIL(err, ERR_FORMAT, "%s '%s': the other constant gives an output of another type",
                        op_name(node->op), node->names[o]);
    OpPrepare args = {&other, plan->settings.kernels, plan->settings.pool, arena, &packed_bytes, NULL};
    TRY(def->prepare(&args, &variant->states[variant->count], err));
    TRY(scratch_grow(plan, scratch_bytes(plan, &other, def), err));
    variant->nodes[variant->count++] = node->index;
    return OK;
}

Status plan_variant_make(Arena *arena, Plan *plan, const Constant *constants, size_t count, PlanVariant **ret_variant,
                         Error *err) {
    PlanVariant *variant = arena_array(arena, 1, sizeof *variant, err);
    TRY_NEW(variant);
    variant->plan = plan;
    TRY_NEW(variant->nodes = arena_array(arena, plan->graph->node_count, sizeof *variant->nodes, err));
    TRY_NEW(variant->states = arena_array(arena, plan->graph->node_count, sizeof *variant->states, err));
    for (size_t n = 0; n < plan->graph->node_count; n++) {
        const Node *node = plan->graph->nodes[n];
        bool reads = false;
        for (size_t i = 0; i < node->input_count; i++)
            reads |= constant_called(constants, count, node->inputs[i].constant) != NULL;
        if (reads)
            TRY(variant_add(arena, variant, node, constants, count, err));
    }
    *ret_variant = variant;
    return OK;
}

void plan_variant_swap(PlanVariant *variant) {
    for (size_t i = 0; i < variant->count; i++) {
        PlanNode *p = &variant->plan->nodes[variant->nodes[i]];
        void *state = p->state;
        p->state = variant->states[i];
        variant->states[i] = state;
    }
}

void plan_observe(Plan *plan, PlanObserver observer) {
    plan->observer = observer;
}

size_t plan_steps(const Plan *plan, const PlanStep **ret_steps) {
    *ret_steps = plan->steps;
    return plan->step_count;
}

void plan_set_timing(Plan *plan, bool on) {
    plan->timing = on;
}

size_t plan_block_bytes(const Plan *plan) {
    return plan->block_bytes;
}

size_t plan_unshared_bytes(const Plan *plan) {
    return plan->unshared_bytes;
}

size_t plan_packed_bytes(const Plan *plan) {
    return plan->packed_bytes;
}

const Graph *plan_graph(const Plan *plan) {
    return plan->graph;
}
