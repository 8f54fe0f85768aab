// SPDX-License-Identifier: Apache-2.0
// Body: what shape rules of If and Loop say about what comes out of a body.
#pragma once

#include "op/tensor/infer.h"

// The type of a body's result, seen from outside: the body's dimension variables mean nothing there.
ValueType body_result_type(const Graph *body, size_t result);
// What is known of a value that has one type or the other.
ValueType body_either_type(ValueType a, ValueType b);
