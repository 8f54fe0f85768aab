// SPDX-License-Identifier: Apache-2.0
// Whole models as other programs lay them out, made from hone's own folders: they open, and their weights are the same.
#define TINY_SCALE 4
#include "compress/config_text.h"
#include "compress/quantize.h"
#include "compress/tiny.h"
#include "compress/verify.h"

static Error err;

typedef struct Case {
    Scratch scratch;
    Bundle written; // what hone wrote
    Tensor tensors[4 * TINY_MOST];
    size_t count; // of tensors in the other layout
} Case;

static void *room(Case *c, size_t count, size_t size) {
    void *made = arena_array(&c->scratch.arena, count, size, &err);
    ck_assert_ptr_nonnull(made);
    return made;
}

static const char *config_make(Case *c, const char *quantization) {
    const char *text = tiny_config_scaled(&c->scratch.arena);
    if (!quantization)
        return text;
    Buffer out = {0};
    config_text_set((Bytes){(const unsigned char *)text, strlen(text)}, "quantization_config", quantization, &out);
    text = arena_copy_text(&c->scratch.arena, out.data, out.bytes, &err);
    buffer_done(&out);
    return text;
}

static void case_start(Case *c, const QuantizeOptions *options) {
    RewriteReport report;
    Bytes file;
    c->scratch = scratch_make();
    Tiny tiny = tiny_make(&c->scratch.arena);
    char *model = tiny_write(&tiny, &c->scratch, "model", config_make(c, NULL)),
         *out = scratch_path(&c->scratch, "out");
    CHECK_OK(quantize_model(&c->scratch.arena, model, out, options, &report, &err));
    char *path = path_join(&c->scratch.arena, out, "model.safetensors", &err);
    CHECK_OK(file_map(&c->scratch.arena, path, &file, &err));
    CHECK_OK(safetensors_read(&c->scratch.arena, path, file, &c->written, &err));
}

static Tensor *put(Case *c, const char *module, const char *ending, DType dtype, Shape shape, const void *data) {
    Tensor *tensor = &c->tensors[c->count++];
    *tensor = (Tensor){.dtype = dtype, .shape = shape, .data = data};
    tensor->name = arena_format(&c->scratch.arena, &err, "%s%s", module, ending);
    ck_assert(tensor->name && shape_bytes(&shape, dtype, &tensor->bytes));
    return tensor;
}

static bool ends(const char *name, const char *ending) {
    size_t length = strlen(name), tail = strlen(ending);
    return length > tail && strcmp(name + length - tail, ending) == 0;
}

static char *module_of(Case *c, const char *name, const char *ending) {
    char *module = arena_copy_text(&c->scratch.arena, name, strlen(name) - strlen(ending), &err);
    ck_assert_ptr_nonnull(module);
    return module;
}

// Writes the other layout, opens it, and finds every tensor that hone wrote in what was read.
static void case_end(Case *c, const char *quantization, const char *described) {
    Tiny tiny = {.arena = &c->scratch.arena};
    ck_assert_uint_le(c->count, TINY_MOST * 2);
    char *folder = tiny_write(&tiny, &c->scratch, "theirs", config_make(c, quantization));
    char *file = path_join(&c->scratch.arena, folder, "model.safetensors", &err);
    CHECK_OK(safetensors_write(file, c->tensors, c->count, NULL, NULL, &err));
    const Model *model;
    CHECK_OK(model_open(&c->scratch.arena, folder, true, &model, &err));
    ck_assert_str_eq(model_info(model)->quantization, described);
    ck_assert_uint_eq(model_tensors(model)->count, c->written.count);
    for (size_t i = 0; i < c->written.count; i++) {
        const Tensor *wanted = &c->written.tensors[i], *found = bundle_find(model_tensors(model), wanted->name);
        ck_assert_msg(found && found->dtype == wanted->dtype && found->bytes == wanted->bytes, "'%s'", wanted->name);
        for (size_t e = 0; wanted->dtype == DTYPE_F32 && e < wanted->bytes / 4; e++) {
            float a, b;
            memcpy(&a, (const char *)wanted->data + 4 * e, 4);
            memcpy(&b, (const char *)found->data + 4 * e, 4);
            ck_assert_msg(fabsf(a - b) <= 2e-7f * fabsf(a), "'%s': %g, expected %g", wanted->name, (double)b,
                          (double)a);
        }
        if (wanted->dtype != DTYPE_F32)
            ck_assert_msg(memcmp(found->data, wanted->data, wanted->bytes) == 0, "'%s'", wanted->name);
    }
    VerifyReport report;
    CHECK_OK(verify_model(&c->scratch.arena, folder, &(WorkMeter){0}, &report, &err));
    ck_assert_uint_eq(report.problems.count, 0);
    scratch_done(&c->scratch);
}

