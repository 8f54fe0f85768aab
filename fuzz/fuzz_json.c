// SPDX-License-Identifier: Apache-2.0
// Fuzz target: JSON texts. What is accepted has to print as JSON that is accepted and equal; the helpers that read
// members must cope with whatever is there.
#include <stdint.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/json.h"
#include "base/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int add_chunk(const char *chunk, size_t bytes, void *context) {
    buffer_add(context, chunk, bytes);
    return 0;
}

static void read_members(const json_t *object) {
    Error err;
    bool flag = false;
    int64_t number = 0;
    double real = 0;
    const char *text = "";
    IGNORE_STATUS(json_get_bool(object, "fuzz", "a", &flag, &err)); // a refusal is a fine answer
    IGNORE_STATUS(json_get_int(object, "fuzz", "a", -5, 5, &number, &err));
    IGNORE_STATUS(json_get_real(object, "fuzz", "a", -0.5, 0.5, &real, &err));
    IGNORE_STATUS(json_get_text(object, "fuzz", "a", &text, &err));
    if (number < -5 || number > 5 || !(real >= -0.5 && real <= 0.5) || !text)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    memory_init();
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    json_t *value, *again;
    if (json_parse(&arena, "fuzz", (Bytes){data, size}, true, &value, &err) == OK) {
        Buffer text = {0};
        if (json_dump_callback(value, add_chunk, &text, JSON_COMPACT | JSON_ENCODE_ANY) != 0 ||
            json_parse(&arena, "again", (Bytes){(unsigned char *)text.data, text.bytes}, true, &again, &err) != OK ||
            !json_equal(value, again))
            abort();
        buffer_done(&text);
        if (json_is_object(value))
            read_members(value);
    }
    arena_done(&arena);
    return 0;
}
