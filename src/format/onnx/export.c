// SPDX-License-Identifier: Apache-2.0
// The parts: their inputs, what each takes out of the packed graphs, and their outputs.
#include "format/onnx/export.h"

#include <string.h>

#include "format/onnx/exporter.h"
#include "op/op.h"

const char *const export_part_names[EXPORT_PART_COUNT] = {"encoder", "decoder", "decoder_with_past", "merged"};
const char *const export_part_files[EXPORT_PART_COUNT] = {"encoder_model.onnx", "decoder_model.onnx",
                                                          "decoder_with_past_model.onnx", "decoder_model_merged.onnx"};

// Heads of a decoder layer's attentions and their widths.
typedef struct LayerHeads {
    int64_t own, own_dim, cross, cross_dim;
} LayerHeads;

typedef struct Job {
    Arena *arena;
    const ExportSource *source;
    LayerHeads *heads; // [layers]
    size_t layers;
    int64_t width;
    bool uneven; // heads are not everywhere those of the encoder
} Job;

// What the decoder's graphs read. `states` absent: cross keys are in `past`.
typedef struct DecoderInputs {
    Value mask, ids, states, use_cache;
    LayerKeys *own, *cross; // [layers]; NULL: none
} DecoderInputs;

typedef struct Outputs {
    Value *values;
    const char **names;
    size_t count;
} Outputs;

// Whoever starts without a past gives the merged model something in its place, which optimum makes as if all heads were
// the encoder's.
static void evenness_read(Job *job) {
    const Graph *encode = job->source->encode;
    for (size_t n = 0; n < encode->node_count; n++) {
        const Node *node = encode->nodes[n];
        if (node->op != OP_ATTENTION)
            continue;
        int64_t heads = node_int(node, "heads", 1), dim = value_type(node->inputs[0]).dims[1].value / heads;
        for (size_t i = 0; i < job->layers; i++) {
            LayerHeads h = job->heads[i];
            job->uneven |= h.own != heads || h.cross != heads || h.own_dim != dim || h.cross_dim != dim;
        }
    }
}

static Status heads_read(Job *job, Error *err) {
    const Graph *decode = job->source->decode;
    TRY_NEW(job->heads = arena_array(job->arena, decode->node_count, sizeof *job->heads, err));
    for (size_t n = 0; n < decode->node_count; n++) {
        const Node *node = decode->nodes[n];
        if (node->op != OP_ATTENTION_CACHED && node->op != OP_ATTENTION_CROSS)
            continue;
        int64_t layer = node_int(node, "layer", 0), heads = node_int(node, "heads", 1);
        int64_t dim = value_type(node->inputs[0]).dims[1].value / heads;
        if (layer < 0 || (size_t)layer >= decode->node_count)
            return FAIL(err, ERR_INTERNAL, "attention '%s' is of layer %lld", node->names[0], (long long)layer);
        if (node->op == OP_ATTENTION_CROSS) {
            job->heads[layer].cross = heads;
            job->heads[layer].cross_dim = dim;
            continue;
        }
        job->heads[layer].own = heads;
        job->heads[layer].own_dim = dim;
        job->layers = (size_t)layer + 1 > job->layers ? (size_t)layer + 1 : job->layers;
    }
    job->width = value_type(job->source->encode->returns[0]).dims[1].value;
    evenness_read(job);
    return OK;
}

static Value ids_input(Exporter *x, const char *name, const char *length) {
    Dim dims[] = {export_dim(x, "batch_size"), export_dim(x, length)};
    return export_input(x, name, DTYPE_I64, 2, dims);
}

static Value *values_room(Exporter *x, const Job *job, size_t count) {
    Value *values = x->status == OK ? arena_array(job->arena, count, sizeof *values, x->err) : NULL;
    if (!values)
        export_fail(x, x->err->status);
    return values;
}

static LayerKeys *keys_room(Exporter *x, const Job *job) {
    LayerKeys *keys = x->status == OK ? arena_array(job->arena, job->layers, sizeof *keys, x->err) : NULL;
    if (!keys)
        export_fail(x, x->err->status);
    return keys;
}

static Value past_input(Exporter *x, size_t layer, const char *what, const char *length, int64_t heads, int64_t dim) {
    Dim dims[] = {export_dim(x, "batch_size"),
                  {!heads, heads ? heads : DIM_UNKNOWN},
                  export_dim(x, length),
                  {!heads, heads ? dim : DIM_UNKNOWN}};
    return export_input(x, export_text(x, "past_key_values.%zu.%s", layer, what), DTYPE_F32, 4, dims);
}

