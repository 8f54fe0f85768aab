// SPDX-License-Identifier: Apache-2.0
// The pickle machine: one handler per kind of opcode, driven by opcodes.def. Handlers see `m->at` behind their opcode.
#include "format/torch/pickle.h"

#include <string.h>

#include "base/memory.h"

typedef struct Machine {
    Arena *arena;
    Bytes text;
    size_t at, opcode_at;
    PickleValue **stack, **memo;
    size_t depth, stack_capacity, memo_capacity, memo_next;
    size_t marks[PICKLE_MOST_MARKS]; // stack depth at each mark
    size_t mark_count, storage_capacity, value_count;
    bool stopped;
    Pickle *result;
} Machine;

// ---- the bytes

static Status take(Machine *m, size_t bytes, const unsigned char **ret, Error *err) {
    if (bytes > m->text.size - m->at)
        return FAIL(err, ERR_FORMAT, "needs %zu bytes, but the pickle ends after %zu", bytes, m->text.size - m->at);
    *ret = m->text.data + m->at;
    m->at += bytes;
    return OK;
}

// An unsigned little-endian number of `bytes` bytes.
static Status take_number(Machine *m, size_t bytes, uint64_t *ret, Error *err) {
    const unsigned char *p = NULL;
    TRY(take(m, bytes, &p, err));
    uint64_t value = 0;
    for (size_t i = bytes; i-- > 0;)
        value = value << 8 | p[i];
    *ret = value;
    return OK;
}

// ---- stack and values

// Doubles an array of pointers in the arena so that index `need - 1` exists; the new part is zeroed.
static Status grow(Arena *arena, PickleValue ***array, size_t *capacity, size_t need, Error *err) {
    if (need <= *capacity)
        return OK;
    size_t wanted = *capacity ? *capacity * 2 : 16;
    while (wanted < need)
        wanted *= 2;
    PickleValue **larger = arena_array(arena, wanted, sizeof *larger, err);
    TRY_NEW(larger);
    if (*capacity)
        memcpy(larger, *array, *capacity * sizeof *larger);
    *array = larger;
    *capacity = wanted;
    return OK;
}

static Status push(Machine *m, PickleValue *value, Error *err) {
    if (m->depth == PICKLE_MOST_STACK)
        return FAIL(err, ERR_LIMIT, "more than %d values on the stack", PICKLE_MOST_STACK);
    TRY(grow(m->arena, &m->stack, &m->stack_capacity, m->depth + 1, err));
    m->stack[m->depth++] = value;
    return OK;
}

static Status new_value(Machine *m, PickleValue value, PickleValue **ret, Error *err) {
    if (m->value_count == PICKLE_MOST_VALUES)
        return FAIL(err, ERR_LIMIT, "more than %d values", PICKLE_MOST_VALUES);
    PickleValue *made = arena_alloc(m->arena, sizeof *made, 8, err);
    TRY_NEW(made);
    m->value_count++;
    *made = value;
    *ret = made;
    return OK;
}

static Status push_new(Machine *m, PickleValue value, Error *err) {
    PickleValue *made = NULL;
    TRY(new_value(m, value, &made, err));
    return push(m, made, err);
}

// Values on the stack above the latest mark: nothing may be popped below it.
static size_t available(const Machine *m) {
    return m->depth - (m->mark_count ? m->marks[m->mark_count - 1] : 0);
}

static Status need(const Machine *m, size_t values, Error *err) {
    if (available(m) < values)
        return FAIL(err, ERR_FORMAT, "needs %zu values on the stack, found %zu", values, available(m));
    return OK;
}

static Status pop_value(Machine *m, PickleValue **ret, Error *err) {
    TRY(need(m, 1, err));
    *ret = m->stack[--m->depth];
    return OK;
}

// Takes the latest mark off; the values above it stay on the stack from *ret_first on.
static Status pop_mark_values(Machine *m, size_t *ret_first, Error *err) {
    if (m->mark_count == 0)
        return FAIL(err, ERR_FORMAT, "needs a mark on the stack, found none");
    *ret_first = m->marks[--m->mark_count];
    return OK;
}

