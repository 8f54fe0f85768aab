// SPDX-License-Identifier: Apache-2.0
// activation(x + bias) for BiasGelu and FastGelu: the bias is a vector over the last dimension, or absent.
#pragma once

#include "op/tensor/evaluate.h"

MUST_CHECK Status bias_activate(Evaluation *run, Activation activation, Error *err);
