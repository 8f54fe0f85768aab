// SPDX-License-Identifier: Apache-2.0
// Processor features, cores and caches, from the compiler's builtins and /sys.
#include "base/cpu.h"

#include <sched.h>
#include <stdbool.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

static const char *const level_names[CPU_LEVEL_COUNT] = {"ref", "avx2", "avx512", "vnni", "neon"};

const char *cpu_level_name(CpuLevel level) {
    return level_names[level];
}

#if defined(__x86_64__)
// Clang 14's __builtin_cpu_supports does not know this one.
static bool has_f16c(void) {
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

static bool has_avx2(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
}

bool cpu_has_avx512(void) {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

bool cpu_has_avx_vnni(void) {
    unsigned a, b, c, d;
    return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 4);
}
#else
bool cpu_has_avx512(void) {
    return false;
}

bool cpu_has_avx_vnni(void) {
    return false;
}
#endif

CpuLevel cpu_detect(void) {
#if defined(__x86_64__)
    if (!has_avx2())
        return CPU_REF;
    if (!cpu_has_avx512())
        return cpu_has_avx_vnni() ? CPU_VNNI : CPU_AVX2;
    return __builtin_cpu_supports("avx512vnni") ? CPU_VNNI : CPU_AVX512;
#elif defined(__aarch64__)
    return CPU_NEON;
#else
    return CPU_REF;
#endif
}

Status cpu_choose(const char *name, CpuLevel *ret_level, Error *err) {
    CpuLevel best = cpu_detect();
    if (!name) {
        *ret_level = best;
        return OK;
    }
    for (CpuLevel level = 0; level < CPU_LEVEL_COUNT; level++) {
        if (strcmp(name, level_names[level]) != 0)
            continue;
        bool same_family = level == CPU_REF || (level == CPU_NEON) == (best == CPU_NEON);
        if (!same_family || level > best || (level == CPU_AVX512 && !cpu_has_avx512()))
            return FAIL(err, ERR_UNSUPPORTED, "this processor has no %s; its best kernels are %s", name,
                        level_names[best]);
        *ret_level = level;
        return OK;
    }
    return FAIL(err, ERR_USAGE, "unknown kernel set '%s': expected ref, avx2, avx512, vnni or neon", name);
}

#if defined(__aarch64__)
bool cpu_has_dotprod(void) {
    return getauxval(AT_HWCAP) & HWCAP_ASIMDDP;
}

bool cpu_has_i8mm(void) {
    return getauxval(AT_HWCAP2) & HWCAP2_I8MM;
}
#else
bool cpu_has_dotprod(void) {
    return false;
}

bool cpu_has_i8mm(void) {
    return false;
}
#endif

bool cpu_has_sha(void) {
#if defined(__x86_64__)
    unsigned a, b, c, d;
    bool base = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSSE3) && (c & bit_SSE4_1);
    return base && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
#else
    return false;
#endif
}

// The first number in a file of /sys or /proc; -1 when there is none.
static long number_in(const char *path) {
    FILE *file = fopen(path, "r");
    if (!file)
        return -1;
    long value;
    int read = fscanf(file, "%ld", &value);
    fclose(file);
    return read == 1 ? value : -1;
}

// A core counts when the lowest numbered of its hardware threads that we may use is this one.
int cpu_cores(void) {
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return 1;
    long seen[CPU_SETSIZE][2];
    int cores = 0;
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed))
            continue;
        char path[96];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%zu/topology/core_id", cpu);
        long core = number_in(path);
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%zu/topology/physical_package_id", cpu);
        long package = number_in(path);
        bool known = false;
        for (int i = 0; i < cores && core >= 0; i++)
            known |= seen[i][0] == core && seen[i][1] == package;
        if (!known) {
            seen[cores][0] = core;
            seen[cores++][1] = package;
        }
    }
    return cores ? cores : 1;
}

void cpu_name(char *ret_name, size_t bytes) {
    snprintf(ret_name, bytes, "unknown");
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (!file)
        return;
    char line[512];
    while (fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(ret_name, bytes, "%s", colon + 2);
            break;
        }
    }
    fclose(file);
}

size_t cpu_cache_bytes(int level) {
    for (int index = 0; index < 8; index++) {
        char path[96];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/level", index);
        if (number_in(path) != level)
            continue;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", index);
        long kilobytes = number_in(path); // "1024K"
        return kilobytes > 0 ? (size_t)kilobytes << 10 : 0;
    }
    return 0;
}