// Moves the values from stack index `first` on to the end of a container.
static Status items_move(Machine *m, size_t first, PickleValue *to, Error *err) {
    size_t count = m->depth - first, capacity = to->capacity, total = to->count + count;
    if (total > PICKLE_MOST_VALUES * 4u)
        return FAIL(err, ERR_LIMIT, "more than %u items in one container", PICKLE_MOST_VALUES * 4u);
    if (capacity == 0 && count) { // most containers are filled once: no more room than needed
        TRY_NEW(to->items = arena_array(m->arena, count, sizeof *to->items, err));
        capacity = count;
    }
    TRY(grow(m->arena, &to->items, &capacity, total, err));
    if (count)
        memcpy(to->items + to->count, m->stack + first, count * sizeof *to->items);
    to->capacity = (uint32_t)capacity;
    to->count = total;
    m->depth = first;
    return OK;
}

// A container of the values from stack index `first` on, pushed in their place.
static Status push_container(Machine *m, PickleKind kind, size_t first, Error *err) {
    PickleValue *made = NULL;
    TRY(new_value(m, (PickleValue){.kind = kind}, &made, err));
    TRY(items_move(m, first, made, err));
    return push(m, made, err);
}

// ---- handlers

static Status run_protocol(Machine *m, int parameter, Error *err) {
    (void)parameter;
    uint64_t version = 0;
    TRY(take_number(m, 1, &version, err));
    if (version < 2 || version > 5)
        return FAIL(err, ERR_UNSUPPORTED, "protocol %d; 2 to 5 are read", (int)version);
    return OK;
}

static Status run_frame(Machine *m, int parameter, Error *err) {
    uint64_t bytes = 0;
    (void)parameter;
    TRY(take_number(m, 8, &bytes, err));
    if (bytes > m->text.size - m->at)
        return FAIL(err, ERR_FORMAT, "a frame of %llu bytes, but the pickle ends after %zu", (unsigned long long)bytes,
                    m->text.size - m->at);
    return OK;
}

static Status run_stop(Machine *m, int parameter, Error *err) {
    (void)parameter;
    PickleValue *root = NULL;
    TRY(pop_value(m, &root, err));
    if (m->depth || m->mark_count)
        return FAIL(err, ERR_FORMAT, "%zu values and %zu marks are left on the stack", m->depth, m->mark_count);
    m->result->root = root;
    m->stopped = true;
    return OK;
}

static Status run_mark(Machine *m, int parameter, Error *err) {
    (void)parameter;
    if (m->mark_count == PICKLE_MOST_MARKS)
        return FAIL(err, ERR_LIMIT, "nested more than %d deep", PICKLE_MOST_MARKS);
    m->marks[m->mark_count++] = m->depth;
    return OK;
}

static Status run_pop(Machine *m, int parameter, Error *err) {
    (void)parameter;
    if (m->mark_count && available(m) == 0) { // as Python: a POP on a mark takes the mark
        m->mark_count--;
        return OK;
    }
    PickleValue *value = NULL;
    return pop_value(m, &value, err);
}

static Status run_pop_mark(Machine *m, int parameter, Error *err) {
    (void)parameter;
    return pop_mark_values(m, &m->depth, err);
}

static Status run_constant(Machine *m, int parameter, Error *err) {
    static const PickleValue constants[] = {
        {.kind = PICKLE_NONE}, {.kind = PICKLE_BOOL}, {.kind = PICKLE_BOOL, .integer = 1}};
    return push(m, (PickleValue *)&constants[parameter], err); // handlers write to containers only
}

static Status run_integer(Machine *m, int parameter, Error *err) {
    uint64_t value = 0;
    TRY(take_number(m, (size_t)parameter, &value, err));
    return push_new(
        m, (PickleValue){.kind = PICKLE_INTEGER, .integer = parameter == 4 ? (int32_t)value : (int64_t)value}, err);
}

static Status run_long(Machine *m, int parameter, Error *err) {
    uint64_t bytes = 0, value = 0;
    const unsigned char *p = NULL;
    TRY(take_number(m, (size_t)parameter, &bytes, err));
    TRY(take(m, (size_t)bytes, &p, err));
    if (bytes > 8)
        return push_new(m, (PickleValue){.kind = PICKLE_LONG, .text = {p, (size_t)bytes}}, err);
    if (bytes && p[bytes - 1] & 0x80)
        value = UINT64_MAX;
    for (size_t i = (size_t)bytes; i-- > 0;)
        value = value << 8 | p[i];
    return push_new(m, (PickleValue){.kind = PICKLE_INTEGER, .integer = (int64_t)value}, err);
}

