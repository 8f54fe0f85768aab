// SPDX-License-Identifier: Apache-2.0
// quantization_config: what a checkpoint says of its quantized weights, and whether hone computes that.
#pragma once

#include "base/json.h"

// A text for people in *ret ("none", "compressed-tensors int-quantized", "bitsandbytes nf4"). ERR_UNSUPPORTED names the
// method, format or argument that asks for other arithmetic than INT8 by row with symmetric activations per token, or
// for other 4-bit weights than tensor/four_bits.h reads.
MUST_CHECK Status quantization_check(const json_t *config, const char *config_name, const char **ret, Error *err);
