// SPDX-License-Identifier: Apache-2.0
// Summarizes a text file through the installed library:
//
//     cc summarize.c $(pkg-config --cflags --libs hone) -o summarize
//     ./summarize MODEL FILE ['{"num_beams": 4}']
#include <hone/hone.h>
#include <stdio.h>
#include <stdlib.h>

// The whole file, or NULL; the caller frees it.
static char *file_read(const char *path, size_t *ret_bytes) {
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    char *text = NULL;
    size_t used = 0, got;
    do {
        char *grown = realloc(text, used + 65536);
        if (!grown)
            break;
        text = grown;
        got = fread(text + used, 1, 65536, file);
        used += got;
    } while (got);
    fclose(file);
    *ret_bytes = used;
    return text;
}

static int fail(const HoneError *error) {
    fprintf(stderr, "%s\n", error->message);
    return error->exit_code;
}

static int summarize(HoneModel *model, const HoneInput *input, const char *options) {
    HoneError error;
    HoneResults *results;
    if (hone_summarize(model, input, 1, options, &results, &error) != HONE_OK)
        return fail(&error);
    const HoneResult *result = &results->items[0];
    if (result->status == HONE_OK)
        printf("%s\n", result->sequences[0].text);
    else
        fprintf(stderr, "%s\n", result->error);
    int code = (int)result->status;
    hone_results_free(results);
    return code;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: %s MODEL FILE [OPTIONS_JSON]   (libhone %s)\n", argv[0], hone_version());
        return 2;
    }
    HoneInput input = {0};
    char *text = file_read(argv[2], &input.text_bytes);
    if (!text) {
        fprintf(stderr, "file '%s' cannot be read\n", argv[2]);
        return 5;
    }
    input.text = text;
    HoneError error;
    HoneModel *model;
    int code;
    if (hone_model_open(argv[1], NULL, &model, &error) == HONE_OK) {
        code = summarize(model, &input, argc > 3 ? argv[3] : NULL);
        hone_model_free(model);
    } else
        code = fail(&error);
    free(text);
    return code;
}