static Status run_real(Machine *m, int parameter, Error *err) {
    const unsigned char *p = NULL;
    TRY(take(m, (size_t)parameter, &p, err));
    uint64_t bits = 0; // big-endian, the one such number in the format
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | p[i];
    PickleValue value = {.kind = PICKLE_REAL};
    memcpy(&value.real, &bits, sizeof value.real);
    return push_new(m, value, err);
}

static Status run_text(Machine *m, int parameter, Error *err) {
    uint64_t bytes = 0;
    const unsigned char *p = NULL;
    TRY(take_number(m, (size_t)parameter & 15, &bytes, err));
    TRY(take(m, (size_t)bytes, &p, err));
    return push_new(m, (PickleValue){.kind = (PickleKind)(parameter >> 4), .text = {p, (size_t)bytes}}, err);
}

static Status run_empty(Machine *m, int parameter, Error *err) {
    return push_container(m, (PickleKind)parameter, m->depth, err);
}

static Status run_tuple(Machine *m, int parameter, Error *err) {
    TRY(need(m, (size_t)parameter, err));
    return push_container(m, PICKLE_TUPLE, m->depth - (size_t)parameter, err);
}

static Status run_gather(Machine *m, int parameter, Error *err) {
    size_t first = 0;
    TRY(pop_mark_values(m, &first, err));
    return push_container(m, (PickleKind)parameter, first, err);
}

// APPEND, APPENDS, ADDITEMS, SETITEM, SETITEMS: the container lies below the new items. Parameter: items, 0 for "from
// the mark on". What is added to a foreign object is dropped: nobody will look at it.
static Status run_append(Machine *m, int parameter, Error *err) {
    size_t first = 0;
    if (parameter) {
        TRY(need(m, (size_t)parameter, err));
        first = m->depth - (size_t)parameter;
    } else {
        TRY(pop_mark_values(m, &first, err));
    }
    if (first == (m->mark_count ? m->marks[m->mark_count - 1] : 0))
        return FAIL(err, ERR_FORMAT, "needs a container on the stack, found none");
    PickleValue *to = m->stack[first - 1];
    bool pairs = m->text.data[m->opcode_at] == 's' || m->text.data[m->opcode_at] == 'u';
    if (to->kind == PICKLE_CALL) {
        m->depth = first;
        return OK;
    }
    if (pairs ? to->kind != PICKLE_DICT : to->kind != PICKLE_LIST && to->kind != PICKLE_SET)
        return FAIL(err, ERR_FORMAT, "cannot add items to %s", pickle_kind_name(to));
    if (pairs && (m->depth - first) % 2)
        return FAIL(err, ERR_FORMAT, "a key without a value");
    return items_move(m, first, to, err);
}

// ---- globals

static const PickleGlobal globals[] = {
#define GLOBAL(module, name, meaning, dtype) {module, name, meaning, dtype},
#include "format/torch/globals.def"
#undef GLOBAL
};

static bool text_is(Bytes text, const char *expected) {
    return strlen(expected) == text.size && memcmp(text.data, expected, text.size) == 0;
}

// No state dict ever names these; a pickle that does was made to run a program in Python's loader. Nothing runs here in
// any case, but the owner of such a file should hear of it.
static bool names_attack(Bytes module, Bytes name) {
    static const char *const modules[] = {"os",       "posix",     "nt",     "subprocess", "sys",
                                          "shutil",   "socket",    "runpy",  "pty",        "code",
                                          "commands", "importlib", "ctypes", "webbrowser", "_posixsubprocess"};
    static const char *const names[] = {"eval", "exec",       "execfile", "compile",
                                        "open", "__import__", "input",    "breakpoint"};
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++)
        if (text_is(module, modules[i]))
            return true;
    if (!text_is(module, "builtins") && !text_is(module, "__builtin__"))
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (text_is(name, names[i]))
            return true;
    return false;
}

