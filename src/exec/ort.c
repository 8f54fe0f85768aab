// SPDX-License-Identifier: Apache-2.0
// Sessions of ONNX Runtime: settings, what the model takes and gives, runs.
#include "exec/ort.h"

#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "exec/ort_providers.h"

struct OrtEngine {
    const OrtLibrary *library;
    Arena arena;
    OrtSession *session;
    OrtInput *inputs;
    const char **input_names, **output_names;
    size_t input_count, output_count;
    OrtValue **given, **made;  // [input_count] while running, [output_count] until the next run
    const char **wanted_names; // [output_count] while running
    Tensor *results;
    Buffer notes, providers;
};

static Status options_fill(OrtEngine *engine, OrtSessionOptions *options, const OrtSettings *settings, Error *err) {
    const OrtLibrary *library = engine->library;
    const OrtApi *api = &library->api;
    TRY(ort_check(library, api->set_graph_level(options, settings->graph_level), err));
    if (settings->intra_threads)
        TRY(ort_check(library, api->set_intra_threads(options, settings->intra_threads), err));
    if (settings->inter_threads)
        TRY(ort_check(library, api->set_inter_threads(options, settings->inter_threads), err));
    if (settings->no_arena)
        TRY(ort_check(library, api->disable_cpu_mem_arena(options), err));
    if (settings->no_pattern)
        TRY(ort_check(library, api->disable_mem_pattern(options), err));
    if (settings->no_spinning)
        TRY(ort_check(library, api->add_config(options, "session.intra_op.allow_spinning", "0"), err));
    if (settings->rests_after_run)
        TRY(ort_check(library, api->add_config(options, "session.force_spinning_stop", "1"), err));
    return ort_providers_append(library, options, settings->providers, &engine->arena, &engine->notes,
                                &engine->providers, err);
}

static Status session_make(OrtEngine *engine, const char *path, const OrtSettings *settings, Error *err) {
    const OrtLibrary *library = engine->library;
    OrtSessionOptions *options = NULL;
    TRY(ort_check(library, library->api.create_session_options(&options), err));
    Status status = options_fill(engine, options, settings, err);
    if (status == OK &&
        ort_check(library, library->api.create_session(library->env, path, options, &engine->session), err) != OK)
        status = error_context(err, "file '%s'", path);
    library->api.release_session_options(options);
    return status;
}

typedef OrtStatus *NameOf(const OrtSession *session, size_t index, OrtAllocator *allocator, char **ret);

static Status name_copy(OrtEngine *engine, NameOf *name_of, size_t index, const char **ret, Error *err) {
    const OrtApi *api = &engine->library->api;
    OrtAllocator *allocator = NULL;
    char *name = NULL;
    TRY(ort_check(engine->library, api->default_allocator(&allocator), err));
    TRY(ort_check(engine->library, name_of(engine->session, index, allocator, &name), err));
    *ret = arena_copy_text(&engine->arena, name, strlen(name), err);
    Error ignored;
    Status freed = ort_check(engine->library, api->allocator_free(allocator, name), *ret ? err : &ignored);
    return *ret ? freed : err->status;
}

// Element types have the numbers of TensorProto.DataType. Those of which several share a byte lie packed in the
// library's tensors and one to a byte in hone's.
static Status dtype_shared(int number, const char *what, DType *ret, Error *err) {
    if (number < 0 || !dtype_from_onnx((uint64_t)number, ret))
        return FAIL(err, ERR_UNSUPPORTED, "%s has elements of ONNX's type %d, which hone does not read", what, number);
    if (dtype_bits(*ret) < 8)
        return FAIL(err, ERR_UNSUPPORTED, "%s is %s: types of less than a byte are not passed to ONNX Runtime", what,
                    dtype_name(*ret));
    return OK;
}

static Status input_shape(OrtEngine *engine, const OrtTensorInfo *info, OrtInput *input, Error *err) {
    const OrtApi *api = &engine->library->api;
    size_t rank = 0;
    TRY(ort_check(engine->library, api->dimension_count(info, &rank), err));
    if (rank > SHAPE_MOST_DIMS)
        return FAIL(err, ERR_UNSUPPORTED, "input '%s' has %zu dimensions, at most %d are read", input->name, rank,
                    SHAPE_MOST_DIMS);
    input->rank = (int)rank;
    TRY(ort_check(engine->library, api->dimensions(info, input->dims, rank), err));
    const char *symbols[SHAPE_MOST_DIMS] = {0};
    TRY(ort_check(engine->library, api->symbolic_dimensions(info, symbols, rank), err));
    for (size_t i = 0; i < rank; i++) {
        const char *symbol = symbols[i] ? symbols[i] : "";
        TRY_NEW(input->symbols[i] = arena_copy_text(&engine->arena, symbol, strlen(symbol), err));
    }
    return OK;
}

