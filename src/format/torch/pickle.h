// SPDX-License-Identifier: Apache-2.0
// Pickles as data: a stack machine for Python's pickle protocols 2 to 5 that builds a tree of values and does nothing
// else.
//
// A pickle is a program that may name any Python function and have it called. Here nothing is ever called: a global is
// looked up in globals.def, and what the program would call becomes a PICKLE_CALL value holding the global and its
// arguments, for the caller to understand or to skip. Globals outside the table are kept as text and counted as
// foreign; those that only an attack would name (os.system, builtins.eval, ...) end the reading. The tree may be shared
// and even cyclic: who walks it bounds his depth.
//
//   bytes -> | opcode | -> stack, marks, memo -> one value
//
// Format: Python's Lib/pickletools.py, the definition of every opcode.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/status.h"
#include "tensor/tensor.h"

enum {
    PICKLE_MOST_VALUES = 1 << 20,
    PICKLE_MOST_STACK = 1 << 20,
    PICKLE_MOST_MEMO = 1 << 20,
    PICKLE_MOST_MARKS = 256,      // how deep containers nest while they are built
    PICKLE_MOST_BYTES = 72 << 20, // of memory for one tree
    PICKLE_MOST_FOREIGN = 64,     // distinct foreign globals remembered
};

// What a global means to the reader of tensors.
typedef enum GlobalMeaning {
    GLOBAL_DICT,             // calling it makes a dict
    GLOBAL_STORAGE,          // a storage class; `dtype` is its element type
    GLOBAL_BYTE_STORAGE,     // a storage class without element type
    GLOBAL_DTYPE,            // an element type
    GLOBAL_TENSOR,           // (storage, offset, size, stride, ...)
    GLOBAL_TENSOR_TYPED,     // (storage, offset, size, stride, requires_grad, hooks, dtype, ...)
    GLOBAL_TENSOR_QUANTIZED, // (storage, offset, size, stride, quantizer, ...)
    GLOBAL_WRAPPER,          // the first argument is the tensor
    GLOBAL_FROM_TYPE,        // (function, class, arguments, ...): function(*arguments)
    GLOBAL_PER_TENSOR,       // quantizer schemes
    GLOBAL_PER_CHANNEL,
    GLOBAL_PLAIN,   // an ordinary value nobody misses
    GLOBAL_FOREIGN, // anything else
} GlobalMeaning;

typedef struct PickleGlobal {
    const char *module, *name; // of a foreign one: in the arena
    GlobalMeaning meaning;
    DType dtype;
} PickleGlobal;

typedef enum PickleKind {
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INTEGER,
    PICKLE_LONG, // an integer beyond 64 bits: two's complement, little-endian, in `text`
    PICKLE_REAL,
    PICKLE_TEXT,  // str
    PICKLE_BYTES, // bytes, bytearray
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_SET,
    PICKLE_DICT, // items are key, value, key, value, ...
    PICKLE_GLOBAL,
    PICKLE_CALL,       // items are the callee and its arguments (a tuple)
    PICKLE_PERSISTENT, // the one item is the identifier: a storage outside of the pickle
} PickleKind;

typedef struct PickleValue PickleValue;
struct PickleValue {
    PickleKind kind;
    uint32_t capacity; // of items
    union {
        int64_t integer; // and bool
        double real;
        Bytes text; // into the file
        struct {
            PickleValue **items;
            size_t count;
        };
        const PickleGlobal *global;
    };
};

typedef struct Pickle {
    const PickleValue *root;
    size_t bytes;                 // the pickle's length: what follows it in the file begins there
    const PickleValue **storages; // every PICKLE_PERSISTENT, in order
    size_t storage_count;
    const PickleGlobal *foreign[PICKLE_MOST_FOREIGN];
    size_t foreign_count;
} Pickle;

// Reads the pickle at the start of `text`. The tree lives in `arena` and points into `text`. Messages give the byte and
// the opcode. ERR_FORMAT for damage and for globals that only an attack would name; ERR_UNSUPPORTED for opcodes of
// protocol 0 and 1 and for registered extensions; ERR_LIMIT.
MUST_CHECK Status pickle_read(Arena *arena, Bytes text, Pickle *ret_pickle, Error *err);

// Helpers for trees. Each may be given NULL and then answers NULL or false.
const PickleValue *pickle_item(const PickleValue *value, size_t index);  // of a tuple or list; NULL beyond its end
const PickleValue *pickle_get(const PickleValue *dict, const char *key); // the last value under `key`
const PickleValue *pickle_arguments(const PickleValue *call);
const PickleGlobal *pickle_callee(const PickleValue *call); // NULL when it is no call of a global
const PickleGlobal *pickle_global(const PickleValue *value);
bool pickle_integer(const PickleValue *value, int64_t *ret); // integers and bools
bool pickle_text_is(const PickleValue *value, const char *text);

// "an integer", "a dict", ... for messages.
const char *pickle_kind_name(const PickleValue *value);
