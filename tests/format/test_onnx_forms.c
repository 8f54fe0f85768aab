// SPDX-License-Identifier: Apache-2.0
// Older forms of ONNX's operators: every row of format/onnx/forms.def.
#include "format/onnx_craft.h"

typedef struct Form {
    int64_t opset;
    const char *op, *inputs, *outputs, *attributes; // "name=int" or "name=[ints]" or "name=real."
    const char *expected;                           // without the inputs' lines
} Form;

static void put_attributes(Buffer *attributes, const char *list) {
    while (*list) {
        char name[32] = {0};
        int64_t ints[8];
        size_t count = 0, bytes = strcspn(list, "="), whole = strcspn(list, " ");
        memcpy(name, list, bytes);
        const char *value = list + bytes + 1;
        if (*value == '[') {
            for (char *at = (char *)value; *at != ']';)
                ints[count++] = strtoll(at + 1, &at, 10);
            put_attribute_ints(attributes, name, ints, count);
        } else if (memchr(value, '.', whole - bytes - 1)) {
            put_attribute_float(attributes, name, strtof(value, NULL));
        } else {
            put_attribute_int(attributes, name, strtoll(value, NULL, 10));
        }
        list += whole + (list[whole] == ' ');
    }
}

static const Form forms[] = {
    {6, "Add", "x,b", "y", "broadcast=1 axis=1",
     "  const @axes = {2} : i64[1]\n"
     "  %broadcast = Unsqueeze %b, @axes\n"
     "  %y = Add %x, %broadcast\n"
     "  return %y\n"},
    {6, "Sub", "x,b", "y", "broadcast=1 axis=1",
     "  const @axes = {2} : i64[1]\n"
     "  %broadcast = Unsqueeze %b, @axes\n"
     "  %y = Sub %x, %broadcast\n"
     "  return %y\n"},
    {6, "Mul", "x,x", "y", "broadcast=0",
     "  %y = Mul %x, %x\n"
     "  return %y\n"},
    {6, "Div", "x,b", "y", "broadcast=1 axis=-3",
     "  const @axes = {2} : i64[1]\n"
     "  %broadcast = Unsqueeze %b, @axes\n"
     "  %y = Div %x, %broadcast\n"
     "  return %y\n"},
    {6, "Pow", "x,b", "y", "broadcast=1 axis=1",
     "  const @axes = {2} : i64[1]\n"
     "  %broadcast = Unsqueeze %b, @axes\n"
     "  %y = Pow %x, %broadcast\n"
     "  return %y\n"},
    {6, "And", "x,b", "y", "broadcast=1 axis=1",
     "  const @axes = {2} : i64[1]\n"
     "  %broadcast = Unsqueeze %b, @axes\n"
     "  %y = And %x, %broadcast\n"
     "  return %y\n"},
    {6, "Or", "x,b", "y", "broadcast=1 axis=1",
     "  const @axes = {2} : i64[1]\n"
     "  %broadcast = Unsqueeze %b, @axes\n"
     "  %y = Or %x, %broadcast\n"
     "  return %y\n"},
    {6, "Xor", "x,b", "y", "broadcast=1 axis=1",
     "  const @axes = {2} : i64[1]\n"
     "  %broadcast = Unsqueeze %b, @axes\n"
     "  %y = Xor %x, %broadcast\n"
     "  return %y\n"},
    {6, "Equal", "x,b", "y", "broadcast=1 axis=1",
     "  const @axes = {2} : i64[1]\n"
     "  %broadcast = Unsqueeze %b, @axes\n"
     "  %y = Equal %x, %broadcast\n"
     "  return %y\n"},
    {6, "Greater", "x,b", "y", "broadcast=1 axis=1",
     "  const @axes = {2} : i64[1]\n"
     "  %broadcast = Unsqueeze %b, @axes\n"
     "  %y = Greater %x, %broadcast\n"
     "  return %y\n"},
    {6, "Less", "x,b", "y", "broadcast=1 axis=1",
     "  const @axes = {2} : i64[1]\n"
     "  %broadcast = Unsqueeze %b, @axes\n"
     "  %y = Less %x, %broadcast\n"
     "  return %y\n"},
    {6, "PRelu", "x,b", "y", "axis=1 broadcast=1",
     "  const @axes = {2} : i64[1]\n"
     "  %broadcast = Unsqueeze %b, @axes\n"
     "  %y = PRelu %x, %broadcast\n"
     "  return %y\n"},
    {6, "Gemm", "b,b", "y", "broadcast=1 transB=1",
     "  %y = Gemm %b, %b {transB=1}\n"
     "  return %y\n"},
    {6, "Clip", "x", "y", "min=-1.5 max=6.",
     "  const @min = {-1.5} : f32[]\n"
     "  const @max = {6} : f32[]\n"
     "  %y = Clip %x, @min, @max\n"
     "  return %y\n"},
    {10, "Clip", "x", "y", "",
     "  %y = Clip %x\n"
     "  return %y\n"},
    {11, "Dropout", "x", "y", "ratio=0.5",
     "  %y = Dropout %x\n"
     "  return %y\n"},
    {6, "Dropout", "x", "y", "is_test=1",
     "  %y = Dropout %x\n"
     "  return %y\n"},
    {9, "TopK", "x", "y,i", "k=3 axis=2",
     "  const @k = {3} : i64[1]\n"
     "  %y, %i = TopK %x, @k {axis=2}\n"
     "  return %y\n"},
    {1, "Slice", "x", "y", "starts=[0,1] ends=[1,3] axes=[0,2]",
     "  const @starts = {0, 1} : i64[2]\n"
     "  const @ends = {1, 3} : i64[2]\n"
     "  const @axes = {0, 2} : i64[2]\n"
     "  %y = Slice %x, @starts, @ends, @axes\n"
     "  return %y\n"},
    {9, "Slice", "x", "y", "starts=[1] ends=[2]",
     "  const @starts = {1} : i64[1]\n"
     "  const @ends = {2} : i64[1]\n"
     "  %y = Slice %x, @starts, @ends\n"
     "  return %y\n"},
    {10, "Pad", "x", "y", "pads=[0,0,1,0,0,0,1,0] value=2.",
     "  const @pads = {0, 0, 1, 0, 0, 0, 1, 0} : i64[8]\n"
     "  const @value = {2} : f32[]\n"
     "  %y = Pad %x, @pads, @value\n"
     "  return %y\n"},
    {1, "Pad", "x", "y", "paddings=[0,0,0,0,0,0,0,1]",
     "  const @paddings = {0, 0, 0, 0, 0, 0, 0, 1} : i64[8]\n"
     "  %y = Pad %x, @paddings\n"
     "  return %y\n"},
    {10, "Scatter", "x,x,x", "y", "axis=1",
     "  %y = ScatterElements %x, %x, %x {axis=1}\n"
     "  return %y\n"},
    {12, "Split", "x", "y,z", "split=[2,4] axis=1",
     "  const @split = {2, 4} : i64[2]\n"
     "  %y, %z = Split %x, @split {axis=1}\n"
     "  return %y\n"},
    {12, "Squeeze", "x", "y", "axes=[0]",
     "  const @axes = {0} : i64[1]\n"
     "  %y = Squeeze %x, @axes\n"
     "  return %y\n"},
    {12, "Unsqueeze", "x", "y", "axes=[0,2]",
     "  const @axes = {0, 2} : i64[2]\n"
     "  %y = Unsqueeze %x, @axes\n"
     "  return %y\n"},
    {12, "ReduceSum", "x", "y", "axes=[1,2] keepdims=0",
     "  const @axes = {1, 2} : i64[2]\n"
     "  %y = ReduceSum %x, @axes {keepdims=0}\n"
     "  return %y\n"},
    {17, "ReduceMean", "x", "y", "axes=[-1]",
     "  const @axes = {-1} : i64[1]\n"
     "  %y = ReduceMean %x, @axes\n"
     "  return %y\n"},
    {17, "ReduceMax", "x", "y", "axes=[-1]",
     "  const @axes = {-1} : i64[1]\n"
     "  %y = ReduceMax %x, @axes\n"
     "  return %y\n"},
    {17, "ReduceMin", "x", "y", "axes=[-1]",
     "  const @axes = {-1} : i64[1]\n"
     "  %y = ReduceMin %x, @axes\n"
     "  return %y\n"},
    {17, "ReduceProd", "x", "y", "axes=[-1]",
     "  const @axes = {-1} : i64[1]\n"
     "  %y = ReduceProd %x, @axes\n"
     "  return %y\n"},
    {17, "ReduceL1", "x", "y", "axes=[-1]",
     "  const @axes = {-1} : i64[1]\n"
     "  %y = ReduceL1 %x, @axes\n"
     "  return %y\n"},
    {17, "ReduceL2", "x", "y", "axes=[-1]",
     "  const @axes = {-1} : i64[1]\n"
     "  %y = ReduceL2 %x, @axes\n"
     "  return %y\n"},
    {17, "ReduceLogSum", "x", "y", "axes=[-1]",
     "  const @axes = {-1} : i64[1]\n"
     "  %y = ReduceLogSum %x, @axes\n"
     "  return %y\n"},
    {17, "ReduceLogSumExp", "x", "y", "axes=[-1]",
     "  const @axes = {-1} : i64[1]\n"
     "  %y = ReduceLogSumExp %x, @axes\n"
     "  return %y\n"},
    {17, "ReduceSumSquare", "x", "y", "axes=[-1]",
     "  const @axes = {-1} : i64[1]\n"
     "  %y = ReduceSumSquare %x, @axes\n"
     "  return %y\n"},
    {12, "Softmax", "x", "y", "",
     "  %shape = Shape %x\n"
     "  %flat = Flatten %x {axis=1}\n"
     "  %rows = Softmax %flat {axis=-1}\n"
     "  %y = Reshape %rows, %shape\n"
     "  return %y\n"},
    {12, "Softmax", "x", "y", "axis=3",
     "  %y = Softmax %x {axis=-1}\n"
     "  return %y\n"},
    {12, "LogSoftmax", "x", "y", "axis=2",
     "  %shape = Shape %x\n"
     "  %flat = Flatten %x {axis=2}\n"
     "  %rows = LogSoftmax %flat {axis=-1}\n"
     "  %y = Reshape %rows, %shape\n"
     "  return %y\n"},
    {12, "Hardmax", "x", "y", "axis=-1",
     "  %y = Hardmax %x {axis=-1}\n"
     "  return %y\n"},
    {20, "GroupNormalization", "x,c,c", "y", "num_groups=3 epsilon=0.5",
     "  const @column = {-1, 1} : i64[2]\n"
     "  const @wide = {3, 2} : i64[2]\n"
     "  const @row = {-1} : i64[1]\n"
     "  %channels = Reshape %c, @column\n"
     "  %channels.1 = Expand %channels, @wide\n"
     "  %channels.2 = Reshape %channels.1, @row\n"
     "  %channels.3 = Reshape %c, @column\n"
     "  %channels.4 = Expand %channels.3, @wide\n"
     "  %channels.5 = Reshape %channels.4, @row\n"
     "  %y = GroupNormalization %x, %channels.2, %channels.5 {epsilon=0.5, num_groups=3}\n"
     "  return %y\n"},
    {22, "ReduceSum", "x", "y", "keepdims=0",
     "  %y = ReduceSum %x {keepdims=0}\n"
     "  return %y\n"},
    {17, "ConstantOfShape", "c", "y", "",
     "  const @value = {0} : f32[1]\n"
     "  %y = ConstantOfShape %c, @value\n"
     "  return %y\n"},
};

