// SPDX-License-Identifier: Apache-2.0
// 4-bit weights out of what files hold: values against their definitions, groups that fit rows and those that do not,
// and everything that can be wrong beside a tensor.
#include "tensor/four_bits.h"

#include <math.h>

#include "base/file.h"
#include "base/random.h"
#include "check.h"
#include "format/safetensors/safetensors.h"
#include "tensor/quantize4.h"

static Arena arena;
static Error err;

// A bundle being made up; one of its tensors can be changed before it is read.
typedef struct Made {
    Tensor tensors[8];
    Bundle bundle;
    float *values; // what was quantized
    size_t rows, columns;
} Made;

static void *room(size_t bytes) {
    void *memory = arena_array(&arena, bytes + 1, 1, &err);
    ck_assert_ptr_nonnull(memory);
    return memory;
}

static Tensor *add(Made *made, const char *name, DType dtype, size_t rows, size_t columns, const void *data) {
    Tensor *tensor = &made->tensors[made->bundle.count++];
    *tensor = (Tensor){.name = name, .dtype = dtype, .shape = {columns ? 2 : 1, {(int64_t)rows, (int64_t)columns}}};
    tensor->data = data;
    tensor->bytes = rows * (columns ? columns : 1) * dtype_bytes(dtype);
    return tensor;
}

static void values_fill(Made *made, size_t rows, size_t columns) {
    Random random = {5};
    *made = (Made){.rows = rows, .columns = columns, .values = room(rows * columns * sizeof(float))};
    for (size_t i = 0; i < rows * columns; i++)
        made->values[i] = (float)random_unit(&random) - 0.5f;
}

static void seal(Made *made) {
    made->bundle.tensors = made->tensors;
    CHECK_OK(bundle_seal(&made->bundle, &err));
}

static void made_nf4(Made *made, size_t rows, size_t columns, bool nested, const char *state) {
    values_fill(made, rows, columns);
    size_t elements = rows * columns, blocks = (elements + 63) / 64, tops = (blocks + 255) / 256;
    uint8_t *pairs = room((elements + 1) / 2), *codes = room(blocks);
    float *absmax = room(blocks * sizeof *absmax), *tops_data = room(tops * sizeof(float)), *map = room(1024), offset;
    CHECK_OK(quantize_nf4_blocks("w", DTYPE_F32, made->values, elements, columns, pairs, absmax, &err));
    quantize_absmax(absmax, blocks, codes, tops_data, &offset);
    dynamic_map(map);
    char *text = room(512);
    if (state)
        snprintf(text, 512, "%s", state);
    else
        snprintf(text, 512,
                 "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"dtype\": \"float16\", \"shape\": [%zu, %zu]%s", rows,
                 columns, nested ? "" : "}");
    if (nested && !state)
        snprintf(text + strlen(text), 256,
                 ", \"nested_blocksize\": 256, \"nested_dtype\": \"float32\", \"nested_offset\": %.17g}",
                 (double)offset);
    add(made, "w", DTYPE_U8, (elements + 1) / 2, 1, pairs);
    add(made, "w.absmax", nested ? DTYPE_U8 : DTYPE_F32, blocks, 0, nested ? (void *)codes : absmax);
    add(made, "w.quant_map", DTYPE_F32, 16, 0, nf4_map);
    add(made, "w.quant_state.bitsandbytes__nf4", DTYPE_U8, strlen(text), 0, text);
    if (nested) {
        add(made, "w.nested_absmax", DTYPE_F32, tops, 0, tops_data);
        add(made, "w.nested_quant_map", DTYPE_F32, 256, 0, map);
    }
    seal(made);
}

static void made_int4(Made *made, size_t rows, size_t columns, size_t group) {
    values_fill(made, rows, columns);
    uint8_t *pairs = room(rows * columns / 2);
    float *scales = room(rows * columns / group * sizeof *scales);
    int64_t *shape = room(16);
    CHECK_OK(quantize_int4_rows("w", DTYPE_F32, made->values, rows, columns, group, INT4_ABSMAX, DTYPE_F32, pairs,
                                scales, &err));
    shape[0] = (int64_t)rows;
    shape[1] = (int64_t)columns;
    add(made, "w_packed", DTYPE_I32, rows, columns / 8, pairs);
    add(made, "w_scale", DTYPE_F32, rows, columns / group, scales);
    add(made, "w_shape", DTYPE_I64, 2, 0, shape);
    seal(made);
}

static Tensor *tensor_of(Made *made, const char *name) {
    Tensor *tensor = (Tensor *)bundle_find(&made->bundle, name);
    ck_assert_ptr_nonnull(tensor);
    return tensor;
}

