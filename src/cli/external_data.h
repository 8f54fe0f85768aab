// SPDX-License-Identifier: Apache-2.0
// The option --external-data of commands that write ONNX.
#pragma once

#include "format/onnx/write.h"

// auto, always, never, or a size above which there is some; NULL leaves the settings as they are.
MUST_CHECK Status external_data_choose(const char *text, OnnxWriteSettings *write, Error *err);