START_TEST(test_bitsandbytes_in_8_bits_opens) {
    static const uint8_t by_rows[1];
    Case c = {0};
    size_t weights = 0;
    case_start(&c, &(QuantizeOptions){.scheme = STORE_INT8, .loadable = true});
    for (size_t i = 0; i < c.written.count; i++) {
        const Tensor *tensor = &c.written.tensors[i];
        if (!ends(tensor->name, ".weight_scale")) {
            c.tensors[c.count++] = *tensor;
            continue;
        }
        size_t rows = tensor->bytes / 4;
        float *absmax = room(&c, rows, sizeof *absmax);
        tensor_to_f32(tensor, absmax);
        for (size_t r = 0; r < rows; r++)
            absmax[r] *= 127;
        char *module = module_of(&c, tensor->name, ".weight_scale");
        put(&c, module, ".SCB", DTYPE_F32, (Shape){1, {(int64_t)rows}}, absmax);
        put(&c, module, ".weight_format", DTYPE_U8, (Shape){0}, by_rows);
        weights++;
    }
    ck_assert_uint_eq(weights, 16);
    case_end(&c, "{\"quant_method\": \"bitsandbytes\", \"load_in_8bit\": true}", "bitsandbytes int8");
}
END_TEST

// [rows, columns] of `size` bytes -> [columns, rows].
static void *turned(Case *c, const Tensor *tensor, size_t size) {
    size_t rows = (size_t)tensor->shape.dims[0], columns = (size_t)tensor->shape.dims[1];
    char *to = room(c, rows * columns, size);
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < columns; k++)
            memcpy(to + (k * rows + r) * size, (const char *)tensor->data + (r * columns + k) * size, size);
    return to;
}

START_TEST(test_gptq_layout_opens) {
    for (int shift = 0; shift < 2; shift++) {
        Case c = {0};
        size_t weights = 0;
        case_start(&c, &(QuantizeOptions){.scheme = STORE_INT4, .group = 32, .loadable = true});
        for (size_t i = 0; i < c.written.count; i++) {
            const Tensor *tensor = &c.written.tensors[i];
            int64_t rows = tensor->shape.dims[0], columns = tensor->shape.dims[1];
            if (ends(tensor->name, ".weight_packed")) {
                char *module = module_of(&c, tensor->name, ".weight_packed");
                put(&c, module, ".qweight", DTYPE_I32, (Shape){2, {columns, rows}}, turned(&c, tensor, 4));
                weights++;
            } else if (ends(tensor->name, ".weight_scale")) {
                char *module = module_of(&c, tensor->name, ".weight_scale");
                uint32_t *zeros = room(&c, (size_t)(columns * rows / 8), sizeof *zeros);
                int32_t *order = room(&c, (size_t)columns * 32, sizeof *order);
                for (int64_t z = 0; z < columns * rows / 8; z++)
                    zeros[z] = shift ? 0x77777777u : 0x88888888u;
                for (int64_t k = 0; k < columns * 32; k++)
                    order[k] = (int32_t)(k / 32);
                put(&c, module, ".scales", DTYPE_F16, (Shape){2, {columns, rows}}, turned(&c, tensor, 2));
                put(&c, module, ".qzeros", DTYPE_I32, (Shape){2, {columns, rows / 8}}, zeros);
                put(&c, module, ".g_idx", DTYPE_I32, (Shape){1, {columns * 32}}, order);
            } else if (!ends(tensor->name, ".weight_shape"))
                c.tensors[c.count++] = *tensor;
        }
        ck_assert_uint_eq(weights, 16);
        const char *one = "{\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": 32, \"sym\": true}";
        const char *two = "{\"quant_method\": \"gptq\", \"bits\": 4, \"checkpoint_format\": \"gptq_v2\"}";
        case_end(&c, shift ? one : two, shift ? "gptq" : "gptq_v2");
    }
}
END_TEST

TEST_MAIN("compress/layouts", test_bitsandbytes_in_8_bits_opens, test_gptq_layout_opens)
