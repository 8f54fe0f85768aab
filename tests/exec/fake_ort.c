// SPDX-License-Identifier: Apache-2.0
// A library that looks like ONNX Runtime to exec/ort.c and has one model: y = x + 1 for f32, y = x for other types, x
// of [batch, 3]. A model's file holds the number of its element type. Numbers of a FakePart make it a part of an
// encoder-decoder of one layer: logits of FAKE_WORDS words have a 1 at the sum of all tokens of the source and of those
// so far, modulo the words, by way of keys and values which are the tokens. It counts what it gave and did not get back
// (fake_live), writes down what it was told (fake_log), and misbehaves as $FAKE_ORT says.
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "exec/ort_api.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT int fake_live(void);
EXPORT const char *fake_log(void);
EXPORT const OrtApiBase *OrtGetApiBase(void);

enum { MOST_DIMS = 9, MOST_PORTS = 6, FAKE_WORDS = 9 };

typedef enum FakePart { FAKE_ENCODER = -1, FAKE_FIRST = -2, FAKE_NEXT = -3 } FakePart;

struct OrtStatus {
    int code;
    const char *text;
};
struct OrtEnv {
    int level;
};
struct OrtSession {
    int type;
};
struct OrtSessionOptions {
    int level;
};
struct OrtMemoryInfo {
    int type;
};
struct OrtAllocator {
    int unused;
};
struct OrtTensorInfo {
    int type;
    size_t rank;
    int64_t dims[MOST_DIMS];
};
struct OrtTypeInfo {
    OrtTensorInfo tensor;
};
struct OrtValue {
    OrtTensorInfo info;
    void *data;
    bool owns;
};

static int live;
static char written[512];

int fake_live(void) {
    return live;
}

const char *fake_log(void) {
    return written;
}

static bool mode(const char *name) {
    const char *value = getenv("FAKE_ORT");
    return value && strcmp(value, name) == 0;
}

static void *made(size_t bytes) {
    live++;
    return calloc(1, bytes ? bytes : 1);
}

static void gone(void *object) {
    if (object) {
        live--;
        free(object);
    }
}

static OrtStatus *failed(int code, const char *text) {
    OrtStatus *status = made(sizeof *status);
    *status = (OrtStatus){code, text};
    return status;
}

static OrtStatus *note(const char *what, const char *value) {
    size_t used = strlen(written);
    snprintf(written + used, sizeof written - used, "%s=%s ", what, value);
    return NULL;
}

static OrtStatus *note_number(const char *what, int value) {
    char text[16];
    snprintf(text, sizeof text, "%d", value);
    return note(what, text);
}

#define SLOT(number, name, result, arguments) static result fake_##name arguments;
#include "exec/ort_slots.def"
#undef SLOT

static int fake_get_error_code(const OrtStatus *status) {
    return status->code;
}

static const char *fake_get_error_message(const OrtStatus *status) {
    return status->text;
}

static OrtStatus *fake_create_env(int log_level, const char *log_name, OrtEnv **ret) {
    (void)log_name;
    if (mode("env"))
        return failed(1, "no environment");
    *ret = made(sizeof **ret);
    (*ret)->level = log_level;
    return NULL;
}

static OrtStatus *fake_create_session(const OrtEnv *env, const char *path, const OrtSessionOptions *options,
                                      OrtSession **ret) {
    (void)env;
    (void)options;
    FILE *file = fopen(path, "r");
    if (!file)
        return failed(ORT_NO_SUCH_FILE, "File doesn't exist.\n");
    int type = 0;
    bool good = fscanf(file, "%d", &type) == 1;
    fclose(file);
    if (!good)
        return failed(ORT_INVALID_PROTOBUF, "Protobuf parsing\nfailed.");
    *ret = made(sizeof **ret);
    (*ret)->type = type;
    return NULL;
}

enum { TYPE_F32 = 1, TYPE_I64 = 7 };

typedef struct Ports {
    const char *inputs[MOST_PORTS], *outputs[MOST_PORTS];
} Ports;

static const Ports *ports_of(const OrtSession *session) {
    static const Ports parts[] = {
        {{"input_ids", "attention_mask"}, {"last_hidden_state"}},
        {{"input_ids", "encoder_attention_mask", "encoder_hidden_states"},
         {"logits", "present.0.decoder.key", "present.0.decoder.value", "present.0.encoder.key",
          "present.0.encoder.value"}},
        {{"input_ids", "encoder_attention_mask", "past_key_values.0.decoder.key", "past_key_values.0.decoder.value",
          "past_key_values.0.encoder.key", "past_key_values.0.encoder.value"},
         {"logits", "present.0.decoder.key", "present.0.decoder.value"}},
    };
    static const Ports plain = {{"x"}, {"y"}};
    return session->type >= 0 ? &plain : &parts[-1 - session->type];
}

