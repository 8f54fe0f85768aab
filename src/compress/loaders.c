// SPDX-License-Identifier: Apache-2.0
// The judgement, one program after another. tools/parity/quantized.py holds it against transformers.
#include "compress/loaders.h"

#define TABLES "its tables are int8 by row, a form of hone's own; quantize with --loadable for one that others read"

void loaders_judge(WeightForm form, Loader ret_loaders[LOADER_COUNT]) {
    bool plain = !form.int8_linears && !form.int8_tables;
    bool stranger = !plain && !form.described; // int8 by another program's convention
    const char *strange = "its int8 tensors are another program's; config.json has no quantization_config for them";
    ret_loaders[0] = (Loader){"hone", true, "read, checked and built"};
    ret_loaders[1] = (Loader){"transformers", plain,
                              plain              ? "plain safetensors or PyTorch weights"
                              : stranger         ? strange
                              : form.int8_tables ? TABLES
                                                 : "its linears are int8: install compressed-tensors too"};
    ret_loaders[2] = (Loader){"transformers + compressed-tensors", !form.int8_tables && !stranger,
                              plain              ? "nothing is quantized"
                              : stranger         ? strange
                              : form.int8_tables ? TABLES
                                                 : "compressed-tensors int-quantized, which it runs as reals"};
    ret_loaders[3] = (Loader){"vllm-format", !form.int8_tables && !stranger,
                              plain              ? "nothing is quantized"
                              : stranger         ? strange
                              : form.int8_tables ? TABLES
                                                 : "compressed-tensors W8A8 with dynamic activations; vLLM itself runs "
                                                   "BART only through a plugin"};
}