static DecoderInputs decoder_inputs(Exporter *x, const Job *job, bool states, bool past) {
    DecoderInputs in = {.mask = ids_input(x, "encoder_attention_mask", "encoder_sequence_length"),
                        .ids = ids_input(x, "input_ids", "decoder_sequence_length")};
    if (states) {
        Dim dims[] = {export_dim(x, "batch_size"), export_dim(x, "encoder_sequence_length"), {false, job->width}};
        in.states = export_input(x, "encoder_hidden_states", DTYPE_F32, 3, dims);
    }
    if (past) {
        in.own = keys_room(x, job);
        in.cross = keys_room(x, job);
    }
    for (size_t i = 0; i < job->layers && past && x->status == OK; i++) {
        const char *own = "past_decoder_sequence_length", *cross = "encoder_sequence_length";
        LayerHeads h = states && job->uneven ? (LayerHeads){0} : job->heads[i];
        in.own[i].key = past_input(x, i, "decoder.key", own, h.own, h.own_dim);
        in.own[i].value = past_input(x, i, "decoder.value", own, h.own, h.own_dim);
        in.cross[i].key = past_input(x, i, "encoder.key", cross, h.cross, h.cross_dim);
        in.cross[i].value = past_input(x, i, "encoder.value", cross, h.cross, h.cross_dim);
    }
    return in;
}

// start, start + 1, ... for each column of `ids`; *ret_end: one more than the last.
static Value positions_of(Exporter *x, Value ids, Value past, Value *ret_end) {
    Value one = export_int(x, 1), start = export_int(x, 0);
    Value end = export_binary(x, TENSOR_GATHER, "length", export_unary(x, TENSOR_SHAPE, "ids.shape", ids), one);
    if (!value_absent(past)) {
        start = export_binary(x, TENSOR_GATHER, "past", export_unary(x, TENSOR_SHAPE, "past.shape", past),
                              export_int(x, 2));
        end = export_binary(x, TENSOR_ADD, "end", start, end);
    }
    if (ret_end)
        *ret_end = end;
    return export_node(x, TENSOR_RANGE, "positions", (Value[]){start, end, one}, 3, NULL, 0);
}

// A packed graph's input by its name.
static void input_set(const Graph *source, Value *values, const char *name, Value value) {
    Value input;
    if (graph_find_value(source, name, &input))
        values[input.node->index] = value;
}

static void output_add(Exporter *x, Outputs *out, Value value, const char *name) {
    out->values[out->count] = value;
    out->names[out->count] = name;
    out->count += x->status == OK;
}

static Outputs outputs_room(Exporter *x, const Job *job) {
    Outputs out = {.values = values_room(x, job, 1 + 4 * job->layers)};
    if (x->status == OK && !(out.names = arena_array(job->arena, 1 + 4 * job->layers, sizeof *out.names, x->err)))
        export_fail(x, x->err->status);
    return out;
}

static Outputs encoder_fill(Exporter *x, const Job *job) {
    const Graph *encode = job->source->encode;
    Value ids = ids_input(x, "input_ids", "encoder_sequence_length");
    Value mask = ids_input(x, "attention_mask", "encoder_sequence_length");
    Value *values = values_room(x, job, encode->node_count);
    Outputs out = outputs_room(x, job);
    if (x->status != OK)
        return out;
    input_set(encode, values, "ids", ids);
    input_set(encode, values, "positions", positions_of(x, ids, (Value){0}, NULL));
    x->source_mask = export_source_mask(x, mask);
    export_translate(x, encode, values, encode->returns, 1);
    output_add(x, &out, values[encode->returns[0].node->index], "last_hidden_state");
    return out;
}

// Keys and values that every decoder layer makes of the encoder's states.
static LayerKeys *cross_keys(Exporter *x, const Job *job, Value states) {
    const Graph *encode = job->source->encode;
    Value *values = values_room(x, job, encode->node_count);
    LayerKeys *keys = keys_room(x, job);
    if (x->status != OK)
        return keys;
    values[encode->returns[0].node->index] = states;
    for (size_t n = 0; n < encode->node_count && x->status == OK; n++) {
        const Node *node = encode->nodes[n];
        int64_t layer = node_int(node, "layer", -1), heads = node_int(node, "heads", 1);
        if (node->op != OP_CROSS_STORE || layer < 0 || (size_t)layer >= job->layers)
            continue;
        export_translate(x, encode, values, node->inputs, 2);
        Value *made[] = {&keys[layer].key, &keys[layer].value};
        for (size_t i = 0; i < 2; i++)
            *made[i] =
                export_split_heads(x, node->inputs[i].node->names[0], values[node->inputs[i].node->index], node, heads);
    }
    return keys;
}

