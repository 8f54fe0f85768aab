// SPDX-License-Identifier: Apache-2.0
// The library's version.
#include "hone/hone.h"

const char *hone_version(void) {
    return HONE_VERSION;
}
