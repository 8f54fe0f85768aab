// SPDX-License-Identifier: Apache-2.0
// The files of the page, which the build has put into the program (web/embed.sh).
#include <string.h>

#include "serve/dashboard.h"

#include "serve/web/assets.inc"

const DashboardAsset *dashboard_asset(const char *path) {
    for (size_t i = 0; i < sizeof assets / sizeof *assets; i++)
        if (strcmp(assets[i].path, path) == 0)
            return &assets[i];
    return NULL;
}
