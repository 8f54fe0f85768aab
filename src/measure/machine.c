// SPDX-License-Identifier: Apache-2.0
// Peaks of this machine: loops over registers that never leave them, and a walk over more memory than caches hold.
// Twelve independent sums hide the latency of an instruction (4 or 5 cycles, two a cycle).
#include "measure/machine.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "base/clock.h"
#include "base/memory.h"

// Windows of about a millisecond: on a busy machine some of them go undisturbed, which no longer one does. Arithmetic
// takes the fastest, reading the median.
enum { SUMS = 12, ROUNDS = 100000, WINDOWS = 300, PARTS = 8 };

// A value the compiler knows nothing of, so that it neither folds nor hoists what is done with it.
#define OPAQUE(value, constraint) __asm__ volatile("" : "+" constraint(value))

// The body of a peak loop: SUMS sums, each ROUNDS times `step`, which uses `sum` and `x`; all are used in the end.
#define PEAK_LOOP(type, zero, initial, constraint, step)                                                               \
    type x = (initial), sums[SUMS];                                                                                    \
    for (int i = 0; i < SUMS; i++)                                                                                     \
        sums[i] = (zero);                                                                                              \
    for (int round = 0; round < ROUNDS; round++)                                                                       \
        for (int i = 0; i < SUMS; i++) {                                                                               \
            type sum = sums[i];                                                                                        \
            OPAQUE(x, constraint);                                                                                     \
            sums[i] = (step);                                                                                          \
        }                                                                                                              \
    for (int i = 0; i < SUMS; i++)                                                                                     \
    OPAQUE(sums[i], constraint)

// What one step of a loop does, in operations, follows its name in the table below.
static void f32_ref(void) {
    PEAK_LOOP(float, 0.0f, 0.999f, "m", fmaf(sum, x, x));
}

static void s8_ref(void) {
    PEAK_LOOP(int32_t, 0, 3, "r", sum + x * (int8_t)x);
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void f32_avx2(void) {
    PEAK_LOOP(__m256, _mm256_setzero_ps(), _mm256_set1_ps(0.999f), "x", _mm256_fmadd_ps(sum, x, x));
}

__attribute__((target("avx2"))) static void s8_avx2(void) {
    __m256i ones = _mm256_set1_epi16(1);
    PEAK_LOOP(__m256i, _mm256_setzero_si256(), _mm256_set1_epi8(1), "x",
              _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(x, x), ones)));
}

__attribute__((target("avx512f"))) static void f32_avx512(void) {
    PEAK_LOOP(__m512, _mm512_setzero_ps(), _mm512_set1_ps(0.999f), "v", _mm512_fmadd_ps(sum, x, x));
}

__attribute__((target("avx512f,avx512bw"))) static void s8_avx512(void) {
    __m512i ones = _mm512_set1_epi16(1);
    PEAK_LOOP(__m512i, _mm512_setzero_si512(), _mm512_set1_epi8(1), "v",
              _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_maddubs_epi16(x, x), ones)));
}

__attribute__((target("avx512f,avx512bw,avx512vnni"))) static void s8_vnni(void) {
    PEAK_LOOP(__m512i, _mm512_setzero_si512(), _mm512_set1_epi8(1), "v", _mm512_dpbusd_epi32(sum, x, x));
}

__attribute__((target("avx2"))) static inline __m256i dot_four(__m256i sum, __m256i x) {
    __asm__("%{vex%} vpdpbusd %1, %1, %0" : "+x"(sum) : "x"(x)); // AVX-VNNI
    return sum;
}

__attribute__((target("avx2"))) static void s8_avx_vnni(void) {
    PEAK_LOOP(__m256i, _mm256_setzero_si256(), _mm256_set1_epi8(1), "x", dot_four(sum, x));
}
#elif defined(__aarch64__)
static void f32_neon(void) {
    PEAK_LOOP(float32x4_t, vdupq_n_f32(0), vdupq_n_f32(0.999f), "w", vfmaq_f32(sum, x, x));
}

static void s8_neon(void) {
    PEAK_LOOP(int32x4_t, vdupq_n_s32(0), vdupq_n_s32(0x01010101), "w",
              vpadalq_s16(sum, vmull_s8(vget_low_s8(vreinterpretq_s8_s32(x)), vget_low_s8(vreinterpretq_s8_s32(x)))));
}
#endif

