// SPDX-License-Identifier: Apache-2.0
// Everything is rounded to nearest first; then strips of rows go through all columns, and a row that came out better
// takes the place of the plain one. What a block of columns does to those behind it is added up and applied at once,
// while the strip's part of them is in the cache.
#include "compress/gptq.h"

#include <math.h>
#include <string.h>

#include "compress/dense.h"

enum {
    STRIP = 8,            // rows that go together
    BLOCK = 128,          // columns, about: whole groups, or a part of one that starts with it
    PIECE = 256,          // columns behind a block that are changed at once
    TILES_PER_THREAD = 4, // each with room for one strip
};

typedef struct Room {
    double *weights;   // [STRIP, columns] as they are by now
    double *errors;    // [STRIP, block]
    double *losses[2]; // [STRIP, columns] what rounding took: here, and to nearest
    float *values;     // [group]
    int8_t *codes;     // [STRIP, columns]
    float *scales;     // [STRIP, groups]
} Room;

typedef struct Job {
    const GptqInput *input;
    const double *inverse; // U
    size_t block, groups, tiles, strips;
    GptqResult *result;
    double *losses[2]; // [rows] of the outputs, here and rounded to nearest
    Room *rooms;       // [tiles]
} Job;

// A block never ends inside a group that began in it, so that scales are made of weights that are up to date.
static size_t block_columns(size_t group) {
    if (group % BLOCK == 0)
        return BLOCK;
    return group < BLOCK ? BLOCK / group * group : group;
}

// H, factored and inverted: U. False where H is not positive definite under this damping.
static bool factor_try(Pool *pool, const GptqInput *input, double damping, double *h, double *ret_inverse) {
    size_t n = input->columns, seen = 0;
    double mean = 0;
    memcpy(h, input->gram, n * n * sizeof *h);
    for (size_t i = 0; i < n; i++) {
        mean += h[i * n + i];
        seen += h[i * n + i] != 0;
    }
    mean = seen ? mean / (double)seen : 1;
    for (size_t i = 0; i < n; i++)
        h[i * n + i] += h[i * n + i] != 0 ? damping * mean : mean;
    if (!dense_factor(pool, n, h))
        return false;
    dense_inverse(pool, n, h, ret_inverse);
    return true;
}

static Status factor_make(Arena *scratch, Pool *pool, const GptqInput *input, const double **ret_inverse,
                          double *ret_damping, Error *err) {
    static const double dampings[] = {0.01, 0.1, 1};
    size_t n = input->columns;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i; j < n; j++)
            if (!isfinite(input->gram[i * n + j]))
                return FAIL(err, ERR_FORMAT, "the statistics of the inputs of '%s' hold %g for columns %zu and %zu",
                            input->name, input->gram[i * n + j], i, j);
    double *h = arena_array(scratch, n * n, sizeof *h, err), *inverse;
    TRY_NEW(h);
    TRY_NEW(inverse = arena_array(scratch, n * n, sizeof *inverse, err));
    for (size_t d = 0; d < sizeof dampings / sizeof *dampings; d++)
        if (factor_try(pool, input, dampings[d], h, inverse)) {
            *ret_inverse = inverse;
            *ret_damping = dampings[d];
            return OK;
        }
    return FAIL(err, ERR_FORMAT,
                "the statistics of the inputs of '%s' are no Gram matrix: it is not positive definite, even with its "
                "mean diagonal added; calibrate anew",
                input->name);
}

static Status room_make(Arena *scratch, const Job *job, Room *ret_room, Error *err) {
    size_t columns = job->input->columns;
    Room room = {0};
    TRY_NEW(room.weights = arena_array(scratch, STRIP * columns, sizeof(double), err));
    TRY_NEW(room.errors = arena_array(scratch, STRIP * job->block, sizeof(double), err));
    for (int l = 0; l < 2; l++)
        TRY_NEW(room.losses[l] = arena_array(scratch, STRIP * columns, sizeof(double), err));
    TRY_NEW(room.values = arena_array(scratch, job->input->group, sizeof(float), err));
    TRY_NEW(room.codes = arena_array(scratch, STRIP * columns, 1, err));
    TRY_NEW(room.scales = arena_array(scratch, STRIP * job->groups, sizeof(float), err));
    *ret_room = room;
    return OK;
}

// The scale of the group that begins at `column`; infinite ones make the row lose against the plain one.
static float scale_now(const Job *job, Room *room, size_t r, size_t column) {
    const GptqInput *input = job->input;
    const double *weights = room->weights + r * input->columns + column;
    for (size_t i = 0; i < input->group; i++)
        room->values[i] = (float)weights[i];
    return int4_scale(room->values, input->group, input->rule, input->scale_dtype);
}

// Rounds columns [first, last) of the strip's rows; each takes back what the one before it did, within the block.
static void block_round(const Job *job, Room *room, size_t rows, size_t first, size_t last) {
    size_t columns = job->input->columns, group = job->input->group;
    for (size_t j = first; j < last; j++) {
        const double *u = job->inverse + j * columns;
        for (size_t r = 0; r < rows; r++) {
            double *w = room->weights + r * columns;
            float *scale = room->scales + r * job->groups + j / group;
            if (j % group == 0)
                *scale = scale_now(job, room, r, j);
            int code = int4_code((float)w[j], *scale);
            room->codes[r * columns + j] = (int8_t)code;
            double error = (w[j] - code * (double)*scale) / u[j];
            room->errors[r * job->block + j - first] = error;
            dense_subtract(error, u + j + 1, w + j + 1, last - j - 1);
        }
    }
}