static Status foreign_make(Machine *m, Bytes module, Bytes name, const PickleGlobal **ret, Error *err) {
    Pickle *result = m->result;
    for (size_t i = 0; i < result->foreign_count; i++)
        if (text_is(module, result->foreign[i]->module) && text_is(name, result->foreign[i]->name)) {
            *ret = result->foreign[i];
            return OK;
        }
    PickleGlobal *made = arena_array(m->arena, 1, sizeof *made, err);
    TRY_NEW(made);
    made->meaning = GLOBAL_FOREIGN;
    TRY_NEW(made->module = arena_copy_text(m->arena, (const char *)module.data, module.size, err));
    TRY_NEW(made->name = arena_copy_text(m->arena, (const char *)name.data, name.size, err));
    if (result->foreign_count < PICKLE_MOST_FOREIGN)
        result->foreign[result->foreign_count++] = made;
    *ret = made;
    return OK;
}

static Status push_global(Machine *m, Bytes module, Bytes name, Error *err) {
    if (module.size > 200 || name.size > 200)
        return FAIL(err, ERR_LIMIT, "the name of a global has %zu bytes, at most 200 are read",
                    module.size > name.size ? module.size : name.size);
    if (names_attack(module, name))
        return FAIL(err, ERR_FORMAT,
                    "the pickle names '%.*s.%.*s', which no model needs: the file was made to run a program where it "
                    "is loaded with Python (nothing was run here)",
                    (int)module.size, (const char *)module.data, (int)name.size, (const char *)name.data);
    const PickleGlobal *global = NULL;
    for (size_t i = 0; i < sizeof globals / sizeof *globals && !global; i++)
        if (text_is(module, globals[i].module) && text_is(name, globals[i].name))
            global = &globals[i];
    if (!global)
        TRY(foreign_make(m, module, name, &global, err));
    return push_new(m, (PickleValue){.kind = PICKLE_GLOBAL, .global = global}, err);
}

static Status take_line(Machine *m, Bytes *ret, Error *err) {
    const unsigned char *start = m->text.data + m->at, *end = memchr(start, '\n', m->text.size - m->at);
    if (!end)
        return FAIL(err, ERR_FORMAT, "a line without an end");
    *ret = (Bytes){start, (size_t)(end - start)};
    m->at += ret->size + 1;
    return OK;
}

static Status run_global(Machine *m, int parameter, Error *err) {
    (void)parameter;
    Bytes module = {0}, name = {0};
    TRY(take_line(m, &module, err));
    TRY(take_line(m, &name, err));
    return push_global(m, module, name, err);
}

static Status run_stack_global(Machine *m, int parameter, Error *err) {
    (void)parameter;
    TRY(need(m, 2, err));
    m->depth -= 2;
    const PickleValue *module = m->stack[m->depth], *name = m->stack[m->depth + 1];
    if (module->kind != PICKLE_TEXT || name->kind != PICKLE_TEXT)
        return FAIL(err, ERR_FORMAT, "needs two strings, found %s and %s", pickle_kind_name(module),
                    pickle_kind_name(name));
    return push_global(m, module->text, name->text, err);
}

// ---- calls

// dict(), OrderedDict([(key, value), ...]): the pairs as a dict.
static Status push_dict(Machine *m, const PickleValue *arguments, Error *err) {
    const PickleValue *pairs = pickle_item(arguments, 0);
    PickleValue *dict = NULL;
    TRY(new_value(m, (PickleValue){.kind = PICKLE_DICT}, &dict, err));
    size_t first = m->depth, count = pairs && pairs->kind == PICKLE_LIST ? pairs->count : 0;
    for (size_t i = 0; i < count; i++) {
        const PickleValue *pair = pairs->items[i];
        if (!pickle_item(pair, 1) || pair->count != 2)
            return FAIL(err, ERR_FORMAT, "a dict is made of %s, expected pairs", pickle_kind_name(pair));
        TRY(push(m, pair->items[0], err));
        TRY(push(m, pair->items[1], err));
    }
    TRY(items_move(m, first, dict, err));
    return push(m, dict, err);
}

