// SPDX-License-Identifier: Apache-2.0
// The roofline of a session's plans on this machine.
#include "measure/limit.h"

// What runs of plans need: bytes of weights, and seconds of arithmetic.
typedef struct Need {
    double weight_bytes, seconds;
} Need;

static bool multiplies_integers(const Node *node) {
    return node->op == OP_LINEAR && node->inputs[1].constant->scheme != SCHEME_DENSE;
}

// One run of a plan over `rows` rows, whose attentions see `keys` keys of sources and `past` of the decoder's own.
static Need plan_need(const Plan *plan, const MachineSpeed *speed, size_t rows, size_t keys, size_t past) {
    const PlanStep *steps;
    size_t count = plan_steps(plan, &steps);
    Need need = {0};
    for (size_t i = 0; i < count; i++) {
        const Node *node = steps[i].node;
        const OpDef *def = op_def(node->op);
        bool attends = node->op == OP_ATTENTION || node->op == OP_ATTENTION_CACHED || node->op == OP_ATTENTION_CROSS;
        if (!attends && node->op != OP_LINEAR)
            continue;
        OpCost cost = def->cost(node, rows, node->op == OP_ATTENTION_CACHED ? past : keys);
        need.weight_bytes += cost.weight_bytes;
        need.seconds += cost.operations / (multiplies_integers(node) ? speed->s8_ops_per_s : speed->f32_ops_per_s);
    }
    return need;
}

static double larger(double a, double b) {
    return a > b ? a : b;
}

static double batch_seconds(const Session *session, const LimitWork *work, const MachineSpeed *speed,
                            size_t cache_bytes, size_t sources, size_t tokens) {
    // Weights that all fit the last cache are not bound by memory.
    double per_byte = session_memory(session).packed_bytes < cache_bytes ? 0 : 1 / speed->read_bytes_per_s;
    size_t keys = tokens / sources, past = (work->new_tokens + 1) / 2; // at least the means
    size_t rows = sources * work->beams;
    Need encode = plan_need(session_plan(session, SESSION_ENCODE), speed, tokens, keys, 0);
    double seconds = larger(encode.weight_bytes * per_byte, encode.seconds);
    double kv_bytes = work->kv_token_bytes * (double)(tokens + sources * past);
    double kv_seconds = larger(kv_bytes - (double)cache_bytes, 0) / speed->read_bytes_per_s;
    for (size_t step = 0; step < work->new_tokens; step++) {
        // All beams of a source begin alike.
        size_t step_rows = step ? rows : sources;
        Need decode = plan_need(session_plan(session, SESSION_DECODE), speed, step_rows, keys, past);
        Need head = plan_need(session_plan(session, SESSION_HEAD), speed, step_rows, keys, past);
        seconds +=
            larger((decode.weight_bytes + head.weight_bytes) * per_byte + kv_seconds, decode.seconds + head.seconds);
    }
    return seconds;
}

double limit_ms_at(const Session *session, const LimitWork *work, const MachineSpeed *speed, size_t cache_bytes) {
    double seconds = 0;
    for (size_t first = 0; first < work->samples; first += work->batch) {
        size_t last = first + work->batch < work->samples ? first + work->batch : work->samples, tokens = 0;
        for (size_t i = first; i < last; i++)
            tokens += work->source_tokens[i];
        seconds += batch_seconds(session, work, speed, cache_bytes, last - first, tokens);
    }
    return seconds * 1e3 / (double)work->samples;
}

Status limit_ms(const Session *session, const LimitWork *work, double *ret_ms, Error *err) {
    MachineSpeed speed;
    TRY(machine_measure(session_kernels(session)->level, session_pool(session), &speed, err));
    *ret_ms = limit_ms_at(session, work, &speed, cpu_cache_bytes(3));
    return OK;
}
