// SPDX-License-Identifier: Apache-2.0
// "tensorrt:trt_fp16_enable=1,cuda:device_id=0,cpu" to calls of the library. The entry for any provider by name knows
// neither CUDA nor TensorRT; each of those has options of its own to be made, filled and released.
#include "exec/ort_providers.h"

#include <string.h>

typedef enum ProviderEntry { ENTRY_NONE, ENTRY_CUDA, ENTRY_TENSORRT, ENTRY_NAMED } ProviderEntry;

// What chains call a provider, what GetAvailableProviders calls it, and how it is appended, by name for some.
typedef struct ProviderKind {
    const char *name, *available;
    ProviderEntry entry;
    const char *append_name;
} ProviderKind;

static const ProviderKind kinds[] = {
    {"cpu", "CPUExecutionProvider", ENTRY_NONE, ""},
    {"cuda", "CUDAExecutionProvider", ENTRY_CUDA, ""},
    {"tensorrt", "TensorrtExecutionProvider", ENTRY_TENSORRT, ""},
    {"openvino", "OpenVINOExecutionProvider", ENTRY_NAMED, "OpenVINO"},
    {"qnn", "QNNExecutionProvider", ENTRY_NAMED, "QNN"},
    {"webgpu", "WebGpuExecutionProvider", ENTRY_NAMED, "WebGPU"},
    {"xnnpack", "XnnpackExecutionProvider", ENTRY_NAMED, "XNNPACK"},
};

enum { KINDS = sizeof kinds / sizeof *kinds, MOST_OPTIONS = 32 };

typedef struct Provider {
    const ProviderKind *kind;
    const char *keys[MOST_OPTIONS], *values[MOST_OPTIONS];
    size_t option_count;
} Provider;

static const ProviderKind *kind_of(const char *name, size_t bytes) {
    for (size_t i = 0; i < KINDS; i++)
        if (strlen(kinds[i].name) == bytes && memcmp(kinds[i].name, name, bytes) == 0)
            return &kinds[i];
    return NULL;
}

static Status kind_unknown(const char *name, size_t bytes, Error *err) {
    char known[128];
    size_t used = 0;
    for (size_t i = 0; i < KINDS; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", kinds[i].name);
    return FAIL(err, ERR_USAGE, "'%.*s' is no provider, expected %s", (int)bytes, name, known);
}

// The next provider of the chain; *text moves behind it. Without an arena, parts are only checked.
static Status provider_parse(Arena *arena, const char **text, Provider *ret, Error *err) {
    const char *at = *text;
    size_t bytes = strcspn(at, ":,");
    ret->option_count = 0;
    if (!(ret->kind = kind_of(at, bytes)))
        return kind_unknown(at, bytes, err);
    for (at += bytes; *at == ':'; at += bytes) {
        bytes = strcspn(++at, ":,");
        const char *equals = memchr(at, '=', bytes);
        if (!equals || equals == at || equals + 1 == at + bytes || ret->option_count == MOST_OPTIONS)
            return FAIL(err, ERR_USAGE, "'%.*s' is no option of provider %s, expected at most %d of KEY=VALUE",
                        (int)bytes, at, ret->kind->name, MOST_OPTIONS);
        if (ret->kind->entry == ENTRY_NONE)
            return FAIL(err, ERR_USAGE, "provider %s takes no options, but has '%.*s'", ret->kind->name, (int)bytes,
                        at);
        if (arena) {
            TRY_NEW(ret->keys[ret->option_count] = arena_copy_text(arena, at, (size_t)(equals - at), err));
            TRY_NEW(ret->values[ret->option_count] =
                        arena_copy_text(arena, equals + 1, (size_t)(at + bytes - equals - 1), err));
        }
        ret->option_count++;
    }
    if (*at && ret->kind->entry == ENTRY_NONE)
        return FAIL(err, ERR_USAGE, "provider %s runs everything, so that none after it ('%s') ever would",
                    ret->kind->name, at + 1);
    *text = *at ? at + 1 : NULL;
    return OK;
}

Status ort_providers_check(const char *providers, Error *err) {
    Provider provider;
    while (providers)
        TRY(provider_parse(NULL, &providers, &provider, err));
    return OK;
}

static Status cuda_append(const OrtLibrary *library, OrtSessionOptions *options, const Provider *provider, Error *err) {
    const OrtApi *api = &library->api;
    void *own = NULL;
    TRY(ort_check(library, api->create_cuda(&own), err));
    Status status = OK;
    if (provider->option_count)
        status =
            ort_check(library, api->update_cuda(own, provider->keys, provider->values, provider->option_count), err);
    if (status == OK)
        status = ort_check(library, api->append_cuda(options, own), err);
    api->release_cuda(own);
    return status;
}

static Status tensorrt_append(const OrtLibrary *library, OrtSessionOptions *options, const Provider *provider,
                              Error *err) {
    const OrtApi *api = &library->api;
    void *own = NULL;
    TRY(ort_check(library, api->create_tensorrt(&own), err));
    Status status = OK;
    if (provider->option_count)
        status = ort_check(library, api->update_tensorrt(own, provider->keys, provider->values, provider->option_count),
                           err);
    if (status == OK)
        status = ort_check(library, api->append_tensorrt(options, own), err);
    api->release_tensorrt(own);
    return status;
}

static Status provider_append(const OrtLibrary *library, OrtSessionOptions *options, const Provider *provider,
                              Error *err) {
    switch (provider->kind->entry) {
    case ENTRY_NONE:
        return OK;
    case ENTRY_CUDA:
        return cuda_append(library, options, provider, err);
    case ENTRY_TENSORRT:
        return tensorrt_append(library, options, provider, err);
    case ENTRY_NAMED:
        break;
    }
    return ort_check(library,
                     library->api.append_provider(options, provider->kind->append_name, provider->keys,
                                                  provider->values, provider->option_count),
                     err);
}

static bool available(char *const *names, int count, const char *name) {
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

Status ort_providers_append(const OrtLibrary *library, OrtSessionOptions *options, const char *chain, Arena *arena,
                            Buffer *notes, Buffer *ret_names, Error *err) {
    char **names = NULL;
    int count = 0;
    TRY(ort_check(library, library->api.available_providers(&names, &count), err));
    Status status = OK;
    bool processor = false; // named, or what is left
    while (chain && status == OK) {
        Provider provider;
        status = provider_parse(arena, &chain, &provider, err);
        if (status != OK)
            break;
        const char *name = provider.kind->name;
        Error refusal;
        if (!available(names, count, provider.kind->available))
            buffer_format(notes, "provider %s is left out: ONNX Runtime %s at '%s' lacks it\n", name, library->version,
                          library->path);
        else if (provider_append(library, options, &provider, &refusal) != OK)
            buffer_format(notes, "provider %s is left out: %s\n", name, refusal.message);
        else {
            buffer_format(ret_names, "%s%s", ret_names->bytes ? "," : "", name);
            processor = provider.kind->entry == ENTRY_NONE;
        }
    }
    Error ignored;
    IGNORE_STATUS(ort_check(library, library->api.release_providers(names, count), &ignored)); // a list of names
    TRY(status);
    if (!processor)
        buffer_format(ret_names, "%scpu", ret_names->bytes ? "," : "");
    TRY(buffer_status(notes, err));
    return buffer_status(ret_names, err);
}
