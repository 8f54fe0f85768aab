// SPDX-License-Identifier: Apache-2.0
// The two levers that change no output, the screen of the head and lookup decoding: what commands say of them.
#pragma once

#include <jansson.h>

#include "cli/runtime.h"

// ERR_USAGE where lookup decoding is asked for and `options` are not greedy.
MUST_CHECK Status levers_check(const RuntimeFlags *flags, const GenerationOptions *options, Error *err);

// Adds "lm_head_screen" and "lookup_decoding" to a report, each where a model ran with it. False: no memory.
bool levers_report(const RuntimeSettings *settings, const EngineCounts *counts, json_t *report);

// The same for people, on standard error, and why there is no screen (`refusal`, or NULL); nothing with --quiet, nor of
// levers that the model's advice brought and that had nothing to do.
void levers_tell(const CommandRun *run, const RuntimeSettings *settings, const EngineCounts *counts,
                 const char *refusal);
