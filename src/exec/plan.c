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
} PlanValue;

typedef struct PlanNode {
    const Node *node;
    const OpDef *def;
    void *state;
    Slab *inputs, *outputs; // filled for each run
    size_t *input_values;   // index in values, or SIZE_MAX for constants and absent inputs
    size_t first_value;     // of its outputs
} PlanNode;

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
        if (p->def->scratch_bytes) {
            const Node *node = p->node;
            Dim rows = node->output_count ? node->types[0].dims[0] : value_type(node->inputs[0]).dims[0];
            size_t bytes =
                p->def->scratch_bytes(node, dim_value(rows, s->most_dims), pool_threads(s->pool), s->most_keys);
            plan->scratch_total = bytes > plan->scratch_total ? bytes : plan->scratch_total;
        }
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

Slab plan_return(const Plan *plan, size_t index) {
    return plan->values[value_index(plan, plan->graph->returns[index])].slab;
}

void plan_run(Plan *plan, const size_t *dims, const StepContext *step) {
    for (size_t i = 0; i < plan->value_count; i++)
        plan->values[i].slab.rows = dim_value(plan->values[i].rows, dims);
    uint64_t before = plan->timing ? clock_ns() : 0, regions = pool_regions(plan->settings.pool);
    for (size_t s = 0; s < plan->step_count; s++) {
        PlanNode *p = &plan->nodes[plan->step_nodes[s]];
        for (size_t k = 0; k < p->node->input_count; k++)
            p->inputs[k] = p->input_values[k] == SIZE_MAX ? (Slab){0} : plan->values[p->input_values[k]].slab;
        for (size_t o = 0; o < p->node->output_count; o++)
            p->outputs[o] = plan->values[p->first_value + o].slab;
        OpRun run = {
            p->node, p->inputs, p->outputs, p->state, plan->scratch, plan->settings.kernels, plan->settings.pool, step};
        p->def->run(&run);
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
