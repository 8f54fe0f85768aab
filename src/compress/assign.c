// SPDX-License-Identifier: Apache-2.0
// From options to one scheme for each tensor: a rule by name, else the default of the tensor's role.
#include <string.h>

#include "compress/quantize.h"
#include "tensor/four_bits.h"
#include "tensor/quantize4.h"

enum { DEFAULT_GROUP = 128 }; // compressed-tensors' own

const char *weight_scheme(const Weight *weight) {
    if (weight->packed)
        return weight_scheme_name(weight->static_input ? STORE_INT8_STATIC : weight->packed);
    for (WeightScheme s = STORE_FP32; s < STORE_INT8; s++)
        if (weight_scheme_dtype(s) == weight->dtype)
            return weight_scheme_name(s);
    return dtype_name(weight->dtype);
}

// Tables that follow a packed scheme without being able to be it lose nothing in half precision; what has 16 bits
// already stays.
static WeightScheme half(const Tensor *tensor) {
    return dtype_bytes(tensor->dtype) == 2 ? STORE_AS_IS : STORE_FP16;
}

// Positions are a few rows, read as they lie: packing would save one percent of a model and cost their precision.
static WeightScheme default_scheme(const QuantizeOptions *options, TensorRole role, const Tensor *tensor) {
    bool told = options->embeddings != STORE_AS_IS, packs = weight_scheme_packs(options->scheme);
    switch (role) {
    case ROLE_LINEAR:
        return options->scheme;
    case ROLE_EMBEDDING:
        if (told)
            return options->embeddings;
        return packs && options->loadable ? half(tensor) : options->scheme;
    case ROLE_POSITIONS:
        if (told && !weight_scheme_packs(options->embeddings))
            return options->embeddings;
        return told || packs ? half(tensor) : options->scheme;
    default:
        return packs ? STORE_AS_IS : options->scheme;
    }
}

static Status scheme_choose(const QuantizeOptions *options, TensorRole role, const Tensor *tensor, bool *matched,
                            WeightScheme *ret_scheme, Error *err) {
    for (size_t i = 0; i < options->keep_count; i++) {
        bool matches;
        TRY(keep_rule_matches(&options->keeps[i], tensor->name, &matches, err));
        if (!matches || (weight_scheme_packs(options->keeps[i].scheme) && !role_is_weight(role)))
            continue;
        matched[i] = true;
        *ret_scheme = options->keeps[i].scheme;
        return OK;
    }
    *ret_scheme = default_scheme(options, role, tensor);
    return OK;
}

// Another name of a table that is written already.
static bool is_alias(const Bundle *bundle, const TensorRole *roles, const Tensor *tensor) {
    for (size_t i = 0; i < bundle->count; i++) {
        const Tensor *table = &bundle->tensors[i];
        if (roles[i] == ROLE_EMBEDDING && table->dtype == tensor->dtype && shape_equal(&table->shape, &tensor->shape) &&
            (table->data == tensor->data || memcmp(table->data, tensor->data, tensor->bytes) == 0))
            return true;
    }
    return false;
}

// Codes are whole groups of a row.
static Status group_check(const Weight *weight, Error *err) {
    if (weight->packed == STORE_INT4 && weight->columns % weight->group)
        return FAIL(err, ERR_USAGE, "tensor '%s' has %zu columns, no multiple of the group of %zu: %s",
                    weight->source->name, weight->columns, weight->group,
                    weight->columns % 32 ? "use nf4, or keep it by --keep" : "give a smaller --group");
    return OK;
}

static void weight_pack(const QuantizeOptions *options, WeightScheme scheme, Weight *weight) {
    bool int8 = scheme == STORE_INT8 || scheme == STORE_INT8_STATIC;
    weight->packed = int8 ? STORE_INT8 : scheme;
    weight->static_input = scheme == STORE_INT8_STATIC && weight->role == ROLE_LINEAR;
    weight->group = int8                   ? weight->columns
                    : scheme == STORE_INT4 ? (options->group ? options->group : DEFAULT_GROUP)
                                           : NF4_BLOCK;
    weight->rule = options->int4_rule;
    weight->nested = scheme == STORE_NF4 && options->double_quant;
}

