// SPDX-License-Identifier: Apache-2.0
// Attention as products and a softmax, with masks that are added: what any runtime runs.
#include <float.h>

#include "format/onnx/exporter.h"

static int64_t columns_of(Value value) {
    return value_type(value).dims[1].value; // of a packed graph's
}

Value export_split_heads(Exporter *x, const char *name, Value v, const Node *node, int64_t heads) {
    int64_t wide = columns_of(node->inputs[0]);
    Value shape = export_ints(x, (const int64_t[]){0, 0, heads, wide / heads}, 4);
    Value split = export_binary(x, TENSOR_RESHAPE, export_text(x, "%s.heads", name), v, shape);
    return export_transpose(x, export_text(x, "%s.by_head", name), split, (const int64_t[]){0, 2, 1, 3});
}

// softmax(q k' scale + mask) v, and heads side by side again.
static Value attend(Exporter *x, const Node *node, Value q, LayerKeys keys, Value mask) {
    const char *name = node->names[0];
    Value turned = export_transpose(x, export_text(x, "%s.key", name), keys.key, (const int64_t[]){0, 1, 3, 2});
    Value scores = export_binary(x, TENSOR_MATMUL, export_text(x, "%s.scores", name), q, turned);
    Value masked = export_binary(x, TENSOR_ADD, export_text(x, "%s.masked", name), scores, mask);
    Attribute axis = attribute_int("axis", -1);
    Value shares = export_node(x, TENSOR_SOFTMAX, export_text(x, "%s.shares", name), &masked, 1, &axis, 1);
    Value mixed = export_binary(x, TENSOR_MATMUL, export_text(x, "%s.mixed", name), shares, keys.value);
    Value back = export_transpose(x, export_text(x, "%s.by_token", name), mixed, (const int64_t[]){0, 2, 1, 3});
    return export_binary(x, TENSOR_RESHAPE, name, back,
                         export_ints(x, (const int64_t[]){0, 0, columns_of(node->inputs[0])}, 3));
}

Value export_attention(Exporter *x, const Node *node, const Value *inputs) {
    const char *name = node->names[0];
    int64_t heads = node_int(node, "heads", 1), layer = node_int(node, "layer", 0);
    Value scaled = export_binary(x, TENSOR_MUL, export_text(x, "%s.query", name), inputs[0],
                                 export_real(x, node_real(node, "scale", 1)));
    Value q = export_split_heads(x, export_text(x, "%s.query", name), scaled, node, heads);
    if (node->op == OP_ATTENTION_CROSS)
        return attend(x, node, q, x->cross[layer], x->source_mask);
    LayerKeys keys = {export_split_heads(x, export_text(x, "%s.key", name), inputs[1], node, heads),
                      export_split_heads(x, export_text(x, "%s.value", name), inputs[2], node, heads)};
    if (node->op == OP_ATTENTION)
        return attend(x, node, q, keys, x->source_mask);
    if (x->past) {
        Attribute axis = attribute_int("axis", 2);
        keys.key = export_node(x, TENSOR_CONCAT, export_text(x, "%s.keys", name),
                               (Value[]){x->past[layer].key, keys.key}, 2, &axis, 1);
        keys.value = export_node(x, TENSOR_CONCAT, export_text(x, "%s.values", name),
                                 (Value[]){x->past[layer].value, keys.value}, 2, &axis, 1);
    }
    x->present[layer] = keys;
    return attend(x, node, q, keys, x->causal_mask);
}

// 0 where `seen`, else what no score outweighs and no sum makes infinite.
static Value mask_of(Exporter *x, const char *name, Value seen) {
    return export_node(x, TENSOR_WHERE, name, (Value[]){seen, export_real(x, 0), export_real(x, -(double)FLT_MAX)}, 3,
                       NULL, 0);
}

Value export_source_mask(Exporter *x, Value mask) {
    Value seen = export_cast(x, "source_seen", mask, DTYPE_BOOL);
    seen = export_binary(x, TENSOR_UNSQUEEZE, "source_seen", seen, export_ints(x, (const int64_t[]){1, 2}, 2));
    return mask_of(x, "source_mask", seen);
}

Value export_causal_mask(Exporter *x, Value positions, Value length) {
    Value keys =
        export_node(x, TENSOR_RANGE, "keys", (Value[]){export_int(x, 0), length, export_int(x, 1)}, 3, NULL, 0);
    Value queries = export_binary(x, TENSOR_UNSQUEEZE, "queries", positions, export_ints(x, (const int64_t[]){1}, 1));
    return mask_of(x, "causal_mask", export_binary(x, TENSOR_LESS_OR_EQUAL, "causal", keys, queries));
}
