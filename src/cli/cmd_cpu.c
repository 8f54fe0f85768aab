// SPDX-License-Identifier: Apache-2.0
// hone cpu: what this machine offers, and which kernels hone would run on it.
#include <string.h>

#include "cli/command.h"
#include "kernel/kernels.h"
#include "measure/machine.h"

typedef struct Settings {
    bool measure;
} Settings;

static const Option options[] = {
    {"measure", 0, NULL, "measure reading and arithmetic, on one thread and on all", OPTION_FLAG,
     offsetof(Settings, measure)},
    {0},
};

// Everything there is to tell; speeds[0] on one thread, [1] on all.
typedef struct Facts {
    char name[128];
    CommonOptions common;
    int cores;
    Kernels kernels;
    bool measured;
    MachineSpeed speeds[2];
} Facts;

static Status measure(Facts *facts, Error *err) {
    TRY(machine_measure(facts->common.level, NULL, &facts->speeds[0], err));
    Pool *pool;
    TRY(pool_new(facts->common.threads, &pool, err));
    Status status = machine_measure(facts->common.level, pool, &facts->speeds[1], err);
    pool_free(pool);
    return status;
}

static void print_json(const Facts *facts, Buffer *text) {
    buffer_add_text(text, "{\"name\":");
    buffer_add_json(text, facts->name, strlen(facts->name));
    buffer_format(text, ",\"level\":\"%s\",\"cores\":%d,\"threads\":%d,\"l2_bytes\":%zu,\"l3_bytes\":%zu,\"kernels\":{",
                  cpu_level_name(facts->common.level), facts->cores, facts->common.threads, cpu_cache_bytes(2),
                  cpu_cache_bytes(3));
    for (int kind = 0; kind < WEIGHT_KIND_COUNT; kind++)
        buffer_format(text, "%s\"gemm_%s\":\"%s\"", kind ? "," : "", weight_kind_name((WeightKind)kind),
                      facts->kernels.gemm[kind].name);
    buffer_format(text, ",\"others\":\"%s\"}", cpu_level_name(facts->kernels.level));
    if (facts->measured)
        for (int i = 0; i < 2; i++)
            buffer_format(text, ",\"%s\":{\"read_gb_per_s\":%.1f,\"f32_gflops\":%.1f,\"s8_gops\":%.1f}",
                          i ? "all_threads" : "one_thread", facts->speeds[i].read_bytes_per_s * 1e-9,
                          facts->speeds[i].f32_ops_per_s * 1e-9, facts->speeds[i].s8_ops_per_s * 1e-9);
    buffer_add_char(text, '}');
}

static void print_text(const Facts *facts, Buffer *text) {
    buffer_format(text, "processor  %s\nkernels    %s\ncores      %d physical, %d threads used\n", facts->name,
                  cpu_level_name(facts->common.level), facts->cores, facts->common.threads);
    buffer_format(text, "caches     L2 %zu KiB, L3 %zu KiB\n", cpu_cache_bytes(2) >> 10, cpu_cache_bytes(3) >> 10);
    for (int kind = 0; kind < WEIGHT_KIND_COUNT; kind++)
        buffer_format(text, "gemm %-5s %s\n", weight_kind_name((WeightKind)kind), facts->kernels.gemm[kind].name);
    buffer_format(text, "others     %s", cpu_level_name(facts->kernels.level));
    for (int i = 0; i < 2 && facts->measured; i++)
        buffer_format(text, "\n%-10s reads %.1f GB/s, f32 %.1f GFLOP/s, int8 %.1f GOP/s", i ? "all" : "one thread",
                      facts->speeds[i].read_bytes_per_s * 1e-9, facts->speeds[i].f32_ops_per_s * 1e-9,
                      facts->speeds[i].s8_ops_per_s * 1e-9);
}

static Status run(CommandRun *run, Error *err) {
    const Settings *settings = run->settings;
    Facts facts = {.common = run->common, .cores = cpu_cores(), .measured = settings->measure};
    cpu_name(facts.name, sizeof facts.name);
    kernels_pick(run->common.level, &facts.kernels);
    if (facts.measured)
        TRY(measure(&facts, err));
    (run->common.json ? print_json : print_text)(&facts, &run->out.text);
    return output_line(&run->out, err);
}

const Command command_cpu = {
    .arguments = "",
    .help = "Tells the processor, its cores and caches, and which kernels hone would run on it.\n",
    .settings_bytes = sizeof(Settings),
    .options = options,
    .json = true,
    .run = run,
};