static Value logits_of(Exporter *x, const Job *job, Value states) {
    const Graph *head = job->source->head;
    Value *values = values_room(x, job, head->node_count);
    if (x->status != OK)
        return states;
    input_set(head, values, "states", states);
    x->head = true;
    export_translate(x, head, values, head->returns, 1);
    x->head = false;
    return values[head->returns[0].node->index];
}

// Of no rows, where the merged model's other branch gives a layer's keys: they have not changed.
static Value no_rows(Exporter *x, Value keys) {
    Value zero = export_ints(x, (const int64_t[]){0}, 1);
    return export_node(x, TENSOR_SLICE, "unchanged", (Value[]){keys, zero, zero, zero}, 4, NULL, 0);
}

// `merged`: outputs are those of both branches.
static Outputs decoder_fill(Exporter *x, const Job *job, const DecoderInputs *in, bool merged) {
    const Graph *decode = job->source->decode;
    Value *values = values_room(x, job, decode->node_count), end;
    Outputs out = outputs_room(x, job);
    x->present = keys_room(x, job);
    if (x->status != OK)
        return out;
    x->past = in->own;
    Value positions = positions_of(x, in->ids, in->own ? in->own[0].key : (Value){0}, &end);
    input_set(decode, values, "ids", in->ids);
    input_set(decode, values, "positions", positions);
    x->source_mask = export_source_mask(x, in->mask);
    x->causal_mask = export_causal_mask(x, positions, end);
    x->cross = in->cross ? in->cross : cross_keys(x, job, in->states);
    export_translate(x, decode, values, decode->returns, 1);
    output_add(x, &out, logits_of(x, job, values[decode->returns[0].node->index]), "logits");
    for (size_t i = 0; i < job->layers && x->status == OK; i++) {
        output_add(x, &out, x->present[i].key, export_text(x, "present.%zu.decoder.key", i));
        output_add(x, &out, x->present[i].value, export_text(x, "present.%zu.decoder.value", i));
        if (in->cross && !merged)
            continue;
        Value key = in->cross ? no_rows(x, x->cross[i].key) : x->cross[i].key;
        Value value = in->cross ? no_rows(x, x->cross[i].value) : x->cross[i].value;
        output_add(x, &out, key, export_text(x, "present.%zu.encoder.key", i));
        output_add(x, &out, value, export_text(x, "present.%zu.encoder.value", i));
    }
    return out;
}

static Outputs decoder_part(Exporter *x, const Job *job, bool past) {
    DecoderInputs in = decoder_inputs(x, job, !past, past);
    return decoder_fill(x, job, &in, false);
}

// What a branch reads of the merged model's inputs.
static DecoderInputs inputs_seen(Exporter *x, const Job *job, const DecoderInputs *outer, bool past) {
    DecoderInputs in = {.mask = export_seen(x, outer->mask), .ids = export_seen(x, outer->ids)};
    if (!past) {
        in.states = export_seen(x, outer->states);
        return in;
    }
    in.own = keys_room(x, job);
    in.cross = keys_room(x, job);
    for (size_t i = 0; i < job->layers && x->status == OK; i++) {
        in.own[i] = (LayerKeys){export_seen(x, outer->own[i].key), export_seen(x, outer->own[i].value)};
        in.cross[i] = (LayerKeys){export_seen(x, outer->cross[i].key), export_seen(x, outer->cross[i].value)};
    }
    return in;
}

// Begins a body of the If. Both read the same: what the first has captured is captured here too.
static Exporter branch_begin(Exporter *outer, const Job *job, const char *name, const Exporter *first) {
    Exporter x = {.around = outer->graph,
                  .opset = outer->opset,
                  .only_onnx = outer->only_onnx,
                  .dequantize = outer->dequantize,
                  .err = outer->err,
                  .status = outer->status};
    if (x.status == OK && !(x.graph = graph_make(job->arena, name, x.err)))
        x.status = x.err->status;
    for (size_t i = 0; first && i < first->captured; i++)
        export_seen(&x, first->outside[i]);
    return x;
}

