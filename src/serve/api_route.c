// SPDX-License-Identifier: Apache-2.0
// From a path to its route.
#include <string.h>

#include "serve/api_fields.h"

// Whether `path` is what `pattern` says; what stands for its {name} is copied. A name too long is no match.
static bool path_matches(const char *pattern, const char *path, char *ret_name, size_t name_bytes) {
    ret_name[0] = '\0';
    while (*pattern && *pattern != '{') {
        if (*pattern++ != *path++)
            return false;
    }
    if (!*pattern)
        return !*path;
    const char *close = strchr(pattern, '}');
    size_t length = close[-1] == '*' ? strlen(path) : strcspn(path, "/");
    if (!length || length >= name_bytes || strcmp(path + length, close + 1) != 0)
        return false;
    memcpy(ret_name, path, length);
    ret_name[length] = '\0';
    return true;
}

const ApiRoute *api_route(const char *method, const char *path, char *ret_model, size_t model_bytes,
                          bool *ret_known_path) {
    size_t count;
    const ApiRoute *routes = api_routes(&count);
    if (strcmp(method, "HEAD") == 0)
        method = "GET";
    *ret_known_path = false;
    for (size_t i = 0; i < count; i++) {
        if (!path_matches(routes[i].path, path, ret_model, model_bytes))
            continue;
        *ret_known_path = true;
        if (strcmp(routes[i].method, method) == 0)
            return &routes[i];
    }
    ret_model[0] = '\0';
    return NULL;
}
