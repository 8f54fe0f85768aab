// SPDX-License-Identifier: Apache-2.0
// The roofline of a session's plans on this machine.
#include "measure/limit.h"

#include "base/pool.h"
#include "measure/machine.h"

// At least this long for one run of a plan over `rows` rows. Weights that all fit the last cache are not bound by
// memory.
static double plan_seconds(const Plan *plan, const MachineSpeed *speed, size_t rows, size_t keys, bool cached) {
    const PlanStep *steps;
    size_t count = plan_steps(plan, &steps);
    double seconds = 0;
    for (size_t i = 0; i < count; i++) {
        const Node *node = steps[i].node;
        const OpDef *def = op_def(node->op);
        if (!def->cost)
            continue;
        OpCost cost = def->cost(node, rows, keys);
        bool int8 = node->op == OP_LINEAR && node->inputs[1].constant->scheme == SCHEME_INT8_ROW;
        double reading = cached ? 0 : cost.weight_bytes / speed->read_bytes_per_s;
        double computing = cost.operations / (int8 ? speed->s8_ops_per_s : speed->f32_ops_per_s);
        seconds += reading > computing ? reading : computing;
    }
    return seconds;
}

Status limit_ms(const Session *session, const LimitWork *work, double *ret_ms, Error *err) {
    MachineSpeed speed;
    TRY(machine_measure(session_kernels(session)->level, session_pool(session), &speed, err));
    const Plan *encode = session_encode_plan(session), *decode = session_decode_plan(session);
    const Plan *head = session_head_plan(session);
    bool cached = session_memory(session).packed_bytes < cpu_cache_bytes(3);
    double seconds = 0;
    for (size_t first = 0; first < work->samples; first += work->batch) {
        size_t last = first + work->batch < work->samples ? first + work->batch : work->samples, tokens = 0;
        for (size_t i = first; i < last; i++)
            tokens += work->source_tokens[i];
        size_t rows = (last - first) * work->beams, keys = tokens / (last - first);
        seconds += plan_seconds(encode, &speed, tokens, keys, cached);
        seconds += (double)work->new_tokens *
                   (plan_seconds(decode, &speed, rows, keys, cached) + plan_seconds(head, &speed, rows, keys, cached));
    }
    *ret_ms = seconds * 1e3 / (double)work->samples;
    return OK;
}