static Status input_read(OrtEngine *engine, size_t index, Error *err) {
    const OrtApi *api = &engine->library->api;
    OrtInput *input = &engine->inputs[index];
    TRY(name_copy(engine, api->input_name, index, &engine->input_names[index], err));
    input->name = engine->input_names[index];
    OrtTypeInfo *type = NULL;
    TRY(ort_check(engine->library, api->input_type(engine->session, index, &type), err));
    const OrtTensorInfo *info = NULL;
    int number = 0;
    Status status = ort_check(engine->library, api->cast_to_tensor_info(type, &info), err);
    if (status == OK && !info)
        status = FAIL(err, ERR_UNSUPPORTED, "input '%s' is no tensor", input->name);
    if (status == OK)
        status = ort_check(engine->library, api->element_type(info, &number), err);
    if (status == OK) {
        char what[128];
        snprintf(what, sizeof what, "input '%.100s'", input->name);
        status = dtype_shared(number, what, &input->dtype, err);
    }
    if (status == OK)
        status = input_shape(engine, info, input, err);
    api->release_type(type);
    return status;
}

static Status model_read(OrtEngine *engine, Error *err) {
    const OrtApi *api = &engine->library->api;
    Arena *arena = &engine->arena;
    size_t inputs = 0, outputs = 0;
    TRY(ort_check(engine->library, api->input_count(engine->session, &inputs), err));
    TRY(ort_check(engine->library, api->output_count(engine->session, &outputs), err));
    TRY_NEW(engine->inputs = arena_array(arena, inputs, sizeof *engine->inputs, err));
    TRY_NEW(engine->input_names = arena_array(arena, inputs, sizeof *engine->input_names, err));
    TRY_NEW(engine->output_names = arena_array(arena, outputs, sizeof *engine->output_names, err));
    TRY_NEW(engine->given = arena_array(arena, inputs, sizeof(OrtValue *), err));
    TRY_NEW(engine->made = arena_array(arena, outputs, sizeof(OrtValue *), err));
    TRY_NEW(engine->wanted_names = arena_array(arena, outputs, sizeof *engine->wanted_names, err));
    TRY_NEW(engine->results = arena_array(arena, outputs, sizeof *engine->results, err));
    engine->input_count = inputs;
    engine->output_count = outputs;
    for (size_t i = 0; i < inputs; i++)
        TRY(input_read(engine, i, err));
    for (size_t i = 0; i < outputs; i++)
        TRY(name_copy(engine, api->output_name, i, &engine->output_names[i], err));
    return OK;
}

Status ort_engine_new(OrtLibrary *library, const char *path, const OrtSettings *settings, OrtEngine **ret_engine,
                      Error *err) {
    OrtEngine *engine = memory_new(1, sizeof *engine, err);
    TRY_NEW(engine);
    *engine = (OrtEngine){.library = library};
    arena_init(&engine->arena, 0);
    Status status = session_make(engine, path, settings, err);
    if (status == OK && model_read(engine, err) != OK)
        status = error_context(err, "file '%s'", path);
    if (status == OK)
        *ret_engine = engine;
    else
        ort_engine_free(engine);
    return status;
}

static void values_release(const OrtApi *api, OrtValue **values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (values[i])
            api->release_value(values[i]);
        values[i] = NULL;
    }
}

void ort_engine_free(OrtEngine *engine) {
    if (!engine)
        return;
    const OrtApi *api = &engine->library->api;
    values_release(api, engine->made, engine->made ? engine->output_count : 0);
    if (engine->session)
        api->release_session(engine->session);
    buffer_done(&engine->notes);
    buffer_done(&engine->providers);
    arena_done(&engine->arena);
    memory_free(engine);
}

const char *ort_engine_notes(const OrtEngine *engine) {
    return engine->notes.data ? engine->notes.data : "";
}

const char *ort_engine_providers(const OrtEngine *engine) {
    return engine->providers.data;
}

size_t ort_engine_input_count(const OrtEngine *engine) {
    return engine->input_count;
}

const OrtInput *ort_engine_inputs(const OrtEngine *engine) {
    return engine->inputs;
}

size_t ort_engine_output_count(const OrtEngine *engine) {
    return engine->output_count;
}

const char *ort_engine_output_name(const OrtEngine *engine, size_t index) {
    return engine->output_names[index];
}

// The library takes data to change, but inputs it only reads.
static Status value_give(OrtEngine *engine, size_t index, const Tensor *tensor, Error *err) {
    static const unsigned char nothing;
    const OrtInput *input = &engine->inputs[index];
    if (tensor->dtype != input->dtype)
        return FAIL(err, ERR_FORMAT, "input '%s' is %s, expected %s", input->name, dtype_name(tensor->dtype),
                    dtype_name(input->dtype));
    const void *data = tensor->bytes ? tensor->data : &nothing;
    void *changeable;
    memcpy(&changeable, &data, sizeof changeable);
    return ort_check(engine->library,
                     engine->library->api.create_tensor(engine->library->memory, changeable, tensor->bytes,
                                                        tensor->shape.dims, (size_t)tensor->shape.rank,
                                                        (int)dtype_onnx(tensor->dtype), &engine->given[index]),
                     err);
}

