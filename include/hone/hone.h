// SPDX-License-Identifier: Apache-2.0
// The public interface of libhone.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_API __attribute__((visibility("default")))

// The library's version, "major.minor.patch".
HONE_API const char *hone_version(void);

#ifdef __cplusplus
}
#endif