static double value_at(const FourBits *w, size_t row, size_t column) {
    if (w->dense)
        return (double)w->dense[row * w->columns + column];
    unsigned pair = w->pairs[row * (w->columns / 2) + column / 2];
    unsigned code = (column % 2 == 0) == w->high_first ? pair >> 4 : pair & 15;
    size_t groups = w->columns / w->group;
    return (double)w->codes[code] * (double)w->scales[row * groups + column / w->group];
}

// Every value lies within `steps` of a block's largest magnitude of what was quantized.
static void check_values(const Made *made, const FourBits *w, double steps) {
    ck_assert(w->rows == made->rows && w->columns == made->columns && (w->dense != NULL) != (w->pairs != NULL));
    for (size_t r = 0; r < w->rows; r++)
        for (size_t c = 0; c < w->columns; c++) {
            double found = value_at(w, r, c), wanted = (double)made->values[r * w->columns + c];
            ck_assert_msg(fabs(found - wanted) < steps * 0.5, "[%zu,%zu]: %g for %g", r, c, found, wanted);
        }
}

START_TEST(test_blocks_by_rows_or_split_or_dense) {
    static const struct {
        size_t rows, columns, group; // 0: dense
    } cases[] = {{3, 128, 64}, {5, 96, 32}, {2, 32, 32}, {70, 256, 64}, {7, 72, 0}, {3, 33, 0}, {1, 1, 0}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        for (int nested = 0; nested < 2; nested++) {
            arena_init(&arena, 0);
            Made made;
            FourBits w;
            made_nf4(&made, cases[i].rows, cases[i].columns, nested, NULL);
            const Tensor *codes = tensor_of(&made, "w");
            ck_assert_int_eq(four_bits_form(&made.bundle, codes), FOUR_BITS_NF4);
            CHECK_OK(four_bits_read(&arena, &made.bundle, codes, &w, &err));
            ck_assert(w.nested == nested && w.block == 64 && w.high_first);
            ck_assert_uint_eq(w.dense ? 0 : w.group, cases[i].group);
            check_values(&made, &w, nested ? 0.17 : 0.16); // half of the widest step, and double quantization
            if (w.pairs)
                ck_assert(w.pairs == codes->data && memcmp(w.codes, nf4_values, 16) == 0);
            for (size_t t = 0; t < made.bundle.count; t++)
                ck_assert_ptr_eq(four_bits_owner(&made.bundle, &made.bundle.tensors[t]),
                                 &made.bundle.tensors[t] == codes ? NULL : codes);
            arena_done(&arena);
        }
}
END_TEST

START_TEST(test_packed_groups) {
    static const size_t groups[] = {32, 64, 128, 384, 16, 8};
    for (size_t i = 0; i < ARRAY_COUNT(groups); i++) {
        arena_init(&arena, 0);
        Made made;
        FourBits w;
        made_int4(&made, 3, 384, groups[i]);
        const Tensor *codes = tensor_of(&made, "w_packed");
        CHECK_OK(four_bits_read(&arena, &made.bundle, codes, &w, &err));
        ck_assert(w.form == FOUR_BITS_INT4 && w.block == groups[i] && !w.high_first);
        ck_assert_int_eq(w.dense != NULL, groups[i] % 32 != 0);
        check_values(&made, &w, 0.08);
        ck_assert_ptr_eq(four_bits_owner(&made.bundle, tensor_of(&made, "w_scale")), codes);
        arena_done(&arena);
    }
}
END_TEST

// Zero points and orders change values; where they say nothing, codes stay where they lie.
START_TEST(test_zero_points_and_order) {
    enum { ROWS = 11, COLUMNS = 96, GROUP = 32, GROUPS = 3 };
    arena_init(&arena, 0);
    for (int kind = 0; kind < 8; kind++) {
        bool zeroed = kind & 1, ordered = kind & 2, present = kind & 4;
        Made made;
        FourBits w, plain;
        made_int4(&made, ROWS, COLUMNS, GROUP);
        CHECK_OK(four_bits_read(&arena, &made.bundle, tensor_of(&made, "w_packed"), &plain, &err));
        uint32_t *zeros = room(2 * GROUPS * sizeof *zeros);
        int32_t *order = room(COLUMNS * sizeof *order);
        for (size_t i = 0; i < 2 * GROUPS; i++)
            zeros[i] = zeroed ? 0x76543210u + (uint32_t)i : 0x88888888u;
        for (int c = 0; c < COLUMNS; c++)
            order[c] = ordered ? c * 7 % GROUPS : present ? -1 : c / GROUP;
        add(&made, "w_zero_point", DTYPE_I32, 2, GROUPS, zeros);
        add(&made, "w_g_idx", DTYPE_I32, COLUMNS, 0, order);
        CHECK_OK(bundle_seal(&made.bundle, &err));
        CHECK_OK(four_bits_read(&arena, &made.bundle, tensor_of(&made, "w_packed"), &w, &err));
        ck_assert(w.rows == ROWS && w.columns == COLUMNS && (w.dense != NULL) == (zeroed || ordered));
        for (size_t r = 0; r < ROWS; r++)
            for (size_t c = 0; c < COLUMNS; c++) {
                size_t group = ordered ? (size_t)order[c] : c / GROUP;
                int zero = (int)(zeros[r / 8 * GROUPS + group] >> 4 * (r % 8) & 15) - 8;
                int code = (int)lrint(value_at(&plain, r, c) / (double)plain.scales[r * GROUPS + c / GROUP]);
                double wanted = (code - zero) * (double)plain.scales[r * GROUPS + group];
                ck_assert_double_eq_tol(value_at(&w, r, c), wanted, 1e-6);
            }
    }
    arena_done(&arena);
}
END_TEST

// tools/goldens/tensor/zero_points.py: the numbers that compressed-tensors' own program unpacks.
START_TEST(test_zero_points_are_compressed_tensors) {
    static const char *const names[] = {"group", "channel"};
    arena_init(&arena, 0);
    char *path = arena_format(&arena, &err, "%s/tests/golden/tensor/zero_points.safetensors", getenv("HONE_SOURCE"));
    Bytes file;
    Bundle bundle;
    CHECK_OK(file_map(&arena, path, &file, &err));
    CHECK_OK(safetensors_read(&arena, path, file, &bundle, &err));
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        char name[32];
        FourBits w;
        snprintf(name, sizeof name, "%s.weight_packed", names[i]);
        CHECK_OK(four_bits_read(&arena, &bundle, bundle_find(&bundle, name), &w, &err));
        snprintf(name, sizeof name, "%s.values", names[i]);
        const Tensor *values = bundle_find(&bundle, name);
        ck_assert(w.dense && values->bytes == w.rows * w.columns * sizeof(float));
        ck_assert_mem_eq(w.dense, values->data, values->bytes);
    }
    arena_done(&arena);
}
END_TEST