static Outputs branch_fill(Exporter *x, const Job *job, const DecoderInputs *in, bool past) {
    DecoderInputs seen = x->status == OK ? inputs_seen(x, job, in, past) : (DecoderInputs){0};
    Outputs out = x->status == OK ? decoder_fill(x, job, &seen, true) : (Outputs){0};
    if (x->status == OK)
        x->status = graph_set_returns(x->graph, out.values, out.count, x->err);
    return out;
}

static void choice_add(Exporter *x, const Graph *with, const Graph *without, Value use_cache, const Exporter *last,
                       Outputs *out) {
    const Job job = {.arena = x->graph->arena};
    Value *reads = values_room(x, &job, 1 + last->captured);
    if (x->status != OK)
        return;
    reads[0] = use_cache;
    for (size_t i = 0; i < last->captured; i++)
        reads[i + 1] = last->outside[i];
    Attribute bodies[] = {attribute_graph("else_branch", without), attribute_graph("then_branch", with)};
    NodeSpec spec = {.op = TENSOR_IF,
                     .names = out->names,
                     .inputs = reads,
                     .input_count = 1 + last->captured,
                     .attributes = bodies,
                     .attribute_count = 2,
                     .output_count = out->count};
    Node *node;
    if ((x->status = graph_add_node(x->graph, &spec, &node, x->err)) == OK)
        x->status = op_infer(node, x->err);
    for (size_t i = 0; i < out->count && x->status == OK; i++)
        out->values[i] = value_of(node, (int)i);
}

static Outputs merged_part(Exporter *x, const Job *job) {
    DecoderInputs in = decoder_inputs(x, job, true, true);
    in.use_cache = export_input(x, "use_cache_branch", DTYPE_BOOL, 1, &(Dim){false, 1});
    Exporter with = branch_begin(x, job, "with_past", NULL);
    branch_fill(&with, job, &in, true);
    export_fail(x, with.status);
    Exporter without = branch_begin(x, job, "without_past", &with);
    Outputs out = branch_fill(&without, job, &in, false);
    for (size_t i = with.captured; i < without.captured; i++)
        export_seen(&with, without.outside[i]);
    export_fail(x, without.status);
    export_fail(x, with.status);
    choice_add(x, with.graph, without.graph, in.use_cache, &without, &out);
    return out;
}

static bool dim_is_known(Dim dim) {
    return !dim.variable || dim.value != DIM_UNKNOWN;
}

// Names for the sizes of outputs that the operators alone do not tell.
static void outputs_describe(Exporter *x, const Outputs *out, ExportPart part) {
    bool past = part == EXPORT_DECODER_WITH_PAST || part == EXPORT_MERGED;
    const char *own = past ? "total_decoder_sequence_length" : "decoder_sequence_length";
    for (size_t i = 0; i < out->count && x->status == OK; i++) {
        ValueType *type = &x->graph->nodes[out->values[i].node->index]->types[out->values[i].output];
        const char *length = part == EXPORT_ENCODER               ? "encoder_sequence_length"
                             : i == 0                             ? "decoder_sequence_length"
                             : strstr(out->names[i], ".encoder.") ? "encoder_sequence_length"
                                                                  : own;
        Dim batch = export_dim(x, "batch_size"), along = export_dim(x, length);
        int axis = type->rank == 4 ? 2 : 1;
        if (type->rank < 3)
            continue;
        type->dims[0] = dim_is_known(type->dims[0]) ? type->dims[0] : batch;
        type->dims[axis] = dim_is_known(type->dims[axis]) ? type->dims[axis] : along;
    }
}

Status export_part(Arena *arena, const ExportSource *source, ExportPart part, Graph **ret_graph,
                   const char ***ret_output_names, Error *err) {
    Job job = {.arena = arena, .source = source};
    TRY(heads_read(&job, err));
    Exporter x = {.opset = source->opset,
                  .only_onnx = source->only_onnx,
                  .dequantize = source->dequantize,
                  .sizes = part == EXPORT_MERGED ? (ExportSizes){0} : source->sizes,
                  .err = err};
    TRY_NEW(x.graph = graph_make(arena, export_part_names[part], err));
    Outputs out = {0};
    if (part == EXPORT_ENCODER)
        out = encoder_fill(&x, &job);
    else if (part == EXPORT_MERGED)
        out = merged_part(&x, &job);
    else
        out = decoder_part(&x, &job, part == EXPORT_DECODER_WITH_PAST);
    if (x.status == OK)
        outputs_describe(&x, &out, part);
    TRY(x.status);
    TRY(graph_set_returns(x.graph, out.values, out.count, err));
    *ret_graph = x.graph;
    *ret_output_names = out.names;
    return OK;
}
