// SPDX-License-Identifier: Apache-2.0
#include "op/tensor/body.h"

ValueType body_result_type(const Graph *body, size_t result) {
    if (result >= body->return_count)
        return type_unknown();
    ValueType type = value_type(body->returns[result]);
    for (int i = 0; i < type.rank; i++)
        if (type.dims[i].variable)
            type.dims[i] = dim_unknown();
    return type;
}

ValueType body_either_type(ValueType a, ValueType b) {
    if (a.rank < 0 || a.rank != b.rank || a.dtype != b.dtype)
        return type_unknown();
    for (int i = 0; i < a.rank; i++)
        if (!dim_equal(a.dims[i], b.dims[i]))
            a.dims[i] = dim_unknown();
    return a;
}
