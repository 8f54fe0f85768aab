// SPDX-License-Identifier: Apache-2.0
// Columns of scores and their bootstrap.
#include "measure/rouge_aggregate.h"

static const char *const measure_names[ROUGE_MEASURE_COUNT] = {"precision", "recall", "fmeasure"};

void rouge_aggregate_init(RougeAggregate *aggregate, const RougeOptions *options) {
    *aggregate = (RougeAggregate){.options = *options};
}

void rouge_aggregate_done(RougeAggregate *aggregate) {
    for (size_t k = 0; k < ROUGE_TYPES_MOST; k++)
        for (size_t m = 0; m < ROUGE_MEASURE_COUNT; m++)
            buffer_done(&aggregate->columns[k][m]);
    aggregate->samples = 0;
}

Status rouge_aggregate_add(RougeAggregate *aggregate, const RougeScore *scores, Error *err) {
    for (size_t k = 0; k < aggregate->options.type_count; k++) {
        const double values[ROUGE_MEASURE_COUNT] = {scores[k].precision, scores[k].recall, scores[k].fmeasure};
        for (size_t m = 0; m < ROUGE_MEASURE_COUNT; m++) {
            Buffer *column = &aggregate->columns[k][m];
            column->bytes = aggregate->samples * sizeof *values; // what an add that failed left behind is dropped
            column->failed = OK;
            buffer_add(column, &values[m], sizeof *values);
            TRY(buffer_status(column, err));
        }
    }
    aggregate->samples++;
    return OK;
}

const double *rouge_aggregate_values(const RougeAggregate *aggregate, size_t k, RougeMeasure measure) {
    return (const double *)(const void *)aggregate->columns[k][measure].data;
}

Interval rouge_aggregate_interval(const RougeAggregate *aggregate, size_t k, RougeMeasure measure, uint64_t seed) {
    return statistics_bootstrap(rouge_aggregate_values(aggregate, k, measure), aggregate->samples, seed);
}

Status rouge_aggregate_print(const RougeAggregate *aggregate, uint64_t seed, Buffer *out, Error *err) {
    if (!aggregate->samples)
        return FAIL(err, ERR_FORMAT, "there is no pair to aggregate, expected at least one line that can be scored");
    buffer_format(out, "{\"samples\":%zu", aggregate->samples);
    for (size_t k = 0; k < aggregate->options.type_count; k++) {
        buffer_format(out, ",\"%s\":", rouge_type_name(aggregate->options.types[k]));
        for (RougeMeasure m = 0; m < ROUGE_MEASURE_COUNT; m++) {
            Interval i = rouge_aggregate_interval(aggregate, k, m, seed);
            buffer_format(out, "%s\"%s\":{\"mean\":%.17g,\"low\":%.17g,\"mid\":%.17g,\"high\":%.17g}", m ? "," : "{",
                          measure_names[m], i.mean, i.low, i.mid, i.high);
        }
        buffer_add_text(out, "}");
    }
    buffer_add_text(out, "}");
    return buffer_status(out, err);
}
