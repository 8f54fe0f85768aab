// SPDX-License-Identifier: Apache-2.0
// From times and counts of the engine to rows of metrics.def.
#include "serve/tally.h"

static double seconds(uint64_t from_ns, uint64_t to_ns) {
    return to_ns > from_ns ? (double)(to_ns - from_ns) / 1e9 : 0;
}

void tally_tokens(Metrics *metrics, uint64_t *last_ns, uint64_t now, uint64_t submitted_ns, size_t count) {
    if (!*last_ns)
        metrics_observe(metrics, METRIC_FIRST_TOKEN_SECONDS, 0, seconds(submitted_ns, now));
    for (size_t i = 0; *last_ns && i < count; i++)
        metrics_observe(metrics, METRIC_TOKEN_SECONDS, 0, seconds(*last_ns, now) / (double)count);
    *last_ns = now;
}

static void tally_error(Metrics *metrics, const Answer *answer) {
    const AnswerTimes *times = &answer->times;
    MetricPhase phase = times->encoded_ns ? PHASE_DECODING : times->joined_ns ? PHASE_ENCODING : PHASE_QUEUED;
    Status status = answer->error->status;
    if (status == ERR_INTERRUPTED)
        metrics_add(metrics, METRIC_REQUESTS_CANCELLED, phase, 1);
    else if (status == ERR_LATE && !times->joined_ns)
        metrics_add(metrics, METRIC_REQUESTS_REJECTED, REJECTED_DEADLINE, 1);
    else if (status != ERR_LATE)
        metrics_add(metrics, METRIC_REQUESTS_FAILED, 0, 1);
    if (status == ERR_LATE)
        metrics_add(metrics, METRIC_DEADLINES_MISSED, 0, 1);
}

void tally_answer(Metrics *metrics, const Answer *answer, size_t source_tokens, bool streamed) {
    const AnswerTimes *times = &answer->times;
    if (times->joined_ns) {
        metrics_add(metrics, METRIC_PROMPT_TOKENS, 0, (double)source_tokens);
        metrics_observe(metrics, METRIC_QUEUE_SECONDS, 0, seconds(times->submitted_ns, times->joined_ns));
    }
    if (answer->error) {
        tally_error(metrics, answer);
        return;
    }
    size_t tokens = 0;
    for (size_t i = 0; i < answer->sequence_count; i++) {
        tokens += answer->sequences[i].count;
        metrics_add(metrics, METRIC_REQUESTS_FINISHED,
                    answer->sequences[i].finish == FINISH_STOP ? ENDED_STOP : ENDED_LENGTH,
                    1.0 / (double)answer->sequence_count);
    }
    if (!streamed) // tokens that were never told one by one: beams and several samples
        metrics_observe(metrics, METRIC_FIRST_TOKEN_SECONDS, 0, seconds(times->submitted_ns, times->first_token_ns));
    metrics_observe(metrics, METRIC_REQUEST_PROMPT_TOKENS, 0, (double)source_tokens);
    metrics_observe(metrics, METRIC_REQUEST_GENERATED_TOKENS, 0, (double)tokens);
    metrics_add(metrics, METRIC_GENERATED_TOKENS, 0, (double)tokens);
    metrics_observe(metrics, METRIC_ENCODE_SECONDS, 0, seconds(times->joined_ns, times->encoded_ns));
    metrics_observe(metrics, METRIC_PREFILL_SECONDS, 0, seconds(times->joined_ns, times->first_token_ns));
    metrics_observe(metrics, METRIC_DECODE_SECONDS, 0, seconds(times->first_token_ns, times->ended_ns));
    metrics_observe(metrics, METRIC_REQUEST_SECONDS, 0, seconds(times->submitted_ns, times->ended_ns));
}

static void gauges(Metrics *metrics, const EngineLoad *load) {
    metrics_set(metrics, METRIC_REQUESTS_RUNNING, 0, (double)(load->running + load->encoding));
    metrics_set(metrics, METRIC_BATCH_LIMIT, 0, (double)load->most_running);
    metrics_set(metrics, METRIC_ROWS_RUNNING, 0, (double)load->rows);
    metrics_set(metrics, METRIC_KV_PAGES, 0, (double)load->pages);
    metrics_set(metrics, METRIC_KV_PAGES_USED, PAGES_SELF, (double)load->self_pages);
    metrics_set(metrics, METRIC_KV_PAGES_USED, PAGES_CROSS, (double)load->cross_pages);
    metrics_set(metrics, METRIC_KV_PAGES_CACHED, 0, (double)load->cached_pages);
}

void tally_load(Metrics *metrics, const EngineLoad *before, const EngineLoad *load, bool retired) {
    if (!retired)
        gauges(metrics, load);
    size_t encoded = load->encode_tokens - before->encode_tokens, rows = load->decode_rows - before->decode_rows;
    if (rows)
        metrics_observe(metrics, METRIC_STEP_ROWS, 0, (double)rows);
    if (encoded + rows)
        metrics_observe(metrics, METRIC_STEP_TOKENS, 0, (double)(encoded + rows));
    const struct {
        MetricId id;
        size_t label;
        double before, now;
    } counts[] = {
        {METRIC_ENCODE_STEPS, 0, (double)before->encode_batches, (double)load->encode_batches},
        {METRIC_ENCODED_TOKENS, 0, (double)before->encode_tokens, (double)load->encode_tokens},
        {METRIC_PADDING_AVOIDED, 0, (double)before->padding_tokens, (double)load->padding_tokens},
        {METRIC_DECODE_STEPS, 0, (double)before->decode_steps, (double)load->decode_steps},
        {METRIC_STEP_SECONDS, PART_ENCODE, (double)before->encode_ns / 1e9, (double)load->encode_ns / 1e9},
        {METRIC_STEP_SECONDS, PART_DECODE, (double)(before->decode_ns - before->head_ns) / 1e9,
         (double)(load->decode_ns - load->head_ns) / 1e9},
        {METRIC_STEP_SECONDS, PART_HEAD, (double)before->head_ns / 1e9, (double)load->head_ns / 1e9},
        {METRIC_STEP_SECONDS, PART_SCHEDULE, (double)before->other_ns / 1e9, (double)load->other_ns / 1e9},
        {METRIC_STEP_PREDICTED_SECONDS, 0, before->predicted_ns / 1e9, load->predicted_ns / 1e9},
        {METRIC_STEP_ACTUAL_SECONDS, 0, before->actual_ns / 1e9, load->actual_ns / 1e9},
        {METRIC_ENCODER_CACHE_HITS, 0, (double)before->cache_hits, (double)load->cache_hits},
        {METRIC_ENCODER_CACHE_MISSES, 0, (double)before->cache_misses, (double)load->cache_misses},
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        metrics_add(metrics, counts[i].id, counts[i].label, counts[i].now - counts[i].before);
}
