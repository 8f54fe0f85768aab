// SPDX-License-Identifier: Apache-2.0
// Softsign: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_softsign = {0};