// The loops of each level, and the operations of one step: two for each lane and product.
typedef struct Peak {
    void (*f32)(void);
    double f32_ops;
    void (*s8)(void);
    double s8_ops;
} Peak;

static const Peak peaks[CPU_LEVEL_COUNT] = {
    [CPU_REF] = {f32_ref, 2, s8_ref, 2},
#if defined(__x86_64__)
    [CPU_AVX2] = {f32_avx2, 16, s8_avx2, 64},
    [CPU_AVX512] = {f32_avx512, 32, s8_avx512, 128},
    [CPU_VNNI] = {f32_avx512, 32, s8_vnni, 128},
#elif defined(__aarch64__)
    [CPU_NEON] = {f32_neon, 8, s8_neon, 16},
#endif
};

static Peak peak_of(CpuLevel level) {
#if defined(__x86_64__)
    if (level == CPU_VNNI && !cpu_has_avx512())
        return (Peak){f32_avx2, 16, s8_avx_vnni, 64};
#endif
    return peaks[level];
}

typedef struct Work {
    void (*loop)(void);   // or NULL: read
    const uint64_t *data; // [parts][threads][words], a part for each window in turn
    size_t words, threads, parts, window;
} Work;

// Lines are fetched 8 KB ahead, as the products of few rows do it.
static uint64_t words_sum(const uint64_t *data, size_t words) {
    uint64_t sums[8] = {0};
    for (size_t i = 0; i + 8 <= words; i += 8) {
        __builtin_prefetch(data + i + 1024);
        for (size_t j = 0; j < 8; j++)
            sums[j] += data[i + j];
    }
    return sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6] + sums[7];
}

static void work_tile(void *context, size_t index) {
    const Work *work = context;
    if (work->loop) {
        work->loop();
        return;
    }
    size_t stretch = work->window % work->parts * work->threads + index;
    uint64_t sum = words_sum(work->data + stretch * work->words, work->words);
    OPAQUE(sum, "r");
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

// Seconds of the windows, fastest first; one before them warms up.
static void windows_time(Pool *pool, Work *work, double ret_seconds[WINDOWS]) {
    for (size_t window = 0; window <= WINDOWS; window++) {
        work->window = window;
        uint64_t start = clock_ns();
        pool_run(pool, (size_t)pool_threads(pool), work_tile, work);
        if (window)
            ret_seconds[window - 1] = (double)(clock_ns() - start + 1) * 1e-9;
    }
    qsort(ret_seconds, WINDOWS, sizeof *ret_seconds, by_size);
}

static double read_speed(Pool *pool, const void *data, size_t bytes, size_t parts) {
    size_t threads = (size_t)pool_threads(pool);
    Work work = {.data = data, .words = bytes / 8 / parts / threads, .threads = threads, .parts = parts};
    double seconds[WINDOWS];
    windows_time(pool, &work, seconds);
    return (double)(work.words * 8 * threads) / seconds[WINDOWS / 2];
}

Status machine_measure(CpuLevel level, Pool *pool, MachineSpeed *ret_speed, Error *err) {
    size_t threads = (size_t)pool_threads(pool), bytes = cpu_cache_bytes(3) * 8;
    bytes = bytes < (size_t)64 << 20 ? (size_t)64 << 20 : bytes > (size_t)256 << 20 ? (size_t)256 << 20 : bytes;
    unsigned char *data = memory_map(bytes, err);
    TRY_NEW(data);
    for (size_t i = 0; i < bytes; i += 4096) // untouched pages would all be the same page of zeros
        data[i] = 1;
    MachineSpeed speed = {.read_bytes_per_s = read_speed(pool, data, bytes, PARTS)};
    memory_unmap(data, bytes);
    Work work = {.threads = threads};
    double seconds[WINDOWS];
    double steps = (double)ROUNDS * SUMS * (double)threads;
    Peak peak = peak_of(level);
    work.loop = peak.f32;
    windows_time(pool, &work, seconds);
    speed.f32_ops_per_s = steps * peak.f32_ops / seconds[0];
    work.loop = peak.s8;
    windows_time(pool, &work, seconds);
    speed.s8_ops_per_s = steps * peak.s8_ops / seconds[0];
    pool_run_last(pool, 0, work_tile, &work); // the threads may sleep
    *ret_speed = speed;
    return OK;
}
