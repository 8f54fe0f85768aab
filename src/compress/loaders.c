// SPDX-License-Identifier: Apache-2.0
// The judgement, one program after another. tools/parity/quantized.py holds it against transformers.
#include "compress/loaders.h"

#include <stddef.h>

// Why nobody but hone takes a form; NULL: somebody may.
static const char *own_form(WeightForm form) {
    if (form.graphs)
        return "its weights lie in ONNX graphs, which optimum loads; hone quantize writes safetensors from them";
    if (form.ragged)
        return "its layers have sizes of their own, which config.json cannot say; prune with --mode uniform";
    if (form.sparse)
        return "its zeros are kept as bitmaps, a form of hone's own; prune with --store dense";
    if (form.tables)
        return "its tables are packed, a form of hone's own; quantize with --loadable for one that others read";
    if (form.factors)
        return "its activations are smoothed by input_factors, a form of hone's own; quantize without --smooth";
    if (form.blocks && (form.int8 || form.int4))
        return "its linears are partly nf4, partly not: a form of hone's own";
    if (!form.described)
        return "its packed tensors are another program's; config.json has no quantization_config for them";
    return NULL;
}

void loaders_judge(WeightForm form, Loader ret_loaders[LOADER_COUNT]) {
    bool plain =
        !form.int8 && !form.int4 && !form.blocks && !form.tables && !form.ragged && !form.sparse && !form.graphs;
    const char *nothing = "nothing is quantized", *own = own_form(form);
    ret_loaders[0] = (Loader){"hone", true, "read, checked and built"};
    ret_loaders[1] = (Loader){"transformers", plain,
                              plain         ? "plain safetensors or PyTorch weights"
                              : own         ? own
                              : form.blocks ? "its linears are bitsandbytes': install bitsandbytes too"
                              : form.int4   ? "its linears are compressed-tensors': install compressed-tensors too"
                                            : "its linears are int8: install compressed-tensors too"};
    bool compressed = plain || (!own && !form.blocks);
    const char *blocks = "its linears are bitsandbytes'";
    ret_loaders[2] = (Loader){"transformers + compressed-tensors", compressed,
                              plain         ? nothing
                              : own         ? own
                              : form.blocks ? blocks
                              : form.int4   ? "compressed-tensors pack-quantized, which it runs as reals"
                                            : "compressed-tensors int-quantized, which it runs as reals"};
    ret_loaders[3] =
        (Loader){"vllm-format", compressed,
                 plain              ? nothing
                 : own              ? own
                 : form.blocks      ? blocks
                 : form.int4        ? "compressed-tensors W4A16; vLLM itself runs BART only through a plugin"
                 : form.int8_static ? "compressed-tensors W8A8 with static activations; vLLM itself runs BART only "
                                      "through a plugin"
                                    : "compressed-tensors W8A8 with dynamic activations; vLLM itself runs BART "
                                      "only through a plugin"};
    ret_loaders[4] = (Loader){"transformers + bitsandbytes", plain || (!own && !form.int8 && !form.int4),
                              plain                    ? nothing
                              : own                    ? own
                              : form.int8 || form.int4 ? "its linears are compressed-tensors'"
                                                       : "bitsandbytes 4 bits, computed in fp16"};
}