START_TEST(test_states_are_checked) {
    static const struct {
        const char *state, *message;
        Status status;
    } cases[] = {
        {"{\"quant_type\"", "tensor 'w.quant_state.bitsandbytes__nf4'", ERR_FORMAT},
        {"[]", "expected a JSON object", ERR_FORMAT},
        {"{\"quant_type\":\"fp4\",\"blocksize\":64,\"shape\":[4,64]}", "'quant_type' is 'fp4', expected 'nf4'",
         ERR_FORMAT},
        {"{\"quant_type\":\"nf4\",\"blocksize\":48,\"shape\":[4,64]}", "blocks of 48; 32, 64, 128", ERR_UNSUPPORTED},
        {"{\"quant_type\":\"nf4\",\"blocksize\":1e300,\"shape\":[4,64]}", "'blocksize' is", ERR_FORMAT},
        {"{\"quant_type\":\"nf4\",\"blocksize\":9999999999999,\"shape\":[4,64]}", "'blocksize' is", ERR_FORMAT},
        {"{\"quant_type\":\"nf4\",\"blocksize\":64,\"shape\":[4]}", "'shape' is not [rows, columns]", ERR_FORMAT},
        {"{\"quant_type\":\"nf4\",\"blocksize\":64,\"shape\":[2147483647,2147483647]}",
         "tensor 'w' has 128 bytes, expected 2305843007066210305", ERR_FORMAT},
        {"{\"quant_type\":\"nf4\",\"blocksize\":64,\"shape\":[4,128]}", "has 128 bytes, expected 256", ERR_FORMAT},
        {"{\"quant_type\":\"nf4\",\"blocksize\":32,\"shape\":[4,64]}", "'w.absmax' has 4 elements, expected 8",
         ERR_FORMAT},
        {"{\"quant_type\":\"nf4\",\"blocksize\":64,\"shape\":[4,64],\"nested_offset\":0.5}",
         "'nested_blocksize' is missing", ERR_FORMAT},
        {"{\"quant_type\":\"nf4\",\"blocksize\":64,\"shape\":[4,64],\"nested_blocksize\":256,\"nested_offset\":0.5}",
         "tensor 'w.absmax' is F32, expected U8 under double quantization", ERR_FORMAT},
    };
    arena_init(&arena, 0);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        Made made;
        FourBits w;
        made_nf4(&made, 4, 64, false, cases[i].state);
        CHECK_FAILS(four_bits_read(&arena, &made.bundle, tensor_of(&made, "w"), &w, &err), cases[i].status,
                    cases[i].message);
    }
    arena_done(&arena);
}
END_TEST