static size_t ports_count(const char *const *names) {
    size_t count = 0;
    while (count < MOST_PORTS && names[count])
        count++;
    return count;
}

static OrtValue *floats_new(int64_t rows, int64_t tokens, int64_t width, bool heads) {
    OrtValue *value = made(sizeof *value);
    value->info = (OrtTensorInfo){TYPE_F32, heads ? 4 : 3, {rows, heads ? 1 : tokens, heads ? tokens : width, 1}};
    value->data = made((size_t)(rows * tokens * width) * sizeof(float));
    value->owns = true;
    return value;
}

// One row of a run, whose inputs are those of the part in order.
typedef struct FakeRow {
    const int64_t *ids, *mask;
    const float *past, *source; // [past_tokens], [source_tokens]
    int64_t tokens, past_tokens, source_tokens;
} FakeRow;

static FakeRow row_of(FakePart part, const OrtValue *const *inputs, int64_t row) {
    FakeRow r = {.tokens = inputs[0]->info.dims[1], .source_tokens = inputs[1]->info.dims[1]};
    r.ids = (const int64_t *)inputs[0]->data + row * r.tokens;
    r.mask = (const int64_t *)inputs[1]->data + row * r.source_tokens;
    if (part == FAKE_NEXT) {
        r.past_tokens = inputs[2]->info.dims[2];
        r.past = (const float *)inputs[2]->data + row * r.past_tokens;
    }
    if (part != FAKE_ENCODER)
        r.source = (const float *)inputs[part == FAKE_NEXT ? 4 : 2]->data + row * r.source_tokens;
    return r;
}

static void logits_write(const FakeRow *r, float *ret) {
    float sum = 0;
    for (int64_t t = 0; t < r->source_tokens; t++)
        sum += r->mask[t] ? r->source[t] : 0;
    for (int64_t t = 0; t < r->past_tokens; t++)
        sum += r->past[t];
    for (int64_t t = 0; t < r->tokens; t++) {
        sum += (float)r->ids[t];
        ret[t * FAKE_WORDS + (int64_t)sum % FAKE_WORDS] = 1;
    }
}

static OrtValue *part_output(FakePart part, const char *name, const OrtValue *const *inputs) {
    int64_t rows = inputs[0]->info.dims[0];
    FakeRow r = row_of(part, inputs, 0);
    bool logits = strcmp(name, "logits") == 0, source = strstr(name, ".encoder.");
    int64_t tokens = logits ? r.tokens : source ? r.source_tokens : r.past_tokens + r.tokens;
    int64_t width = logits ? FAKE_WORDS : 1;
    OrtValue *value = floats_new(rows, tokens, width, strstr(name, "present."));
    for (int64_t row = 0; row < rows; row++) {
        float *data = (float *)value->data + row * tokens * width;
        r = row_of(part, inputs, row);
        if (logits)
            logits_write(&r, data);
        for (int64_t t = 0; t < tokens && !logits; t++)
            data[t] = source ? r.source[t] : t < r.past_tokens ? r.past[t] : (float)r.ids[t - r.past_tokens];
    }
    return value;
}

static OrtStatus *part_run(FakePart part, const OrtValue *const *inputs, const char *const *output_names,
                           size_t output_count, OrtValue **outputs) {
    for (size_t i = 0; i < output_count; i++)
        outputs[i] = part_output(part, output_names[i], inputs);
    return NULL;
}

static OrtStatus *fake_run(OrtSession *session, const void *run_options, const char *const *input_names,
                           const OrtValue *const *inputs, size_t input_count, const char *const *output_names,
                           size_t output_count, OrtValue **outputs) {
    (void)run_options;
    if (mode("run"))
        return failed(1, "Non-zero status code");
    if (session->type < 0)
        return part_run((FakePart)session->type, inputs, output_names, output_count, outputs);
    if (input_count != 1 || output_count != 1 || strcmp(input_names[0], "x") != 0 || strcmp(output_names[0], "y") != 0)
        return failed(ORT_INVALID_ARGUMENT, "expected x and y");
    const OrtValue *x = inputs[0];
    if (x->info.type != session->type || x->info.rank != 2 || x->info.dims[1] != 3)
        return failed(ORT_INVALID_ARGUMENT, "Got invalid dimensions for input: x");
    if (mode("nothing"))
        return NULL;
    OrtValue *y = outputs[0] = made(sizeof *y);
    y->info = x->info;
    size_t elements = (size_t)x->info.dims[0] * 3;
    y->data = made(elements * 8); // room for the widest type
    y->owns = true;
    if (session->type == 1)
        for (size_t i = 0; i < elements; i++)
            ((float *)y->data)[i] = ((const float *)x->data)[i] + 1;
    else
        memcpy(y->data, x->data, elements); // of the narrowest, one byte each
    return NULL;
}