static Status value_describe(OrtEngine *engine, const OrtTensorInfo *info, const char *what, Tensor *ret, Error *err) {
    const OrtApi *api = &engine->library->api;
    int number = 0;
    size_t rank = 0;
    TRY(ort_check(engine->library, api->element_type(info, &number), err));
    TRY(dtype_shared(number, what, &ret->dtype, err));
    TRY(ort_check(engine->library, api->dimension_count(info, &rank), err));
    if (rank > SHAPE_MOST_DIMS)
        return FAIL(err, ERR_UNSUPPORTED, "%s has %zu dimensions, at most %d are read", what, rank, SHAPE_MOST_DIMS);
    ret->shape.rank = (int)rank;
    TRY(ort_check(engine->library, api->dimensions(info, ret->shape.dims, rank), err));
    if (!shape_bytes(&ret->shape, ret->dtype, &ret->bytes))
        return FAIL(err, ERR_LIMIT, "%s is more than this machine can address", what);
    return OK;
}

static Status value_take(OrtEngine *engine, size_t index, OrtValue *value, HeldTensor *ret, Error *err) {
    const OrtApi *api = &engine->library->api;
    char what[128];
    snprintf(what, sizeof what, "output '%.100s'", engine->output_names[index]);
    int tensor = 0;
    if (value)
        TRY(ort_check(engine->library, api->is_tensor(value, &tensor), err));
    if (!tensor)
        return FAIL(err, ERR_UNSUPPORTED, "%s is %s", what, value ? "no tensor" : "not there");
    OrtTensorInfo *info = NULL;
    Tensor result = {.name = engine->output_names[index]};
    TRY(ort_check(engine->library, api->tensor_info(value, &info), err));
    Status status = value_describe(engine, info, what, &result, err);
    api->release_tensor_info(info);
    TRY(status);
    void *data = NULL;
    TRY(ort_check(engine->library, api->tensor_data(value, &data), err));
    result.data = data;
    *ret = (HeldTensor){.tensor = result, .data = data, .held = value};
    return OK;
}

// Results in the order of `names`, into `made`.
static Status session_run(OrtEngine *engine, const char *const *names, size_t count, Error *err) {
    return ort_check(engine->library,
                     engine->library->api.run(engine->session, NULL, engine->input_names,
                                              (const OrtValue *const *)engine->given, engine->input_count, names, count,
                                              engine->made),
                     err);
}

Status ort_engine_run(OrtEngine *engine, const Tensor *inputs, const Tensor **ret_results, Error *err) {
    const OrtApi *api = &engine->library->api;
    values_release(api, engine->made, engine->output_count);
    Status status = OK;
    for (size_t i = 0; i < engine->input_count && status == OK; i++)
        status = value_give(engine, i, &inputs[i], err);
    if (status == OK)
        status = session_run(engine, engine->output_names, engine->output_count, err);
    values_release(api, engine->given, engine->input_count);
    for (size_t i = 0; i < engine->output_count && status == OK; i++) {
        HeldTensor result;
        status = value_take(engine, i, engine->made[i], &result, err);
        if (status == OK)
            engine->results[i] = result.tensor;
    }
    if (status == OK)
        *ret_results = engine->results;
    return status;
}

static Status held_give(OrtEngine *engine, const HeldTensor *inputs, Error *err) {
    for (size_t i = 0; i < engine->input_count; i++)
        if (inputs[i].held)
            engine->given[i] = inputs[i].held;
        else
            TRY(value_give(engine, i, &inputs[i].tensor, err));
    return OK;
}

// `made` holds results of the wanted outputs, in order, or NULL.
static Status held_take(OrtEngine *engine, const bool *wanted, HeldTensor *ret_outputs, Error *err) {
    for (size_t i = 0, next = 0; i < engine->output_count; i++) {
        ret_outputs[i] = (HeldTensor){0};
        if (!wanted[i])
            continue;
        TRY(value_take(engine, i, engine->made[next], &ret_outputs[i], err));
        engine->made[next++] = NULL;
    }
    return OK;
}

Status ort_engine_run_held(OrtEngine *engine, const HeldTensor *inputs, const bool *wanted, HeldTensor *ret_outputs,
                           Error *err) {
    const OrtApi *api = &engine->library->api;
    size_t count = 0;
    values_release(api, engine->made, engine->output_count);
    for (size_t i = 0; i < engine->output_count; i++) {
        ret_outputs[i] = (HeldTensor){0};
        if (wanted[i])
            engine->wanted_names[count++] = engine->output_names[i];
    }
    Status status = held_give(engine, inputs, err);
    if (status == OK)
        status = session_run(engine, engine->wanted_names, count, err);
    for (size_t i = 0; i < engine->input_count; i++)
        if (inputs[i].held)
            engine->given[i] = NULL;
    values_release(api, engine->given, engine->input_count);
    if (status == OK)
        status = held_take(engine, wanted, ret_outputs, err);
    for (size_t i = 0; i < engine->output_count && status != OK; i++)
        ort_engine_release(engine, &ret_outputs[i]);
    values_release(api, engine->made, engine->output_count);
    return status;
}

void ort_engine_release(OrtEngine *engine, HeldTensor *tensor) {
    if (tensor->held)
        engine->library->api.release_value(tensor->held);
    *tensor = (HeldTensor){0};
}