// REDUCE and NEWOBJ: callee, arguments -> call. NEWOBJ_EX has keyword arguments on top, which no tensor needs.
static Status run_call(Machine *m, int parameter, Error *err) {
    TRY(need(m, 2 + (size_t)parameter, err));
    m->depth -= (size_t)parameter;
    const PickleValue *callee = m->stack[m->depth - 2], *arguments = m->stack[m->depth - 1];
    if (arguments->kind != PICKLE_TUPLE)
        return FAIL(err, ERR_FORMAT, "the arguments of a call are %s, expected a tuple", pickle_kind_name(arguments));
    if (callee->kind == PICKLE_GLOBAL && callee->global->meaning == GLOBAL_DICT) {
        m->depth -= 2;
        return push_dict(m, arguments, err);
    }
    return push_container(m, PICKLE_CALL, m->depth - 2, err);
}

// Attributes for the object below them: a dict's (`_metadata`) and foreign objects' are not looked at.
static Status run_build(Machine *m, int parameter, Error *err) {
    (void)parameter;
    TRY(need(m, 2, err));
    m->depth--;
    PickleKind kind = m->stack[m->depth - 1]->kind;
    if (kind != PICKLE_DICT && kind != PICKLE_CALL)
        return FAIL(err, ERR_FORMAT, "attributes for %s, expected an object", pickle_kind_name(m->stack[m->depth - 1]));
    return OK;
}

static Status run_persistent(Machine *m, int parameter, Error *err) {
    (void)parameter;
    TRY(need(m, 1, err));
    TRY(push_container(m, PICKLE_PERSISTENT, m->depth - 1, err));
    PickleValue **storages = (PickleValue **)m->result->storages;
    TRY(grow(m->arena, &storages, &m->storage_capacity, m->result->storage_count + 1, err));
    m->result->storages = (const PickleValue **)storages;
    m->result->storages[m->result->storage_count++] = m->stack[m->depth - 1];
    return OK;
}

// ---- memo

static Status run_get(Machine *m, int parameter, Error *err) {
    uint64_t index = 0;
    TRY(take_number(m, (size_t)parameter, &index, err));
    if (index >= m->memo_capacity || !m->memo[index])
        return FAIL(err, ERR_FORMAT, "nothing was remembered under %llu", (unsigned long long)index);
    return push(m, m->memo[index], err);
}

static Status run_put(Machine *m, int parameter, Error *err) {
    uint64_t index = m->memo_next;
    if (parameter)
        TRY(take_number(m, (size_t)parameter, &index, err));
    TRY(need(m, 1, err));
    if (index >= PICKLE_MOST_MEMO)
        return FAIL(err, ERR_LIMIT, "number %llu of things remembered; at most %d", (unsigned long long)index,
                    PICKLE_MOST_MEMO);
    TRY(grow(m->arena, &m->memo, &m->memo_capacity, (size_t)index + 1, err));
    m->memo_next += !m->memo[index];
    m->memo[index] = m->stack[m->depth - 1];
    return OK;
}

static Status run_refused(Machine *m, int parameter, Error *err) {
    (void)m, (void)parameter;
    return FAIL(err, ERR_UNSUPPORTED, "no opcode that torch.save writes with protocols 2 to 4");
}

// ---- the loop

static const struct {
    const char *name;
    Status (*run)(Machine *m, int parameter, Error *err);
    int parameter;
} opcodes[256] = {
#define OPCODE(code, name, run, parameter) [code] = {#name, run_##run, parameter},
#include "format/torch/opcodes.def"
#undef OPCODE
};

static Status machine_run(Machine *m, Error *err) {
    while (!m->stopped) {
        m->opcode_at = m->at;
        if (m->at == m->text.size)
            return FAIL(err, ERR_FORMAT, "the pickle ends at byte %zu without a STOP", m->at);
        unsigned char code = m->text.data[m->at++];
        if (!opcodes[code].run)
            return FAIL(err, ERR_FORMAT, "byte %zu of the pickle: 0x%02x is no opcode", m->opcode_at, code);
        if (opcodes[code].run(m, opcodes[code].parameter, err) != OK)
            return error_context(err, "byte %zu of the pickle, %s", m->opcode_at, opcodes[code].name);
    }
    return OK;
}

Status pickle_read(Arena *arena, Bytes text, Pickle *ret_pickle, Error *err) {
    Pickle result = {0};
    Machine m = {.arena = arena, .text = text, .result = &result};
    TRY(machine_run(&m, err));
    result.bytes = m.at;
    *ret_pickle = result;
    return OK;
}
