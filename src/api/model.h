// SPDX-License-Identifier: Apache-2.0
// What a HoneModel is made of, and errors in public form.
#pragma once

#include <pthread.h>

#include "engine/runtime.h"
#include "hone/hone.h"

struct HoneModel {
    Runtime *runtime;
    pthread_mutex_t lock; // held during each call that uses the runtime
    size_t batch;
    HoneModelInfo info;
};

// The public status; where it is a failure, *ret_error (may be NULL) gets it with its message.
HoneStatus error_publish(Status status, const Error *err, HoneError *ret_error);