START_TEST(test_what_lies_beside_is_checked) {
    static const float bad[16] = {0, 0, NAN}, zeros[16], huge[] = {3e38f, 3e38f, 3e38f};
    Made made;
    FourBits w;
    arena_init(&arena, 0);
    made_nf4(&made, 4, 64, false, NULL);
    tensor_of(&made, "w.absmax")->data = bad;
    CHECK_FAILS(four_bits_read(&arena, &made.bundle, tensor_of(&made, "w"), &w, &err), ERR_FORMAT,
                "tensor 'w.absmax': element 2 is nan, and scales are finite");
    made_nf4(&made, 4, 64, false, NULL);
    tensor_of(&made, "w.quant_map")->data = zeros;
    CHECK_FAILS(four_bits_read(&arena, &made.bundle, tensor_of(&made, "w"), &w, &err), ERR_FORMAT, "holds no codebook");
    made_nf4(&made, 4, 64, false, NULL);
    tensor_of(&made, "w.quant_map")->name = "w.quant_mop";
    CHECK_FAILS(four_bits_read(&arena, &made.bundle, &made.bundle.tensors[0], &w, &err), ERR_FORMAT,
                "tensor 'w' has 4 bits and no '.quant_map' beside it");
    made_nf4(&made, 4, 64, true, NULL);
    tensor_of(&made, "w.nested_absmax")->data = huge;
    float map[256];
    for (size_t i = 0; i < 256; i++)
        map[i] = 2;
    tensor_of(&made, "w.nested_quant_map")->data = map;
    CHECK_FAILS(four_bits_read(&arena, &made.bundle, tensor_of(&made, "w"), &w, &err), ERR_FORMAT,
                "tensor 'w.absmax': element 0 stands for inf");
    made_int4(&made, 4, 64, 32);
    tensor_of(&made, "w_scale")->data = bad;
    CHECK_FAILS(four_bits_read(&arena, &made.bundle, tensor_of(&made, "w_packed"), &w, &err), ERR_FORMAT,
                "tensor 'w_scale': element 2 is nan");
    made_int4(&made, 4, 64, 32);
    tensor_of(&made, "w_scale")->shape = (Shape){2, {3, 5}};
    CHECK_FAILS(four_bits_read(&arena, &made.bundle, tensor_of(&made, "w_packed"), &w, &err), ERR_FORMAT,
                "tensor 'w_packed' needs '_scale' beside it, one for each row or equal group of columns");
    made_int4(&made, 4, 64, 32);
    tensor_of(&made, "w_shape")->data = (const int64_t[]){4, 72};
    CHECK_FAILS(four_bits_read(&arena, &made.bundle, tensor_of(&made, "w_packed"), &w, &err), ERR_FORMAT,
                "tensor 'w_packed' has 128 bytes of I32, expected 144 of I32 for [4,72] in 4 bits");
    tensor_of(&made, "w_shape")->data = (const int64_t[]){-4, INT64_MAX};
    CHECK_FAILS(four_bits_read(&arena, &made.bundle, tensor_of(&made, "w_packed"), &w, &err), ERR_FORMAT,
                "tensor 'w_shape' holds [-4,9223372036854775807]");
    made_int4(&made, 4, 64, 32);
    add(&made, "w_zero_point", DTYPE_I32, 1, 3, zeros);
    CHECK_OK(bundle_seal(&made.bundle, &err));
    CHECK_FAILS(four_bits_read(&arena, &made.bundle, tensor_of(&made, "w_packed"), &w, &err), ERR_FORMAT,
                "tensor 'w_zero_point' has 12 bytes of I32, expected 8 of I32 for 4 rows of 2 groups");
    made_int4(&made, 4, 64, 32);
    add(&made, "w_g_idx", DTYPE_I32, 63, 0, room(63 * 4));
    CHECK_OK(bundle_seal(&made.bundle, &err));
    CHECK_FAILS(four_bits_read(&arena, &made.bundle, tensor_of(&made, "w_packed"), &w, &err), ERR_FORMAT,
                "tensor 'w_g_idx' has 252 bytes of I32, expected I32 for each of 64 columns");
    made_int4(&made, 4, 64, 32);
    int32_t *order = room(64 * 4);
    order[5] = 2;
    add(&made, "w_g_idx", DTYPE_I32, 64, 0, order);
    CHECK_OK(bundle_seal(&made.bundle, &err));
    CHECK_FAILS(four_bits_read(&arena, &made.bundle, tensor_of(&made, "w_packed"), &w, &err), ERR_FORMAT,
                "tensor 'w_g_idx': column 5 is of group 2, and there are 2");
    arena_done(&arena);
}
END_TEST

TEST_MAIN("four_bits", test_blocks_by_rows_or_split_or_dense, test_packed_groups, test_zero_points_and_order,
          test_zero_points_are_compressed_tensors, test_states_are_checked, test_what_lies_beside_is_checked)
