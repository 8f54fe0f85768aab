// SPDX-License-Identifier: Apache-2.0
// Which build of hone this is.
#pragma once

#include <stdbool.h>

enum { BUILD_ID_BYTES = 129 };

// The linker's build id of the program or library that holds this code, as hexadecimal digits: another for any other
// code. False, and "" in ret_id, where the linker left none.
bool build_id(char ret_id[BUILD_ID_BYTES]);
