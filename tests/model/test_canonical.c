// SPDX-License-Identifier: Apache-2.0
// Weights as bitsandbytes (8 bits) and GPTQ's tools lay them out: the same numbers by hone's names, by each format's
// own formula; everything that can be wrong with them.
#include "model/canonical.h"

#include <math.h>

#include "base/random.h"
#include "check.h"
#include "tensor/four_bits.h"

static Arena arena;
static Error err;

typedef struct Made {
    Tensor tensors[8];
    Bundle bundle;
} Made;

static void *room(size_t count, size_t size) {
    void *made = arena_array(&arena, count, size, &err);
    ck_assert_ptr_nonnull(made);
    return made;
}

static Tensor *add(Made *made, const char *name, DType dtype, Shape shape, const void *data) {
    Tensor *tensor = &made->tensors[made->bundle.count++];
    *tensor = (Tensor){.name = name, .dtype = dtype, .shape = shape, .data = data};
    ck_assert(shape_bytes(&shape, dtype, &tensor->bytes));
    return tensor;
}

static Status canonical(Made *made, int zero_shift, Bundle *ret) {
    made->bundle.tensors = made->tensors; // wherever it was moved
    CHECK_OK(bundle_seal(&made->bundle, &err));
    return bundle_canonical(&arena, &made->bundle, zero_shift, ret, &err);
}

static Tensor *tensor_of(Made *made, const char *name) {
    for (size_t i = 0; i < made->bundle.count; i++)
        if (strcmp(made->tensors[i].name, name) == 0)
            return &made->tensors[i];
    ck_abort_msg("no '%s'", name);
    return NULL;
}

static Shape vector(int64_t n) {
    return (Shape){1, {n}};
}

static Shape matrix(int64_t rows, int64_t columns) {
    return (Shape){2, {rows, columns}};
}

static const int8_t small[] = {1, -127, 3, 0, 5, 127};
static const float absmax[] = {12.7f, 0, 254};
static const uint8_t by_rows[] = {0}, by_tiles[] = {2};

static Made eight_bits(void) {
    Made made = {0};
    add(&made, "fc1.weight", DTYPE_I8, matrix(3, 2), small);
    add(&made, "fc1.SCB", DTYPE_F32, vector(3), absmax);
    add(&made, "fc1.weight_format", DTYPE_U8, (Shape){0}, by_rows);
    add(&made, "other.SCB", DTYPE_F32, vector(3), absmax); // beside nothing
    return made;
}

START_TEST(test_bitsandbytes_in_8_bits) {
    arena_init(&arena, 0);
    Made made = eight_bits();
    Bundle out;
    CHECK_OK(canonical(&made, 1, &out));
    ck_assert_uint_eq(out.count, 3);
    const Tensor *weight = bundle_find(&out, "fc1.weight"), *scale = bundle_find(&out, "fc1.weight_scale");
    ck_assert(weight && scale && bundle_find(&out, "other.SCB"));
    ck_assert(weight->data == small && scale->dtype == DTYPE_F32 && scale->shape.rank == 1 && scale->bytes == 12);
    for (size_t r = 0; r < 3; r++)
        ck_assert(((const float *)scale->data)[r] == absmax[r] / 127);
    made = eight_bits();
    tensor_of(&made, "fc1.weight_format")->data = by_tiles;
    CHECK_FAILS(canonical(&made, 1, &out), ERR_UNSUPPORTED,
                "tensor 'fc1.weight_format' is 2: weights laid out for a GPU are not supported");
    made = eight_bits();
    *tensor_of(&made, "fc1.SCB") = (Tensor){"fc1.SCB", DTYPE_F32, vector(2), absmax, 8};
    CHECK_FAILS(canonical(&made, 1, &out), ERR_FORMAT,
                "tensor 'fc1.SCB' does not hold one scale for each row of 'fc1.weight'");
    made = eight_bits();
    tensor_of(&made, "fc1.weight")->shape = vector(6);
    CHECK_FAILS(canonical(&made, 1, &out), ERR_FORMAT, "does not hold one scale for each row");
    made = eight_bits();
    tensor_of(&made, "fc1.SCB")->data = (const float[]){1, NAN, 1};
    CHECK_FAILS(canonical(&made, 1, &out), ERR_FORMAT, "tensor 'fc1.SCB' is nan for row 1");
    arena_done(&arena);
}
END_TEST