START_TEST(older_forms) {
    for (size_t i = 0; i < ARRAY_COUNT(forms); i++) {
        arena_init(&arena, 0);
        Buffer g = {0}, a = {0};
        OnnxModel model;
        put_value(&g, 11, "x", 1, "2,6,4,5");
        put_value(&g, 11, "b", 1, "6,4");
        put_value(&g, 11, "c", 1, "3");
        put_attributes(&a, forms[i].attributes);
        put_node(&g, 1, forms[i].op, forms[i].inputs, forms[i].outputs, &a);
        put_value(&g, 12, "y", 0, NULL);
        CHECK_OK(onnx_read_bytes(&arena, "x", ".", make_model(&g, 4, forms[i].opset, NULL), &model, &err));
        const char *whole = untyped(graph_text(model.graph)), *first = strchr(whole, '\n') + 1;
        const char *input = strstr(first, "  %x = input"), *last = strstr(first, "  %c = input");
        char *found = arena_format(&arena, &err, "%.*s%s", (int)(input - first), first, strchr(last, '\n') + 1);
        ck_assert_msg(strcmp(found, forms[i].expected) == 0, "%s of opset %d, expected:\n%s\nfound:\n%s", forms[i].op,
                      (int)forms[i].opset, forms[i].expected, found);
        arena_done(&arena);
    }
}
END_TEST

TEST_MAIN("format/onnx_forms", older_forms)