Status weight_assign(const Bundle *bundle, const Tensor *tensor, TensorRole role, const QuantizeOptions *options,
                     WeightScheme scheme, Weight *ret_weight, Error *err) {
    Weight weight = {.source = tensor,
                     .name = tensor->name,
                     .shape = tensor->shape,
                     .role = role,
                     .dtype = tensor->dtype,
                     .original_bytes = tensor->bytes};
    FourBitForm form = role_is_weight(role) ? four_bits_form(bundle, tensor) : FOUR_BITS_NONE;
    if (form != FOUR_BITS_NONE)
        return FAIL(err, ERR_UNSUPPORTED, "tensor '%s' is %s already: quantize the model it was made from",
                    tensor->name, four_bits_name(form));
    weight.source_scales = role_is_weight(role) ? scales_of(bundle, tensor) : NULL;
    if (weight.source_scales && input_scale_of(bundle, tensor))
        return FAIL(err, ERR_UNSUPPORTED, "tensor '%s' is int8-static already: quantize the model it was made from",
                    tensor->name);
    if (weight.source_scales && scheme != STORE_INT8)
        return FAIL(err, ERR_UNSUPPORTED,
                    "tensor '%s' is int8 already and cannot become %s: quantize the model it was made from",
                    tensor->name, weight_scheme_name(scheme));
    if (weight.source_scales)
        weight.original_bytes += weight.source_scales->bytes;
    if (dtype_is_real(tensor->dtype) && scheme != STORE_AS_IS)
        weight.dtype = weight_scheme_dtype(scheme);
    size_t elements = tensor->bytes / dtype_bytes(tensor->dtype);
    weight.rows = tensor->shape.rank == 2 ? (size_t)tensor->shape.dims[0] : 1;
    weight.columns = weight.source_columns = weight.rows ? elements / weight.rows : 0;
    if (weight.source_scales || (dtype_is_real(tensor->dtype) && weight_scheme_packs(scheme)))
        weight_pack(options, scheme, &weight);
    weight.bytes = elements * dtype_bytes(weight.dtype);
    TRY(group_check(&weight, err));
    *ret_weight = weight;
    return OK;
}

static Status check_loadable(const WeightList *list, Error *err) {
    for (size_t i = 0; i < list->count; i++) {
        const Weight *weight = &list->items[i];
        if (weight->packed && weight->role != ROLE_LINEAR)
            return FAIL(err, ERR_USAGE, "--loadable: '%s' cannot be %s, which only hone reads in a table",
                        weight->source->name, weight_scheme(weight));
    }
    return OK;
}

Status weights_assign(Arena *arena, const Model *model, const QuantizeOptions *options, WeightList *ret_list,
                      Error *err) {
    const Bundle *bundle = model_tensors(model);
    TensorRole *roles;
    TRY(roles_find(arena, model, &roles, err));
    WeightList list = {0};
    bool *matched = arena_array(arena, options->keep_count, sizeof *matched, err);
    TRY_NEW(matched);
    TRY_NEW(list.items = arena_array(arena, bundle->count, sizeof *list.items, err));
    for (size_t i = 0; i < bundle->count; i++) {
        const Tensor *tensor = &bundle->tensors[i];
        if (roles[i] == ROLE_SCALES || (roles[i] == ROLE_UNUSED && is_alias(bundle, roles, tensor)))
            continue;
        WeightScheme scheme;
        TRY(scheme_choose(options, roles[i], tensor, matched, &scheme, err));
        TRY(weight_assign(bundle, tensor, roles[i], options, scheme, &list.items[list.count++], err));
    }
    for (size_t i = 0; i < options->keep_count; i++)
        if (!matched[i])
            return FAIL(err, ERR_USAGE, "--keep: the pattern '%s' decides for no weight of model '%s' that can be %s",
                        options->keeps[i].pattern, model_info(model)->path,
                        weight_scheme_name(options->keeps[i].scheme));
    if (options->loadable)
        TRY(check_loadable(&list, err));
    *ret_list = list;
    return OK;
}
