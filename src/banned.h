// SPDX-License-Identifier: Apache-2.0
// Included into every file of hone by the compiler's command line (-include): names that lead to overruns or to memory
// that nobody counts are errors. base/memory.c alone may allocate.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef alloca
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets strtok alloca atoi atol atof strdup strndup     \
    asprintf