// Columns behind the block take back what all of it did.
static void block_apply(const Job *job, Room *room, size_t rows, size_t first, size_t last) {
    size_t columns = job->input->columns;
    for (size_t at = last; at < columns; at += PIECE) {
        size_t count = columns - at < PIECE ? columns - at : PIECE;
        for (size_t j = first; j < last; j++)
            for (size_t r = 0; r < rows; r++)
                dense_subtract(room->errors[r * job->block + j - first], job->inverse + j * columns + at,
                               room->weights + r * columns + at, count);
    }
}

// d^T G d, by G's upper half.
static void losses_weigh(const GptqInput *input, const Room *room, size_t rows, double ret_sums[2][STRIP]) {
    size_t n = input->columns;
    memset(ret_sums, 0, 2 * sizeof *ret_sums);
    for (size_t i = 0; i < n; i++) {
        const double *g = input->gram + i * n;
        for (int l = 0; l < 2; l++)
            for (size_t r = 0; r < rows; r++) {
                const double *d = room->losses[l] + r * n;
                ret_sums[l][r] += d[i] * (g[i] * d[i] + 2 * dense_dot(g + i + 1, d + i + 1, n - i - 1));
            }
    }
}

static void losses_find(const Job *job, Room *room, size_t first, size_t rows) {
    const GptqInput *input = job->input;
    for (size_t i = 0; i < rows * input->columns; i++) {
        size_t element = first * input->columns + i;
        unsigned pair = job->result->pairs[element / 2];
        double weight = (double)input->weights[element];
        double plain = int4_values[element % 2 ? pair >> 4 : pair & 15];
        room->losses[0][i] = weight - room->codes[i] * (double)room->scales[i / input->group];
        room->losses[1][i] = weight - plain * (double)job->result->scales[element / input->group];
    }
}

static void row_take(const Job *job, const Room *room, size_t row, size_t r) {
    size_t columns = job->input->columns;
    const int8_t *codes = room->codes + r * columns;
    uint8_t *pairs = job->result->pairs + row * columns / 2;
    for (size_t i = 0; i < columns; i += 2)
        pairs[i / 2] = (uint8_t)((codes[i] + 8) | (codes[i + 1] + 8) << 4);
    memcpy(job->result->scales + row * job->groups, room->scales + r * job->groups, job->groups * sizeof(float));
}

static void strip_round(const Job *job, Room *room, size_t first, size_t rows) {
    const GptqInput *input = job->input;
    for (size_t i = 0; i < rows * input->columns; i++)
        room->weights[i] = (double)input->weights[first * input->columns + i];
    for (size_t at = 0, last; at < input->columns; at = last) {
        last = at + job->block < input->columns ? at + job->block : input->columns;
        block_round(job, room, rows, at, last);
        block_apply(job, room, rows, at, last);
    }
    double sums[2][STRIP];
    losses_find(job, room, first, rows);
    losses_weigh(input, room, rows, sums);
    for (size_t r = 0; r < rows; r++) {
        job->losses[0][first + r] = job->losses[1][first + r] = sums[1][r];
        if (!(sums[0][r] < sums[1][r])) // NaN too
            continue;
        job->losses[0][first + r] = sums[0][r];
        row_take(job, room, first + r, r);
    }
}

// Every tiles-th strip.
static void strips_round(void *context, size_t tile) {
    const Job *job = context;
    for (size_t s = tile; s < job->strips; s += job->tiles) {
        size_t first = s * STRIP, rest = job->input->rows - first;
        strip_round(job, &job->rooms[tile], first, rest < STRIP ? rest : STRIP);
    }
}

static Status round_all(Arena *scratch, Pool *pool, const GptqInput *input, GptqResult *result, Error *err) {
    Job job = {.input = input, .block = block_columns(input->group), .groups = input->columns / input->group};
    job.result = result;
    job.strips = (input->rows + STRIP - 1) / STRIP;
    job.tiles = (size_t)pool_threads(pool) * TILES_PER_THREAD;
    TRY(quantize_int4_rows(input->name, DTYPE_F32, input->weights, input->rows, input->columns, input->group,
                           input->rule, input->scale_dtype, result->pairs, result->scales, err));
    TRY(factor_make(scratch, pool, input, &job.inverse, &result->damping, err));
    for (int l = 0; l < 2; l++)
        TRY_NEW(job.losses[l] = arena_array(scratch, input->rows, sizeof(double), err));
    TRY_NEW(job.rooms = arena_array(scratch, job.tiles, sizeof *job.rooms, err));
    for (size_t t = 0; t < job.tiles; t++)
        TRY(room_make(scratch, &job, &job.rooms[t], err));
    pool_run(pool, job.tiles, strips_round, &job);
    double outputs = (double)input->samples * (double)input->rows;
    for (size_t r = 0; r < input->rows; r++) { // in their order, whoever found them
        result->error += job.losses[0][r] / outputs;
        result->plain_error += job.losses[1][r] / outputs;
        result->plain_rows += job.losses[0][r] >= job.losses[1][r];
    }
    return OK;
}

Status gptq_round(Arena *arena, Pool *pool, const GptqInput *input, GptqResult *ret_result, Error *err) {
    GptqResult result = {0};
    size_t elements = input->rows * input->columns;
    TRY_NEW(result.pairs = arena_array(arena, elements / 2, 1, err));
    TRY_NEW(result.scales = arena_array(arena, elements / input->group, sizeof *result.scales, err));
    Arena scratch;
    arena_init(&scratch, 0);
    Status status = round_all(&scratch, pool, input, &result, err);
    arena_done(&scratch);
    if (status == OK)
        *ret_result = result;
    return status;
}
