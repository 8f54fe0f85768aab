// SPDX-License-Identifier: Apache-2.0
// hone-load: asks a server of /v1/completions for answers and measures what it gets. load_options.c has its manual.
#include <string.h>

#include "base/memory.h"
#include "bench/load.h"

static volatile sig_atomic_t stops;

static void on_signal(int number) {
    (void)number;
    stops = 1;
}

static void plan_print(const LoadSettings *settings) {
    for (uint64_t i = 0; i < settings->requests; i++) {
        Planned planned = plan_request(&settings->plan, i);
        printf("{\"index\":%llu,\"source\":%zu,\"source_tokens\":%zu,\"tokens\":%u}\n", (unsigned long long)i,
               planned.source, settings->plan.sources[planned.source].tokens, planned.tokens);
    }
}

static Status load(Arena *arena, int count, char **words, Error *err) {
    LoadSettings settings;
    TRY(load_options(arena, count, words, &settings, err));
    if (settings.plan_only) {
        plan_print(&settings);
        return OK;
    }
    LoadFigures *figures = memory_new(1, sizeof *figures, err);
    TRY_NEW(figures);
    memset(figures, 0, sizeof *figures);
    Status status = load_run(&settings, &stops, figures, err);
    Buffer text = {0};
    load_report(&settings, figures, &text);
    if (status == OK || figures->started)
        fwrite(text.data, 1, text.bytes, stdout);
    buffer_done(&text);
    memory_free(figures);
    return status;
}

int main(int count, char **words) {
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    memory_init();
    Arena arena;
    arena_init(&arena, 0);
    Error error;
    Status status = load(&arena, count, words, &error);
    arena_done(&arena);
    if (status == OK || (status == ERR_INTERRUPTED && !*error.message))
        return fflush(stdout) == 0 ? 0 : 5;
    fprintf(stderr, "hone-load: %s\n", error.message);
    return status_exit_code(status);
}
