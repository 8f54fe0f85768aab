// SPDX-License-Identifier: Apache-2.0
#include "cli/external_data.h"

#include <string.h>

#include "cli/command.h"

Status external_data_choose(const char *text, OnnxWriteSettings *write, Error *err) {
    static const char *const words[] = {
        [ONNX_EXTERNAL_AUTO] = "auto", [ONNX_EXTERNAL_ALWAYS] = "always", [ONNX_EXTERNAL_NEVER] = "never"};
    if (!text)
        return OK;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i]) == 0) {
            write->external = (OnnxExternalWish)i;
            return OK;
        }
    if (option_size("external-data", text, &write->external_bytes, err) == OK)
        return OK;
    return FAIL(err, ERR_USAGE,
                "--external-data is '%s', expected auto, always, never, or bytes or a number with K, M or G", text);
}
