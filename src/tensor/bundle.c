// SPDX-License-Identifier: Apache-2.0
// Bundles: named tensors sorted by name.
#include "tensor/tensor.h"

#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b) {
    return strcmp(((const Tensor *)a)->name, ((const Tensor *)b)->name);
}

Status bundle_seal(Bundle *bundle, Error *err) {
    if (bundle->count)
        qsort(bundle->tensors, bundle->count, sizeof *bundle->tensors, by_name);
    for (size_t i = 1; i < bundle->count; i++)
        if (strcmp(bundle->tensors[i - 1].name, bundle->tensors[i].name) == 0)
            return FAIL(err, ERR_FORMAT, "tensor '%s' is there twice", bundle->tensors[i].name);
    return OK;
}

const Tensor *bundle_find(const Bundle *bundle, const char *name) {
    Tensor key = {.name = name};
    return bundle->count ? bsearch(&key, bundle->tensors, bundle->count, sizeof key, by_name) : NULL;
}
