// SPDX-License-Identifier: Apache-2.0
// Look-ups in the measured tables: two stages of 64 code points for the flags, runs with binary search for the rest.
#include "text/chars.h"

typedef struct LowerRun {
    uint32_t first, last;
    int32_t step, delta;
} LowerRun;

typedef struct ScriptRun {
    uint32_t first;
    uint32_t script;
} ScriptRun;

#include "text/char_tables.inc"

unsigned char_flags(uint32_t c) {
    return c > 0x10FFFF ? 0 : char_kinds[char_blocks[char_pages[c >> 6]][c & 63]];
}

uint32_t char_lower(uint32_t c) {
    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? c + 32 : c;
    if (c == 0x130)
        return 'i';
    size_t low = 0, high = sizeof lower_runs / sizeof *lower_runs;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (lower_runs[middle].last < c)
            low = middle + 1;
        else
            high = middle;
    }
    const LowerRun *run = &lower_runs[low];
    if (low == sizeof lower_runs / sizeof *lower_runs || c < run->first || (c - run->first) % (uint32_t)run->step)
        return c;
    return (uint32_t)((int32_t)c + run->delta);
}

unsigned char_script(uint32_t c) {
    size_t low = 0, high = sizeof script_runs / sizeof *script_runs;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (script_runs[middle].first <= c)
            low = middle;
        else
            high = middle;
    }
    return script_runs[low].script;
}

bool char_is_chinese(uint32_t c) {
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
           (c >= 0x2A700 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) ||
           (c >= 0x2F800 && c <= 0x2FA1F);
}

// Bytes that are printable in Latin-1 stand for themselves; the other 68 follow from U+0100 on, in order.
uint32_t char_of_byte(unsigned char byte) {
    if (byte < 0x21)
        return 0x100u + byte;
    if (byte < 0x7F)
        return byte;
    if (byte < 0xA1)
        return 0x100u + 0x21 + (byte - 0x7Fu);
    return byte == 0xAD ? 0x143 : byte;
}

int char_to_byte(uint32_t c) {
    if (c >= 0x100 && c <= 0x143)
        return c < 0x121 ? (int)(c - 0x100) : c < 0x143 ? (int)(c - 0x121 + 0x7F) : 0xAD;
    return c < 0x100 && char_of_byte((unsigned char)c) == c ? (int)c : -1;
}
