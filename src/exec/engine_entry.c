// SPDX-License-Identifier: Apache-2.0
// Writing and mapping entries of the engine cache. A file is believed only after every digest fits.
#include "exec/engine_entry.h"

#include <string.h>

#include "base/memory.h"
#include "base/own.h"

static const char magic[8] = "honeeng";
enum { FORMAT = 1, ALIGNMENT = DIGEST_PIECE_BYTES };

typedef struct EntryHeader {
    char magic[8];
    uint32_t format;
    uint32_t places, shapes, pieces;
    uint64_t file_bytes, block_offset, block_bytes;
    uint64_t tuned_ns;
    Digest name;
    Digest tables; // of all between the header and the block
    Digest header; // of this header with zeros here
} EntryHeader;

typedef struct EntryPlace {
    uint64_t offset, bytes;
    char kernel[TUNE_NAME_BYTES];
    LinearTiling tilings[ROW_CLASSES];
} EntryPlace;

_Static_assert(sizeof(EntryHeader) == 104 && sizeof(EntryPlace) == 104, "nothing in them but what is named");

static Digest header_digest(const EntryKey *key, const EntryHeader *header) {
    EntryHeader copy = *header;
    copy.header = (Digest){{0}};
    return digest_make(&key->digests, &copy, sizeof copy);
}

