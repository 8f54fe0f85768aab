// SPDX-License-Identifier: Apache-2.0
// Names for the contents of weight files, without reading them each time: a small file remembers the digest of each
// file by its device, inode, size and times. As git's index does, a record is made only when the file has been still
// for two seconds, so that a change within the clock's grain cannot hide.
#pragma once

#include "base/digest.h"
#include "base/file.h"

// The digest of the file at `path`, whose mapped contents are `contents`: from the records in `folder` (a folder of
// this user alone), or by reading, which is remembered where it can be. Failing to read or write records is no failure.
MUST_CHECK Status weights_digest(const DigestKey *key, Pool *pool, const char *folder, const char *path, Bytes contents,
                                 Digest *ret_digest, Error *err);
