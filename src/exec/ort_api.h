// SPDX-License-Identifier: Apache-2.0
// ONNX Runtime's C interface without its header: opaque types, and the functions of ort_slots.def out of the table that
// the library gives. For exec/ort*.c and the library that tests stand in for it; everybody else takes exec/ort.h.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "exec/ort.h"

typedef struct OrtStatus OrtStatus; // NULL: success
typedef struct OrtEnv OrtEnv;
typedef struct OrtSession OrtSession;
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtMemoryInfo OrtMemoryInfo;
typedef struct OrtAllocator OrtAllocator;
typedef struct OrtValue OrtValue;
typedef struct OrtTypeInfo OrtTypeInfo;
typedef struct OrtTensorInfo OrtTensorInfo;

// The version of the table that the slots need, which ONNX Runtime 1.12 (2022) was the first to have.
enum { ORT_API_VERSION = 12, ORT_SLOTS = 219 };

typedef void (*OrtSlot)(void);

// What the library's only exported symbol, OrtGetApiBase, returns.
typedef struct OrtApiBase {
    const OrtSlot *(*get_api)(uint32_t version); // NULL: a version that it does not know
    const char *(*get_version)(void);
} OrtApiBase;

typedef struct OrtApi {
#define SLOT(number, name, result, arguments) result(*name) arguments;
#include "exec/ort_slots.def"
#undef SLOT
} OrtApi;

// Numbers of OrtErrorCode.
enum { ORT_INVALID_ARGUMENT = 2, ORT_NO_SUCH_FILE, ORT_NO_MODEL, ORT_INVALID_PROTOBUF = 7, ORT_NOT_IMPLEMENTED = 9 };

struct OrtLibrary {
    void *handle;
    OrtApi api;
    OrtEnv *env;
    OrtMemoryInfo *memory;
    const char *version; // the library's own
    char *path;
};

// Frees the status; what it says becomes a sentence that begins with the library's name and version.
MUST_CHECK Status ort_check(const OrtLibrary *library, OrtStatus *status, Error *err);
