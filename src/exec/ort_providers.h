// SPDX-License-Identifier: Apache-2.0
// Chains of execution providers: where ONNX Runtime runs a graph's nodes, best first.
#pragma once

#include "base/buffer.h"
#include "exec/ort_api.h"

// Appends the providers of a chain that the library has to the session's options. Those that it lacks or that refuse
// are left out: a line of `notes` each, saying why. `ret_names` gets those that are in, "cuda,cpu". The arena is for
// the parts of the text.
MUST_CHECK Status ort_providers_append(const OrtLibrary *library, OrtSessionOptions *options, const char *chain,
                                       Arena *arena, Buffer *notes, Buffer *ret_names, Error *err);