static OrtStatus *fake_create_session_options(OrtSessionOptions **ret) {
    written[0] = '\0';
    *ret = made(sizeof **ret);
    return NULL;
}

static OrtStatus *fake_disable_mem_pattern(OrtSessionOptions *options) {
    (void)options;
    return note("pattern", "0");
}

static OrtStatus *fake_disable_cpu_mem_arena(OrtSessionOptions *options) {
    (void)options;
    return note("arena", "0");
}

static OrtStatus *fake_set_graph_level(OrtSessionOptions *options, int level) {
    options->level = level;
    return note_number("level", level);
}

static OrtStatus *fake_set_intra_threads(OrtSessionOptions *options, int threads) {
    (void)options;
    return note_number("intra", threads);
}

static OrtStatus *fake_set_inter_threads(OrtSessionOptions *options, int threads) {
    (void)options;
    return note_number("inter", threads);
}

static OrtStatus *fake_input_count(const OrtSession *session, size_t *ret) {
    *ret = ports_count(ports_of(session)->inputs);
    return NULL;
}

static OrtStatus *fake_output_count(const OrtSession *session, size_t *ret) {
    *ret = ports_count(ports_of(session)->outputs);
    return NULL;
}

static OrtStatus *fake_input_type(const OrtSession *session, size_t index, OrtTypeInfo **ret) {
    *ret = made(sizeof **ret);
    if (session->type < 0) {
        bool whole =
            strstr(ports_of(session)->inputs[index], "_ids") || strstr(ports_of(session)->inputs[index], "mask");
        (*ret)->tensor = (OrtTensorInfo){whole ? TYPE_I64 : TYPE_F32, 2, {-1, -1}};
        return NULL;
    }
    (*ret)->tensor = (OrtTensorInfo){session->type, mode("rank") ? MOST_DIMS : 2, {-1, 3}};
    return NULL;
}

static OrtStatus *name_give(const char *name, char **ret) {
    *ret = made(strlen(name) + 1);
    memcpy(*ret, name, strlen(name) + 1);
    return NULL;
}

static OrtStatus *fake_input_name(const OrtSession *session, size_t index, OrtAllocator *allocator, char **ret) {
    (void)allocator;
    return name_give(ports_of(session)->inputs[index], ret);
}

static OrtStatus *fake_output_name(const OrtSession *session, size_t index, OrtAllocator *allocator, char **ret) {
    (void)allocator;
    return name_give(ports_of(session)->outputs[index], ret);
}

static OrtStatus *fake_create_tensor(const OrtMemoryInfo *memory, void *data, size_t bytes, const int64_t *dims,
                                     size_t rank, int type, OrtValue **ret) {
    (void)memory, (void)bytes;
    if (!data)
        return failed(ORT_INVALID_ARGUMENT, "p_data is null");
    OrtValue *value = *ret = made(sizeof *value);
    value->info = (OrtTensorInfo){.type = type, .rank = rank};
    memcpy(value->info.dims, dims, rank * sizeof *dims);
    value->data = data;
    return NULL;
}

static OrtStatus *fake_is_tensor(const OrtValue *value, int *ret) {
    (void)value;
    *ret = !mode("sequence");
    return NULL;
}

static OrtStatus *fake_tensor_data(OrtValue *value, void **ret) {
    *ret = value->data;
    return NULL;
}

static OrtStatus *fake_cast_to_tensor_info(const OrtTypeInfo *type, const OrtTensorInfo **ret) {
    *ret = mode("map") ? NULL : &type->tensor;
    return NULL;
}

static OrtStatus *fake_element_type(const OrtTensorInfo *info, int *ret) {
    *ret = info->type;
    return NULL;
}

static OrtStatus *fake_dimension_count(const OrtTensorInfo *info, size_t *ret) {
    *ret = info->rank;
    return NULL;
}

static OrtStatus *fake_dimensions(const OrtTensorInfo *info, int64_t *ret, size_t count) {
    memcpy(ret, info->dims, count * sizeof *ret);
    return NULL;
}

