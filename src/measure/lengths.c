// SPDX-License-Identifier: Apache-2.0
#include "measure/lengths.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

enum { MOST_TOKENS = 1 << 20 };

Status lengths_parse(const char *text, Lengths *ret, Error *err) {
    double a = 0, b = 0;
    int used = 0;
    Lengths lengths;
    if (sscanf(text, "geometric:%lf:%lf%n", &a, &b, &used) == 2 && !text[used])
        lengths = (Lengths){LENGTHS_GEOMETRIC, a, b};
    else if (sscanf(text, "%lf:%lf%n", &a, &b, &used) == 2 && !text[used])
        lengths = (Lengths){LENGTHS_UNIFORM, a, b};
    else if (sscanf(text, "%lf%n", &b, &used) == 1 && !text[used])
        lengths = (Lengths){LENGTHS_FIXED, a = b, b};
    else
        return FAIL(err, ERR_USAGE, "the lengths are '%s', expected '40', '10:80' or 'geometric:45:200'", text);
    bool whole = lengths.kind == LENGTHS_GEOMETRIC || a == floor(a);
    if (!(a >= 1 && a <= b && b <= MOST_TOKENS) || b != floor(b) || !whole)
        return FAIL(err, ERR_USAGE, "the lengths are '%s', expected whole numbers of tokens from 1 up, the lower first",
                    text);
    *ret = lengths;
    return OK;
}

size_t lengths_draw(const Lengths *lengths, Random *random) {
    double unit = random_unit(random), tokens = lengths->high;
    if (lengths->kind == LENGTHS_UNIFORM)
        tokens = floor(lengths->low + unit * (lengths->high - lengths->low + 1));
    else if (lengths->kind == LENGTHS_GEOMETRIC && lengths->low > 1)
        tokens = 1 + floor(log1p(-unit) / log1p(-1 / lengths->low));
    else if (lengths->kind == LENGTHS_GEOMETRIC)
        tokens = 1;
    return (size_t)(tokens < lengths->high ? tokens : lengths->high);
}