// The header that a block's entry has, but for its digests.
static EntryHeader header_make(const EntryKey *key, const PackedBlock *block, const Tuning *tuning) {
    EntryHeader header;
    memset(&header, 0, sizeof header);
    memcpy(header.magic, magic, sizeof magic);
    header.format = FORMAT;
    header.places = (uint32_t)block->count;
    header.shapes = (uint32_t)tuning->count;
    header.pieces = (uint32_t)digest_pieces(block->bytes);
    size_t tables = sizeof header + header.places * sizeof(EntryPlace) + header.shapes * sizeof(ShapeTuning) +
                    header.pieces * sizeof(Digest);
    header.block_offset = (tables + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    header.block_bytes = block->bytes;
    header.file_bytes = header.block_offset + header.block_bytes;
    header.tuned_ns = tuning->spent_ns;
    header.name = key->name;
    return header;
}

size_t entry_bytes(const PackedBlock *block, const Tuning *tuning) {
    static const EntryKey none;
    return header_make(&none, block, tuning).file_bytes;
}

// Fills `front`, the file up to the block.
static void front_fill(const EntryKey *key, const PackedBlock *block, const Tuning *tuning, EntryHeader header,
                       unsigned char *front) {
    unsigned char *at = front + sizeof header;
    for (size_t i = 0; i < block->count; i++, at += sizeof(EntryPlace)) {
        EntryPlace place;
        memset(&place, 0, sizeof place);
        place.offset = block->places[i].offset;
        place.bytes = block->places[i].bytes;
        snprintf(place.kernel, sizeof place.kernel, "%s", block->places[i].packed.gemm->name);
        memcpy(place.tilings, block->places[i].tilings, sizeof place.tilings);
        memcpy(at, &place, sizeof place);
    }
    memcpy(at, tuning->shapes, tuning->count * sizeof *tuning->shapes);
    at += tuning->count * sizeof *tuning->shapes;
    digest_make_pieces(&key->digests, NULL, block->data, block->bytes, false, (Digest *)(void *)at);
    header.tables = digest_make(&key->digests, front + sizeof header, header.block_offset - sizeof header);
    header.header = header_digest(key, &header);
    memcpy(front, &header, sizeof header);
}

Status entry_write(const char *path, const EntryKey *key, const PackedBlock *block, const Tuning *tuning, Error *err) {
    EntryHeader header = header_make(key, block, tuning);
    unsigned char *front = memory_map(header.block_offset, err);
    TRY_NEW(front);
    front_fill(key, block, tuning, header, front);
    FileWriter *writer;
    Status status = file_create(path, &writer, err);
    if (status == OK) {
        status = file_write(writer, front, header.block_offset, err);
        // In one call: the page cache then takes it in huge pages where it can.
        status = status == OK ? file_write(writer, block->data, block->bytes, err) : status;
        if (status == OK)
            status = file_commit_soon(writer, err);
        else
            file_discard(writer);
    }
    memory_unmap(front, header.block_offset);
    return status;
}

static Status refuse(const char *path, const char *what, Error *err) {
    return FAIL(err, ERR_FORMAT, "engine cache entry '%s' is not used: %s", path, what);
}

// The kernel of that name among those that can run the place's kind; NULL: none.
static const GemmKernel *kernel_find(CpuLevel level, WeightKind kind, const char *name) {
    const GemmKernel *kernels[GEMM_MOST_VARIANTS];
    size_t count = gemm_variants(level, kind, kernels);
    for (size_t i = 0; i < count; i++)
        if (strcmp(kernels[i]->name, name) == 0)
            return kernels[i];
    return NULL;
}

// The places as this build would lay them out with these kernels.
static bool places_fit(const EntryPlace *places, const PackedBlock *block, CpuLevel level, size_t block_bytes) {
    size_t offset = 0;
    for (size_t i = 0; i < block->count; i++) {
        const PackedWeights *packed = &block->places[i].packed;
        const GemmKernel *gemm = memchr(places[i].kernel, '\0', sizeof places[i].kernel)
                                     ? kernel_find(level, packed->kind, places[i].kernel)
                                     : NULL;
        if (!gemm || places[i].offset != offset ||
            places[i].bytes != gemm_packed_bytes(gemm, packed->n, packed->k, packed->group))
            return false;
        for (size_t c = 0; c < ROW_CLASSES; c++)
            if (!places[i].tilings[c].most_rows != !places[i].tilings[c].most_panels)
                return false;
        offset += (places[i].bytes + 63) / 64 * 64;
    }
    return offset == block_bytes;
}

static bool pieces_fit(const EntryKey *key, Pool *pool, Bytes file, const EntryHeader *header, const Digest *expected,
                       Digest *room) {
    digest_make_pieces(&key->digests, pool, file.data + header->block_offset, header->block_bytes, false, room);
    return memcmp(room, expected, header->pieces * sizeof *expected) == 0;
}

// Header and sizes: after this, all offsets lie within the file.
static Status header_check(const char *path, Bytes file, const EntryKey *key, const PackedBlock *block,
                           const Tuning *tuning, EntryHeader *ret_header, Error *err) {
    EntryHeader header;
    if (file.size < sizeof header)
        return refuse(path, "it is shorter than a header", err);
    memcpy(&header, file.data, sizeof header);
    if (memcmp(header.magic, magic, sizeof magic) != 0 || header.format != FORMAT)
        return refuse(path, "it has another format", err);
    Digest digest = header_digest(key, &header);
    if (!digest_equal(&digest, &header.header))
        return refuse(path, "its header is damaged", err);
    if (!digest_equal(&header.name, &key->name))
        return refuse(path, "it belongs to another model, build or machine", err);
    PackedBlock same = *block;
    same.bytes = header.block_bytes; // depends on the kernels; checked with the places
    EntryHeader expected = header_make(key, &same, tuning);
    if (header.places != expected.places || header.shapes != expected.shapes || header.pieces != expected.pieces ||
        header.block_offset != expected.block_offset || header.file_bytes != expected.file_bytes ||
        header.file_bytes != file.size)
        return refuse(path, "its sizes do not fit together", err);
    digest = digest_make(&key->digests, file.data + sizeof header, header.block_offset - sizeof header);
    if (!digest_equal(&digest, &header.tables))
        return refuse(path, "its tables are damaged", err);
    *ret_header = header;
    return OK;
}

Status entry_map(Arena *arena, const char *path, const EntryKey *key, CpuLevel level, Pool *pool, PackedBlock *block,
                 Tuning *tuning, Error *err) {
    Bytes file;
    EntryHeader header = {.format = 0};
    TRY(file_map_own(arena, path, &file, err));
    TRY(header_check(path, file, key, block, tuning, &header, err));
    const EntryPlace *places = (const EntryPlace *)(const void *)(file.data + sizeof header);
    const ShapeTuning *shapes = (const ShapeTuning *)(const void *)(places + header.places);
    const Digest *pieces = (const Digest *)(const void *)(shapes + header.shapes);
    if (!places_fit(places, block, level, header.block_bytes))
        return refuse(path, "its matrices lie otherwise", err);
    Digest *room = arena_array(arena, header.pieces, sizeof *room, err);
    TRY_NEW(room);
    if (!pieces_fit(key, pool, file, &header, pieces, room))
        return refuse(path, "its weights are damaged", err);
    for (size_t i = 0; i < block->count; i++) {
        PackedPlace *place = &block->places[i];
        packed_place_set_kernel(place, kernel_find(level, place->packed.kind, places[i].kernel));
        memcpy(place->tilings, places[i].tilings, sizeof place->tilings);
    }
    packed_block_lay_out(block);
    block->data = file.data + header.block_offset;
    block->room = NULL;
    memcpy(tuning->shapes, shapes, header.shapes * sizeof *shapes);
    tuning->spent_ns = header.tuned_ns;
    return OK;
}