enum { IN = 64, OUT = 13, GROUPS = 2, ZERO_WORDS = 2 };

// A weight in GPTQ's layout and the numbers it stands for.
typedef struct Layout {
    Made made;
    uint32_t codes[IN / 8 * OUT], zeros[GROUPS * ZERO_WORDS];
    uint16_t scales[GROUPS * OUT];
    int32_t order[IN];
    float values[OUT * IN];
} Layout;

static Layout *layout_make(bool symmetric, bool ordered, int zero_shift) {
    Random random = {1};
    Layout *w = room(1, sizeof *w);
    for (int g = 0; g < GROUPS; g++)
        for (int o = 0; o < OUT; o++) {
            unsigned zero = (symmetric ? 8 : 1 + random_below(&random, 15)) - (unsigned)zero_shift;
            w->zeros[g * ZERO_WORDS + o / 8] |= (zero & 15) << 4 * (o % 8);
            w->scales[g * OUT + o] = f32_to_f16((float)random_unit(&random));
        }
    for (int i = 0; i < IN; i++) {
        w->order[i] = ordered ? i * 5 % GROUPS : i / (IN / GROUPS);
        for (int o = 0; o < OUT; o++) {
            unsigned code = random_below(&random, 16);
            w->codes[i / 8 * OUT + o] |= code << 4 * (i % 8);
            int g = w->order[i], zero = (int)(w->zeros[g * ZERO_WORDS + o / 8] >> 4 * (o % 8) & 15) + zero_shift;
            w->values[o * IN + i] = (float)((int)code - zero) * f16_to_f32(w->scales[g * OUT + o]);
        }
    }
    add(&w->made, "q.qweight", DTYPE_I32, matrix(IN / 8, OUT), w->codes);
    add(&w->made, "q.qzeros", DTYPE_I32, matrix(GROUPS, ZERO_WORDS), w->zeros);
    add(&w->made, "q.scales", DTYPE_F16, matrix(GROUPS, OUT), w->scales);
    add(&w->made, "q.g_idx", DTYPE_I32, vector(IN), w->order);
    add(&w->made, "q.bias", DTYPE_F32, vector(3), absmax);
    return w;
}

START_TEST(test_gptq_layout) {
    for (int kind = 0; kind < 16; kind++) {
        bool symmetric = kind & 1, ordered = kind & 2, told = kind & 8;
        int shift = kind & 4 ? 1 : 0;
        arena_init(&arena, 0);
        Layout *w = layout_make(symmetric, ordered, shift);
        if (!told && !ordered)
            tensor_of(&w->made, "q.g_idx")->name = "elsewhere.g_idx";
        Bundle out;
        CHECK_OK(canonical(&w->made, shift, &out));
        bool packed = symmetric && !ordered, left = !told && !ordered;
        ck_assert_uint_eq(out.count, (packed ? 4u : 2u) + left);
        ck_assert(bundle_find(&out, "q.bias") && !bundle_find(&out, "q.qweight") && !bundle_find(&out, "q.scales"));
        const Tensor *dense = bundle_find(&out, "q.weight"), *codes = bundle_find(&out, "q.weight_packed");
        ck_assert(packed ? codes && !dense : dense && !codes);
        if (packed) {
            FourBits four;
            CHECK_OK(four_bits_read(&arena, &out, codes, &four, &err));
            ck_assert(four.rows == OUT && four.columns == IN && four.group == IN / GROUPS && four.pairs == codes->data);
            for (size_t i = 0; i < OUT * IN; i++) {
                int code = four.codes[four.pairs[i / 2] >> 4 * (i % 2) & 15];
                ck_assert((float)code * four.scales[i / (IN / GROUPS)] == w->values[i]);
            }
        } else {
            char shape[SHAPE_TEXT_BYTES];
            ck_assert_str_eq(shape_text(&dense->shape, shape), "[13,64]");
            ck_assert_int_eq(dense->dtype, DTYPE_F32);
            ck_assert_mem_eq(dense->data, w->values, sizeof w->values);
        }
        arena_done(&arena);
    }
}
END_TEST

