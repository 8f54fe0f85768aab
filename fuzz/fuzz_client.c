// SPDX-License-Identifier: Apache-2.0
// Fuzz target: what a server may answer to hone's own client. The first byte says where the answer is cut once.
#include <stdlib.h>

#include "base/memory.h"
#include "serve/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    memory_init();
    if (!size)
        return 0;
    Error err;
    Buffer body = {0};
    Bytes answer = {data + 1, size - 1};
    int status;
    bool complete;
    size_t cut = answer.size * data[0] / 255;
    if (client_parse((Bytes){answer.data, cut}, false, &complete, &status, &body, &err) == OK && complete) {
        bool again = false; // more bytes do not take back what was complete
        if (client_parse(answer, true, &again, &status, &body, &err) != OK || !again)
            abort();
        if (status < 100 || status > 999 || body.bytes > answer.size)
            abort();
    }
    if (client_parse(answer, true, &complete, &status, &body, &err) == OK && complete && body.bytes > answer.size)
        abort();
    buffer_done(&body);
    return 0;
}
