// SPDX-License-Identifier: Apache-2.0
// quantization_config: what a checkpoint says of its quantized weights, and whether hone computes that.
#pragma once

#include "base/json.h"

// A text for people in *ret ("none", "compressed-tensors int-quantized", "bitsandbytes nf4", "bitsandbytes int8",
// "gptq", "gptq_v2"). ERR_UNSUPPORTED names the method, format or argument that asks for other arithmetic than INT8 by
// row with symmetric activations (a scale per token, or one for all), or for other 4-bit weights than
// tensor/four_bits.h and model/gptq_layout.h read.
MUST_CHECK Status quantization_check(const json_t *config, const char *config_name, const char **ret, Error *err);

// What zero points in GPTQ's layout lack in a file so described: 1, but in "gptq_v2" nothing.
int quantization_zero_shift(const char *quantization);
