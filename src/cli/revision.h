// SPDX-License-Identifier: Apache-2.0
// Which revision of the sources this program was built from.
#pragma once

// As `git describe --always --dirty` names it; "" where the sources are in no repository.
extern const char hone_revision[];