static OrtStatus *fake_symbolic_dimensions(const OrtTensorInfo *info, const char **ret, size_t count) {
    for (size_t i = 0; i < count; i++)
        ret[i] = info->dims[i] < 0 ? "batch" : "";
    return NULL;
}

static OrtStatus *fake_tensor_info(const OrtValue *value, OrtTensorInfo **ret) {
    *ret = made(sizeof **ret);
    **ret = value->info;
    return NULL;
}

static OrtStatus *fake_create_cpu_memory_info(int allocator_type, int memory_type, OrtMemoryInfo **ret) {
    (void)memory_type;
    *ret = made(sizeof **ret);
    (*ret)->type = allocator_type;
    return NULL;
}

static OrtStatus *fake_allocator_free(OrtAllocator *allocator, void *block) {
    (void)allocator;
    gone(block);
    return NULL;
}

static OrtStatus *fake_default_allocator(OrtAllocator **ret) {
    static OrtAllocator allocator;
    *ret = &allocator;
    return NULL;
}

static void fake_release_env(OrtEnv *env) {
    gone(env);
}

static void fake_release_status(OrtStatus *status) {
    gone(status);
}

static void fake_release_memory_info(OrtMemoryInfo *memory) {
    gone(memory);
}

static void fake_release_session(OrtSession *session) {
    gone(session);
}

static void fake_release_value(OrtValue *value) {
    if (value->owns)
        gone(value->data);
    gone(value);
}

static void fake_release_type(OrtTypeInfo *type) {
    gone(type);
}

static void fake_release_tensor_info(OrtTensorInfo *info) {
    gone(info);
}

static void fake_release_session_options(OrtSessionOptions *options) {
    gone(options);
}

static OrtStatus *fake_available_providers(char ***ret_names, int *ret_count) {
    static const char *const names[] = {"TensorrtExecutionProvider", "CUDAExecutionProvider",
                                        "XnnpackExecutionProvider", "CPUExecutionProvider"};
    *ret_names = made(sizeof names);
    memcpy(*ret_names, names, sizeof names);
    *ret_count = 4;
    return NULL;
}

static OrtStatus *fake_release_providers(char **names, int count) {
    (void)count;
    gone(names);
    return NULL;
}

static OrtStatus *fake_add_config(OrtSessionOptions *options, const char *key, const char *value) {
    (void)options;
    return note(key, value);
}

static OrtStatus *fake_append_tensorrt(OrtSessionOptions *options, const void *provider_options) {
    (void)options, (void)provider_options;
    return failed(11, "no device");
}

static OrtStatus *fake_create_tensorrt(void **ret_provider_options) {
    *ret_provider_options = made(1);
    return NULL;
}

static OrtStatus *fake_update_tensorrt(void *provider_options, const char *const *keys, const char *const *values,
                                       size_t count) {
    return fake_update_cuda(provider_options, keys, values, count);
}

static void fake_release_tensorrt(void *provider_options) {
    gone(provider_options);
}

static OrtStatus *fake_append_cuda(OrtSessionOptions *options, const void *provider_options) {
    (void)options, (void)provider_options;
    return note("append", "cuda");
}

static OrtStatus *fake_create_cuda(void **ret_provider_options) {
    *ret_provider_options = made(1);
    return NULL;
}

static OrtStatus *fake_update_cuda(void *provider_options, const char *const *keys, const char *const *values,
                                   size_t count) {
    (void)provider_options;
    for (size_t i = 0; i < count; i++)
        note(keys[i], values[i]);
    return NULL;
}

static void fake_release_cuda(void *provider_options) {
    gone(provider_options);
}

static OrtStatus *fake_append_provider(OrtSessionOptions *options, const char *name, const char *const *keys,
                                       const char *const *values, size_t count) {
    (void)options, (void)keys, (void)values, (void)count;
    return note("append", name);
}

static const OrtSlot *get_api(uint32_t version) {
    static const OrtSlot slots[ORT_SLOTS] = {
#define SLOT(number, name, result, arguments) [number] = (OrtSlot)fake_##name,
#include "exec/ort_slots.def"
#undef SLOT
    };
    return mode("old") || version > ORT_API_VERSION ? NULL : slots;
}

static const char *get_version(void) {
    return mode("old") ? "1.8.1" : "1.99.0";
}

const OrtApiBase *OrtGetApiBase(void) {
    static const OrtApiBase base = {get_api, get_version};
    return &base;
}
