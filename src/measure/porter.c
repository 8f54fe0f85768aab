// SPDX-License-Identifier: Apache-2.0
// The Porter stemmer, step by step on one buffer: no step makes a word longer than it was when it came in.
// Where NLTK departs from the paper: a few irregular words, "ied" and four-letter "ies", y to i only after a consonant,
// *o also for two-letter words, "bli", "fulli" and "logi".
#include "measure/porter.h"

#include <stdbool.h>
#include <string.h>

typedef struct Word {
    char *text;
    size_t bytes;
} Word;

// `suffix` becomes `replacement` where the measure of what comes before it, and of its first `kept` letters, is enough.
typedef struct Rule {
    const char *suffix;
    const char *replacement;
    size_t kept;
} Rule;

static bool is_vowel_letter(char c) {
    return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u';
}

// A y is a consonant at the beginning and after a vowel; digits are consonants.
static bool is_consonant(const char *text, size_t at) {
    bool odd = false;
    for (; at > 0 && text[at] == 'y'; at--)
        odd = !odd;
    return is_vowel_letter(text[at]) == odd;
}

// The number of vowel-consonant sequences: m in [C](VC)^m[V].
static size_t word_measure(const char *text, size_t bytes) {
    size_t measure = 0;
    bool before = true; // whether the letter before is a consonant; the word's beginning counts as none
    for (size_t i = 0; i < bytes; i++) {
        bool consonant = text[i] == 'y' ? i == 0 || !before : !is_vowel_letter(text[i]);
        measure += consonant && !before;
        before = consonant;
    }
    return measure;
}

// A y that is not the first letter is a vowel itself or follows one.
static bool has_vowel(const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        if (is_vowel_letter(text[i]) || (i > 0 && text[i] == 'y'))
            return true;
    return false;
}

static bool ends_double_consonant(Word word) {
    size_t n = word.bytes;
    return n >= 2 && word.text[n - 1] == word.text[n - 2] && is_consonant(word.text, n - 1);
}

// *o: consonant, vowel, consonant other than w, x, y; or the whole word is vowel, consonant.
static bool ends_cvc(const char *text, size_t n) {
    if (n < 2 || is_consonant(text, n - 2) || !is_consonant(text, n - 1))
        return false;
    char last = text[n - 1];
    return n == 2 || (is_consonant(text, n - 3) && last != 'w' && last != 'x' && last != 'y');
}

static bool word_ends(Word word, const char *suffix) {
    size_t n = strlen(suffix);
    return word.bytes >= n && memcmp(word.text + word.bytes - n, suffix, n) == 0;
}

static void suffix_replace(Word *word, size_t suffix_bytes, const char *replacement) {
    size_t n = strlen(replacement);
    word->bytes -= suffix_bytes;
    memcpy(word->text + word->bytes, replacement, n);
    word->bytes += n;
}

// The first rule whose suffix matches decides, whether its measure is enough or not.
static void rules_apply(Word *word, const Rule *rules, size_t count, size_t least_measure) {
    for (size_t i = 0; i < count; i++) {
        if (!word_ends(*word, rules[i].suffix))
            continue;
        size_t n = strlen(rules[i].suffix);
        if (word_measure(word->text, word->bytes - n + rules[i].kept) >= least_measure)
            suffix_replace(word, n, rules[i].replacement);
        return;
    }
}

// Plurals.
static void step_1a(Word *word) {
    if (word_ends(*word, "sses"))
        word->bytes -= 2;
    else if (word_ends(*word, "ies"))
        word->bytes -= word->bytes == 4 ? 1 : 2;
    else if (word_ends(*word, "s") && !word_ends(*word, "ss"))
        word->bytes -= 1;
}

// After "ed" or "ing" was taken off: what the bare stem needs to be a word again.
static void stem_mend(Word *word) {
    char last = word->text[word->bytes - 1];
    if (word_ends(*word, "at") || word_ends(*word, "bl") || word_ends(*word, "iz")) {
        suffix_replace(word, 0, "e");
    } else if (ends_double_consonant(*word)) {
        if (last != 'l' && last != 's' && last != 'z')
            word->bytes--;
    } else if (word_measure(word->text, word->bytes) == 1 && ends_cvc(word->text, word->bytes)) {
        suffix_replace(word, 0, "e");
    }
}