START_TEST(test_bad_gptq_layouts) {
    static const struct {
        const char *name;
        DType dtype;
        Shape shape;
        const char *text;
    } cases[] = {
        {"q.qweight", DTYPE_I32, {1, {104}}, "tensor 'q.qweight' is no I32 [inputs / 8, outputs]"},
        {"q.qweight", DTYPE_F32, {2, {8, 13}}, "tensor 'q.qweight' is no I32"},
        {"q.qweight", DTYPE_I32, {2, {0, 13}}, "tensor 'q.qweight' is no I32"},
        {"q.qweight", DTYPE_I32, {2, {8, 12}}, "tensor 'q.scales' is F16 [2,13], expected F16 [2,12]"},
        {"q.qweight", DTYPE_I32, {2, {7, 13}}, "tensor 'q.g_idx' is I32 [64], expected I32 [56]"},
        {"q.qzeros", DTYPE_I32, {2, {2, 1}}, "tensor 'q.qzeros' is I32 [2,1], expected I32 [2,2] beside codes of 4"},
        {"q.qzeros", DTYPE_F32, {2, {2, 2}}, "tensor 'q.qzeros' is F32 [2,2], expected I32 [2,2]"},
        {"q.scales", DTYPE_I32, {2, {2, 6}}, "tensor 'q.scales' is I32 [2,6], expected F16 [2,13]"},
        {"q.scales", DTYPE_F16, {1, {26}}, "tensor 'q.scales' is no [groups, outputs]"},
        {"q.scales", DTYPE_F16, {2, {0, 13}}, "tensor 'q.scales' is no [groups, outputs]"},
        {"q.scales", DTYPE_F16, {2, {1, 13}}, "tensor 'q.qzeros' is I32 [2,2], expected I32 [1,2]"},
        {"q.g_idx", DTYPE_I32, {1, {63}}, "tensor 'q.g_idx' is I32 [63], expected I32 [64]"},
        {"q.g_idx", DTYPE_I64, {1, {32}}, "tensor 'q.g_idx' is I64 [32], expected I32 [64]"},
    };
    Bundle out;
    arena_init(&arena, 0);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        Layout *w = layout_make(true, false, 1);
        Tensor *tensor = tensor_of(&w->made, cases[i].name);
        tensor->dtype = cases[i].dtype;
        tensor->shape = cases[i].shape;
        ck_assert(shape_bytes(&tensor->shape, tensor->dtype, &tensor->bytes));
        CHECK_FAILS(canonical(&w->made, 1, &out), ERR_FORMAT, cases[i].text);
    }
    for (int value = -1; value <= 2; value += 3) {
        char text[100];
        Layout *w = layout_make(true, false, 1);
        w->order[9] = value;
        snprintf(text, sizeof text, "tensor 'q.g_idx': input 9 is of group %d, and there are 2", value);
        CHECK_FAILS(canonical(&w->made, 1, &out), ERR_FORMAT, text);
    }
    Layout *w = layout_make(false, false, 1);
    w->scales[15] = 0x7c00;
    CHECK_FAILS(canonical(&w->made, 1, &out), ERR_FORMAT, "tensor 'q.scales' is inf at [1,2]");
    w = layout_make(true, false, 1);
    tensor_of(&w->made, "q.qzeros")->name = "q.elsewhere"; // no weight then, and nothing is touched
    CHECK_OK(canonical(&w->made, 1, &out));
    ck_assert(bundle_find(&out, "q.qweight") && bundle_find(&out, "q.g_idx"));
    arena_done(&arena);
}
END_TEST

TEST_MAIN("model/canonical", test_bitsandbytes_in_8_bits, test_gptq_layout, test_bad_gptq_layouts)
