// SPDX-License-Identifier: Apache-2.0
// Shape rules of tensor operators where dimensions are variables: what they know, no more and no less. (Where all is
// constant, test_tensor.c holds them against what comes out.)
#include "check.h"
#include "graph/print.h"
#include "op/op.h"

static Arena arena;
static Error err;

// One node over %x : f32[B,T,768], %y : f32[B,768,?], %i : i64[T], %n of unknown type, and constants.
static const char head[] = "graph g(B, T)\n"
                           "  const @0 = {0} : i64[1]\n"
                           "  const @1 = {1} : i64[1]\n"
                           "  const @2 = {2} : i64[1]\n"
                           "  const @-1 = {-1} : i64[1]\n"
                           "  const @1s = {1} : i64[]\n"
                           "  const @most = {9223372036854775807} : i64[1]\n"
                           "  const @heads = {0, 0, 12, 64} : i64[4]\n"
                           "  const @flat = {-1, 768} : i64[2]\n"
                           "  const @kept = {0, -1, 768} : i64[3]\n"
                           "  const @rows = {0, -1} : i64[2]\n"
                           "  const @halves = {0, -1, 384} : i64[3]\n"
                           "  const @pads = {0, 1, 0, 0, 0, 2} : i64[6]\n"
                           "  const @parts = {256, 512} : i64[2]\n"
                           "  const @wide = {1, 1, 2} : i64[3]\n"
                           "  const @large = {7, 1, 768} : i64[3]\n"
                           "  const @onoff = {0, 1} : f32[2]\n"
                           "  %x = input : f32[B,T,768]\n"
                           "  %y = input : f32[B,768,?]\n"
                           "  %i = input : i64[T]\n"
                           "  %s = input : i64[3]\n"
                           "  %n = input : ?\n";

static const struct {
    const char *node, *types;
} rules[] = {
    {"Cast %x {to=10}", "f16[B,T,768]"},
    {"CastLike %x, %i", "i64[B,T,768]"},
    {"CastLike %x, %n", "?"},
    {"Shape %x", "i64[3]"},
    {"Shape %x {start=-1}", "i64[1]"},
    {"Shape %n", "i64[?]"},
    {"Size %n", "i64[]"},
    {"Reshape %x, @heads", "f32[B,T,12,64]"},
    {"Reshape %x, @kept", "f32[B,T,768]"},
    {"Reshape %x, @rows", "f32[B,?]"},
    {"Reshape %x, @flat", "f32[?,768]"},
    {"Reshape %x, @halves", "f32[B,?,384]"},
    {"Reshape %i, @-1", "i64[T]"},
    {"Reshape %x, %s", "f32[?,?,?]"},
    {"Reshape %x, %n", "?"},
    {"Flatten %x", "f32[B,?]"},
    {"Flatten %x {axis=3}", "f32[?,1]"},
    {"Squeeze %x", "?"},
    {"Squeeze %x, @0", "f32[T,768]"},
    {"Unsqueeze %i, @0", "i64[1,T]"},
    {"Unsqueeze %x, @-1", "f32[B,T,768,1]"},
    {"Expand %i, @wide", "i64[1,1,2]"},
    {"Range @1s, %n, @1s", "i64[?]"},
    {"ConstantOfShape %s, @1", "i64[?,?,?]"},
    {"ConstantOfShape @large, @1", "i64[7,1,768]"},
    {"EyeLike %x {dtype=7}", "i64[B,T,768]"},
    {"Transpose %x", "f32[768,T,B]"},
    {"Transpose %x {perm=[0,2,1]}", "f32[B,768,T]"},
    {"Concat %x, %x {axis=2}", "f32[B,T,1536]"},
    {"Concat %x, %x {axis=1}", "f32[B,?,768]"},
    {"Concat %y, %y {axis=1}", "f32[B,1536,?]"},
    {"Concat %x, %n {axis=2}", "f32[B,T,?]"},
    {"Slice %x, @0, @2, @2", "f32[B,T,2]"},
    {"Slice %x, @0, @most, @1", "f32[B,T,768]"},
    {"Slice %x, @1, @most, @1", "f32[B,?,768]"},
    {"Slice %x, @-1, @most, @-1, @-1", "f32[B,T,0]"},
    {"Slice %x, %n, %n, @0", "f32[?,T,768]"},
    {"Slice %x, %n, %n", "f32[?,?,?]"},
    {"Pad %x, @pads", "f32[B,?,770]"},
    {"Tile %x, @wide", "f32[B,T,1536]"},
    {"Trilu %x", "f32[B,T,768]"},
    {"Compress %x, %n {axis=1}", "f32[B,?,768]"},
    {"NonZero %x", "i64[3,?]"},
    {"OneHot %i, @2, @onoff {axis=0}", "f32[2,T]"},
    {"OneHot %i, %n, @onoff", "f32[T,?]"},
    {"Gather %x, %i {axis=1}", "f32[B,T,768]"},
    {"Gather %x, @1s {axis=1}", "f32[B,768]"},
    {"Gather %x, %n", "?"},
    {"GatherElements %x, %i", "f32[T]"},
    {"GatherND %x, @wide", "f32[]"},
    {"GatherND %x, @1 {batch_dims=1}", "?"},
    {"ScatterND %x, %n, %n", "f32[B,T,768]"},
    {"QuantizeLinear %x, %n", "u8[B,T,768]"},
    {"QuantizeLinear %x, %n {output_dtype=3}", "i8[B,T,768]"},
    {"QuantizeLinear %x, %n, %n", "?"},
    {"DequantizeLinear %x, @onoff {axis=0}", "f32[B,T,768]"},
    {"DequantizeLinear %x, %n", "?"},
};

static void rule_check(const char *node, const char *types, size_t outputs) {
    arena_init(&arena, 0);
    char *text = arena_format(&arena, &err, "%s  %s = %s : %s\n  return %%x\n", head, outputs == 2 ? "%a, %b" : "%a",
                              node, types);
    Graph *graph;
    Status status = graph_parse(&arena, node, (Bytes){(unsigned char *)text, strlen(text)}, &graph, &err);
    ck_assert_msg(status == OK, "%s: %s", node, err.message);
    const Node *last = graph->nodes[graph->node_count - 1];
    ValueType found[2];
    CHECK_OK(op_def(last->op)->infer(last, found, &err));
    for (size_t i = 0; i < outputs; i++)
        ck_assert_msg(type_equal(&found[i], &last->types[i]), "%s: output %zu is not %s (rank %d)", node, i, types,
                      found[i].rank);
    arena_done(&arena);
}

START_TEST(variables_pass_through) {
    for (size_t i = 0; i < ARRAY_COUNT(rules); i++)
        rule_check(rules[i].node, rules[i].types, 1);
}
END_TEST

START_TEST(parts) {
    rule_check("Split %x, @parts {axis=2}", "f32[B,T,256], f32[B,T,512]", 2);
    rule_check("Split %x {axis=-1}", "f32[B,T,384], f32[B,T,384]", 2);
    rule_check("Split %x {axis=1}", "f32[B,?,768], f32[B,?,768]", 2);
    rule_check("Split %x, %n {axis=1}", "f32[B,?,768], f32[B,?,768]", 2);
}
END_TEST

TEST_MAIN("shape rules", variables_pass_through, parts)