// Past tense and gerund.
static void step_1b(Word *word) {
    if (word_ends(*word, "ied")) {
        word->bytes -= word->bytes == 4 ? 1 : 2;
        return;
    }
    if (word_ends(*word, "eed")) {
        if (word_measure(word->text, word->bytes - 3) > 0)
            word->bytes--;
        return;
    }
    size_t suffix_bytes = word_ends(*word, "ed") ? 2 : word_ends(*word, "ing") ? 3 : 0;
    if (suffix_bytes && has_vowel(word->text, word->bytes - suffix_bytes)) {
        word->bytes -= suffix_bytes;
        stem_mend(word);
    }
}

static void step_1c(Word *word) {
    if (word_ends(*word, "y") && word->bytes > 2 && is_consonant(word->text, word->bytes - 2))
        word->text[word->bytes - 1] = 'i';
}

static void step_2(Word *word) {
    static const Rule rules[] = {
        {"ational", "ate", 0}, {"tional", "tion", 0}, {"enci", "ence", 0}, {"anci", "ance", 0}, {"izer", "ize", 0},
        {"bli", "ble", 0},     {"alli", "al", 0},     {"entli", "ent", 0}, {"eli", "e", 0},     {"ousli", "ous", 0},
        {"ization", "ize", 0}, {"ation", "ate", 0},   {"ator", "ate", 0},  {"alism", "al", 0},  {"iveness", "ive", 0},
        {"fulness", "ful", 0}, {"ousness", "ous", 0}, {"aliti", "al", 0},  {"iviti", "ive", 0}, {"biliti", "ble", 0},
        {"fulli", "ful", 0},   {"logi", "log", 1},
    };
    // "alli" becomes "al" and the step begins again: "nationally" goes on as "national".
    bool again = word_ends(*word, "alli");
    rules_apply(word, rules, sizeof rules / sizeof *rules, 1);
    if (again)
        rules_apply(word, rules, sizeof rules / sizeof *rules, 1);
}

static void step_3(Word *word) {
    static const Rule rules[] = {
        {"icate", "ic", 0}, {"ative", "", 0}, {"alize", "al", 0}, {"iciti", "ic", 0},
        {"ical", "ic", 0},  {"ful", "", 0},   {"ness", "", 0},
    };
    rules_apply(word, rules, sizeof rules / sizeof *rules, 1);
}

static void step_4(Word *word) {
    static const Rule rules[] = {
        {"al", "", 0},   {"ance", "", 0}, {"ence", "", 0},  {"er", "", 0},   {"ic", "", 0},  {"able", "", 0},
        {"ible", "", 0}, {"ant", "", 0},  {"ement", "", 0}, {"ment", "", 0}, {"ent", "", 0}, {"ou", "", 0},
        {"ism", "", 0},  {"ate", "", 0},  {"iti", "", 0},   {"ous", "", 0},  {"ive", "", 0}, {"ize", "", 0},
    };
    if (word_ends(*word, "ion")) {
        bool after_s_or_t = word_ends(*word, "sion") || word_ends(*word, "tion");
        if (after_s_or_t && word_measure(word->text, word->bytes - 3) > 1)
            word->bytes -= 3;
        return;
    }
    rules_apply(word, rules, sizeof rules / sizeof *rules, 2);
}

static void step_5(Word *word) {
    if (word_ends(*word, "e")) {
        size_t stem_bytes = word->bytes - 1;
        size_t measure = word_measure(word->text, stem_bytes);
        if (measure > 1 || (measure == 1 && !ends_cvc(word->text, stem_bytes)))
            word->bytes = stem_bytes;
    }
    if (word_ends(*word, "ll") && word_measure(word->text, word->bytes - 1) > 1)
        word->bytes--;
}

// Words that the steps would get wrong; true when `word` was one of them.
static bool irregular_stem(Word *word) {
    static const char *const forms[][2] = {
        {"sky", "sky"},        {"skies", "sky"},       {"dying", "die"},        {"lying", "lie"},
        {"tying", "tie"},      {"news", "news"},       {"innings", "inning"},   {"inning", "inning"},
        {"outings", "outing"}, {"outing", "outing"},   {"cannings", "canning"}, {"canning", "canning"},
        {"howe", "howe"},      {"proceed", "proceed"}, {"exceed", "exceed"},    {"succeed", "succeed"},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        size_t n = strlen(forms[i][0]);
        if (word->bytes == n && memcmp(word->text, forms[i][0], n) == 0) {
            suffix_replace(word, n, forms[i][1]);
            return true;
        }
    }
    return false;
}

size_t porter_stem(char *text, size_t bytes) {
    Word word = {text, bytes};
    if (bytes <= 2 || irregular_stem(&word))
        return word.bytes;
    step_1a(&word);
    step_1b(&word);
    step_1c(&word);
    step_2(&word);
    step_3(&word);
    step_4(&word);
    step_5(&word);
    return word.bytes;
}
