// SPDX-License-Identifier: Apache-2.0
// Reading and telling what hone.json says about running a model.
#include "model/advice.h"

static Status kind_read(const json_t *runtime, const char *where, RuntimeAdvice *advice, Error *err) {
    const char *name = NULL;
    TRY(json_get_text(runtime, where, "kv_type", &name, err));
    if (!name)
        return OK;
    advice->kv_told = kv_kind_from_name(name, &advice->kv_kind);
    if (!advice->kv_told)
        return FAIL(err, ERR_FORMAT, "%s: 'kv_type' is \"%.40s\", expected \"f32\", \"f16\" or \"int8\"", where, name);
    return OK;
}

Status advice_read(const json_t *runtime, const char *name, RuntimeAdvice *ret_advice, Error *err) {
    RuntimeAdvice advice = {0};
    if (runtime && !json_is_null(runtime) && !json_is_object(runtime))
        return FAIL(err, ERR_FORMAT, "%s: 'runtime' is no object, expected one such as {\"kv_type\": \"int8\"}", name);
    char where[1100];
    snprintf(where, sizeof where, "%s, 'runtime'", name);
    TRY(kind_read(runtime, where, &advice, err));
    TRY(json_get_bool(runtime, where, "lm_head_screen", &advice.lm_head_screen, err));
    TRY(json_get_bool(runtime, where, "lookup_decoding", &advice.lookup_decoding, err));
    *ret_advice = advice;
    return OK;
}

bool advice_is_there(const RuntimeAdvice *advice) {
    return advice->kv_told || advice->lm_head_screen || advice->lookup_decoding;
}

void advice_print(const RuntimeAdvice *advice, Buffer *text) {
    const char *comma = "";
    if (advice->kv_told) {
        buffer_format(text, "K/V as %s", kv_kind_name(advice->kv_kind));
        comma = ", ";
    }
    if (advice->lm_head_screen) {
        buffer_format(text, "%sscreen of the lm head", comma);
        comma = ", ";
    }
    if (advice->lookup_decoding)
        buffer_format(text, "%slookup decoding", comma);
    if (!advice_is_there(advice))
        buffer_add_text(text, "nothing");
}

json_t *advice_json(const RuntimeAdvice *advice) {
    json_t *object = json_object();
    int failed = object ? 0 : -1;
    if (advice->kv_told)
        failed |= json_object_set_new(object, "kv_type", json_string(kv_kind_name(advice->kv_kind)));
    if (advice->lm_head_screen)
        failed |= json_object_set_new(object, "lm_head_screen", json_true());
    if (advice->lookup_decoding)
        failed |= json_object_set_new(object, "lookup_decoding", json_true());
    if (!failed)
        return object;
    json_decref(object);
    return NULL;
}
