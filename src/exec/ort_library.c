// SPDX-License-Identifier: Apache-2.0
// Finding the library, and its table of functions.
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "exec/ort_api.h"

// Names without a slash are looked for as any library is: the loader's configuration, $LD_LIBRARY_PATH.
static const char *const usual_places[] = {
    "libonnxruntime.so.1",
    "libonnxruntime.so",
    "/usr/lib/libonnxruntime.so.1",
    "/usr/lib/libonnxruntime.so",
    "/usr/local/lib/libonnxruntime.so.1",
    "/usr/local/lib/libonnxruntime.so",
};

enum { USUAL_PLACES = sizeof usual_places / sizeof *usual_places };

// OrtLoggingLevel FATAL: what goes wrong comes back as a status.
enum { LOG_FATAL_ONLY = 4 };
enum { ALLOCATOR_ARENA = 1, MEMORY_DEFAULT = 0 };

Status ort_check(const OrtLibrary *library, OrtStatus *status, Error *err) {
    if (!status)
        return OK;
    int code = library->api.get_error_code(status);
    char text[ERROR_MESSAGE_BYTES];
    snprintf(text, sizeof text, "%s", library->api.get_error_message(status));
    library->api.release_status(status);
    size_t bytes = strlen(text);
    while (bytes && (text[bytes - 1] == '\n' || text[bytes - 1] == '.' || text[bytes - 1] == ' '))
        text[--bytes] = '\0';
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
    Status kind = code == ORT_NO_SUCH_FILE ? ERR_IO : code == ORT_NOT_IMPLEMENTED ? ERR_UNSUPPORTED : ERR_FORMAT;
    return FAIL(err, kind, "ONNX Runtime %s: %s", library->version, text);
}

static void api_fill(OrtApi *api, const OrtSlot *slots) {
#define SLOT(number, name, result, arguments)                                                                          \
    _Static_assert((number) < ORT_SLOTS, "beyond the version asked for");                                              \
    api->name = (result(*) arguments)slots[number];
#include "exec/ort_slots.def"
#undef SLOT
}

// "'a', 'b'"
static Status places_text(Buffer *text, const char *const *places, size_t count, Error *err) {
    for (size_t i = 0; i < count; i++)
        buffer_format(text, "%s'%s'", i ? ", " : "", places[i]);
    return buffer_status(text, err);
}

static Status handle_open(OrtLibrary *library, const char *path, Error *err) {
    const char *environment = getenv("HONE_ORT");
    const char *const named = path ? path : environment && *environment ? environment : NULL;
    const char *const *places = named ? &named : usual_places;
    size_t count = named ? 1 : USUAL_PLACES;
    for (size_t i = 0; i < count && !library->handle; i++) {
        library->handle = dlopen(places[i], RTLD_NOW | RTLD_LOCAL);
        if (library->handle) {
            size_t bytes = strlen(places[i]) + 1;
            TRY_NEW(library->path = memory_new(bytes, 1, err));
            memcpy(library->path, places[i], bytes);
        }
    }
    if (library->handle)
        return OK;
    if (named)
        return FAIL(err, ERR_UNSUPPORTED, "ONNX Runtime cannot be loaded from '%s'%s: %s", named,
                    path ? "" : ", which is $HONE_ORT", dlerror());
    Buffer tried = {0};
    Status status = places_text(&tried, places, count, err);
    if (status == OK)
        status = FAIL(err, ERR_UNSUPPORTED,
                      "there is no ONNX Runtime here; tried %s; give its place, or set HONE_ORT to it", tried.data);
    buffer_done(&tried);
    return status;
}

static Status api_load(OrtLibrary *library, Error *err) {
    const OrtApiBase *(*get_base)(void) = NULL;
    void *symbol = dlsym(library->handle, "OrtGetApiBase");
    memcpy(&get_base, &symbol, sizeof get_base);
    const OrtApiBase *base = get_base ? get_base() : NULL;
    if (!base)
        return FAIL(err, ERR_UNSUPPORTED, "library '%s' has no OrtGetApiBase, so it is not ONNX Runtime",
                    library->path);
    library->version = base->get_version();
    const OrtSlot *slots = base->get_api(ORT_API_VERSION);
    if (!slots)
        return FAIL(err, ERR_UNSUPPORTED, "library '%s' is ONNX Runtime %s, expected 1.%d or newer", library->path,
                    library->version, ORT_API_VERSION);
    api_fill(&library->api, slots);
    TRY(ort_check(library, library->api.create_env(LOG_FATAL_ONLY, "hone", &library->env), err));
    return ort_check(library, library->api.create_cpu_memory_info(ALLOCATOR_ARENA, MEMORY_DEFAULT, &library->memory),
                     err);
}

Status ort_library_open(const char *path, OrtLibrary **ret_library, Error *err) {
    OrtLibrary *library = memory_new(1, sizeof *library, err);
    TRY_NEW(library);
    *library = (OrtLibrary){0};
    Status status = handle_open(library, path, err);
    if (status == OK)
        status = api_load(library, err);
    if (status == OK)
        *ret_library = library;
    else
        ort_library_close(library);
    return status;
}

void ort_library_close(OrtLibrary *library) {
    if (!library)
        return;
    if (library->memory)
        library->api.release_memory_info(library->memory);
    if (library->env)
        library->api.release_env(library->env);
    if (library->handle)
        dlclose(library->handle);
    memory_free(library->path);
    memory_free(library);
}

const char *ort_library_version(const OrtLibrary *library) {
    return library->version;
}

const char *ort_library_path(const OrtLibrary *library) {
    return library->path;
}
