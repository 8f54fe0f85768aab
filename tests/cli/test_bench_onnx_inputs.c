// SPDX-License-Identifier: Apache-2.0
// Inputs made up for an ONNX graph: how variables are bound, and values by name and type.
#include "cli/bench_onnx_inputs.h"

#include <math.h>

#include "format/onnx_craft.h"

typedef struct Wish {
    const char *name;
    int type; // TensorProto's number
    const char *dims;
} Wish;

static char folder[64];
static OnnxEngine *engine;

// Opens an engine over a graph with these inputs, the first of which it returns.
static void opened(const Wish *wishes, size_t count) {
    Buffer graph = {0};
    arena_init(&arena, 0);
    scratch_make(folder);
    put_node(&graph, 1, "Identity", wishes[0].name, "y", NULL);
    put_text(&graph, 2, "g");
    for (size_t i = 0; i < count; i++)
        put_value(&graph, 11, wishes[i].name, wishes[i].type, wishes[i].dims);
    put_value(&graph, 12, "y", wishes[0].type, NULL);
    Bytes model = make_model(&graph, 8, 17, NULL);
    const char *path = path_join(&arena, folder, "m.onnx", &err);
    CHECK_OK(file_replace(path, model.data, model.size, &err));
    CommandRun run = {.common = {.threads = 1, .level = cpu_detect(), .quiet = true}, .arena = &arena};
    CHECK_OK(onnx_engine_open(&run, path, &(OnnxSettings){ENGINE_HONE, 0, &(OrtFlags){0}}, &engine, &err));
    ck_assert_uint_eq(onnx_engine_input_count(engine), count);
}

static Tensor *made(const Wish *wishes, size_t count, const MadeInputs *settings) {
    Tensor *tensors;
    opened(wishes, count);
    CHECK_OK(inputs_make(&arena, engine, settings, &tensors, &err));
    return tensors;
}

static void done(void) {
    onnx_engine_free(engine);
    scratch_done(&arena, folder);
    arena_done(&arena);
}

static void shape_is(const Tensor *tensor, const char *text) {
    char got[SHAPE_TEXT_BYTES];
    ck_assert_str_eq(shape_text(&tensor->shape, got), text);
}

static const MadeInputs usual = {.batch = 3, .source_tokens = 5, .vocabulary = 9};

START_TEST(test_called_batch) {
    static const Wish wishes[] = {
        {"a", 1, "length,Batch_size,4"}, {"b", 1, "?,?"}, {"c", 1, "batch,past + length"}, {"d", 1, "past + 1"}};
    Tensor *tensors = made(wishes, 4, &usual);
    shape_is(&tensors[0], "[5,3,4]");
    shape_is(&tensors[1], "[3,5]");
    shape_is(&tensors[2], "[3,10]");
    shape_is(&tensors[3], "[6]");
    done();
}
END_TEST

START_TEST(test_first_is_batch) {
    static const Wish wishes[] = {{"a", 1, "2,N,T"}, {"b", 1, "T,N"}, {"c", 1, ""}};
    Tensor *tensors = made(wishes, 3, &usual);
    shape_is(&tensors[0], "[2,3,5]");
    shape_is(&tensors[1], "[5,3]");
    shape_is(&tensors[2], "[]");
    done();
}
END_TEST

static int64_t integer(const Tensor *tensor, size_t i) {
    double value;
    elements_to_f64(tensor->dtype, (const unsigned char *)tensor->data + i * dtype_bytes(tensor->dtype), 1, &value);
    return (int64_t)value;
}

START_TEST(test_by_name) {
    static const Wish wishes[] = {{"input_ids", 7, "batch,T"},      {"attention_mask", 7, "batch,T"},
                                  {"token_type_ids", 6, "batch,T"}, {"position_ids", 7, "batch,T"},
                                  {"float_mask", 1, "batch,T"},     {"use_cache", 9, "1"},
                                  {"small", 3, "batch,T"}};
    Tensor *tensors = made(wishes, 7, &usual);
    bool varies = false;
    for (size_t i = 0; i < 15; i++) {
        ck_assert(integer(&tensors[0], i) >= 0 && integer(&tensors[0], i) < 9);
        varies |= integer(&tensors[0], i) != integer(&tensors[0], 0);
        ck_assert_int_eq(integer(&tensors[1], i), 1);
        ck_assert_int_eq(integer(&tensors[2], i), 0);
        ck_assert_int_eq(integer(&tensors[3], i), (int64_t)(i % 5));
        ck_assert_int_eq(integer(&tensors[4], i), 1);
        ck_assert(integer(&tensors[6], i) >= 0 && integer(&tensors[6], i) < 9);
    }
    ck_assert(varies);
    ck_assert_int_eq(integer(&tensors[5], 0), 0);
    Tensor *again;
    CHECK_OK(inputs_make(&arena, engine, &usual, &again, &err));
    ck_assert_mem_eq(again[0].data, tensors[0].data, tensors[0].bytes);
    done();
}
END_TEST

// What an i8 cannot hold becomes the most that it can.
START_TEST(test_by_type) {
    static const int types[] = {1, 10, 16, 11, 3, 2, 5, 4, 6, 12, 7, 13};
    for (size_t t = 0; t < ARRAY_COUNT(types); t++) {
        Wish wish = {"x", types[t], "50"};
        Tensor *tensors = made(&wish, 1, &(MadeInputs){1, 1, 1 << 20});
        bool real = dtype_is_real(tensors[0].dtype);
        double values[50], most = 0;
        elements_to_f64(tensors[0].dtype, tensors[0].data, 50, values);
        for (size_t i = 0; i < 50; i++) {
            ck_assert(values[i] >= (real ? -1 : 0));
            most = fmax(most, values[i]);
        }
        ck_assert(real ? most > 0.5 && most <= 1 : most >= 127);
        done();
    }
}
END_TEST

START_TEST(test_no_rank) {
    Tensor *tensors;
    opened(&(Wish){"x", 1, NULL}, 1);
    CHECK_FAILS(inputs_make(&arena, engine, &usual, &tensors, &err), ERR_UNSUPPORTED,
                "input 'x' has no known dimensions");
    done();
}
END_TEST

TEST_MAIN("bench_onnx_inputs", test_called_batch, test_first_is_batch, test_by_name, test_by_type, test_no_rank)
