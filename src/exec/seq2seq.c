// SPDX-License-Identifier: Apache-2.0
// Runs of the parts, and what they leave for the next.
#include "exec/seq2seq.h"

#include <string.h>

#include "base/memory.h"
#include "exec/seq2seq_parts.h"
#include "exec/seq2seq_values.h"

// What the encoder made of some sources: a row each, or for each row of a later run.
struct SeqMemory {
    size_t users, rows;
    uint64_t *numbers; // [rows] of each row's source
    Value states, mask;
    Value *cross; // [2 * layers], {0} before the first step
};

struct SeqPast {
    size_t users; // sources
    size_t rows, length;
    int32_t *slots; // [rows] of each row's last token
    SeqMemory *memory;
    Value *self; // [2 * layers]
};

struct Seq2seq {
    Arena arena;
    PartRunner runner;
    PartPlugs plugs[PART_COUNT];
    size_t layers, vocabulary;
    ValuePool pool;
    uint64_t sources; // so far
    HeldTensor *inputs, *outputs;
    Value logits; // of the last step
};

// The rows of a step that are run together.
typedef struct Group {
    const SeqRow *rows;
    const size_t *which; // [count] of the rows
    size_t count;
    SeqPast *past;   // that they continue; NULL: they begin
    size_t *parents; // [count] rows of `past`
    bool in_order;   // rows go on as they lie
} Group;

static Status widths_fill(Seq2seq *s, Error *err) {
    size_t inputs = 0, outputs = 0;
    for (SeqPart part = 0; part < PART_COUNT; part++) {
        const PartShape *shape = &s->runner.shapes[part];
        inputs = shape->input_count > inputs ? shape->input_count : inputs;
        outputs = shape->output_count > outputs ? shape->output_count : outputs;
    }
    TRY_NEW(s->inputs = arena_array(&s->arena, inputs, sizeof *s->inputs, err));
    TRY_NEW(s->outputs = arena_array(&s->arena, outputs, sizeof *s->outputs, err));
    return OK;
}

Status seq2seq_new(const PartRunner *runner, size_t vocabulary, Seq2seq **ret_seq2seq, Error *err) {
    Seq2seq *s = memory_new(1, sizeof *s, err);
    if (!s) {
        runner->free(runner->context);
        return err->status;
    }
    *s = (Seq2seq){.runner = *runner, .vocabulary = vocabulary};
    s->pool.runner = &s->runner;
    arena_init(&s->arena, 0);
    Status status = parts_read(&s->arena, s->runner.shapes, s->plugs, &s->layers, err);
    if (status == OK)
        status = widths_fill(s, err);
    if (status == OK)
        *ret_seq2seq = s;
    else
        seq2seq_free(s);
    return status;
}

void seq2seq_free(Seq2seq *s) {
    if (!s)
        return;
    value_release(&s->pool, &s->logits);
    value_pool_done(&s->pool);
    s->runner.free(s->runner.context);
    arena_done(&s->arena);
    memory_free(s);
}

size_t seq2seq_weight_bytes(const Seq2seq *s) {
    return s->runner.weight_bytes;
}

static void memory_release(Seq2seq *s, SeqMemory *memory) {
    if (!memory || --memory->users)
        return;
    value_release(&s->pool, &memory->states);
    value_release(&s->pool, &memory->mask);
    for (size_t i = 0; memory->cross && i < 2 * s->layers; i++)
        value_release(&s->pool, &memory->cross[i]);
    memory_free(memory->cross);
    memory_free(memory->numbers);
    memory_free(memory);
}

static void past_release(Seq2seq *s, SeqPast *past) {
    if (!past || --past->users)
        return;
    for (size_t i = 0; past->self && i < 2 * s->layers; i++)
        value_release(&s->pool, &past->self[i]);
    memory_release(s, past->memory);
    memory_free(past->self);
    memory_free(past->slots);
    memory_free(past);
}

void seq2seq_forget_past(Seq2seq *s, SeqPast **past) {
    past_release(s, *past);
    *past = NULL;
}

void seq2seq_forget_source(Seq2seq *s, SeqSource *source) {
    memory_release(s, source->memory);
    *source = (SeqSource){0};
}

static Value *values_new(size_t count, Error *err) {
    Value *values = memory_new(count, sizeof *values, err);
    for (size_t i = 0; values && i < count; i++)
        values[i] = (Value){0};
    return values;
}

// Of one user, empty.
static SeqMemory *memory_make(Seq2seq *s, size_t rows, Error *err) {
    SeqMemory *memory = memory_new(1, sizeof *memory, err);
    if (!memory)
        return NULL;
    *memory = (SeqMemory){.users = 1, .rows = rows};
    if ((memory->numbers = memory_new(rows, sizeof *memory->numbers, err)) &&
        (memory->cross = values_new(2 * s->layers, err)))
        return memory;
    memory_release(s, memory);
    return NULL;
}

static SeqPast *past_make(Seq2seq *s, size_t rows, size_t length, Error *err) {
    SeqPast *past = memory_new(1, sizeof *past, err);
    if (!past)
        return NULL;
    *past = (SeqPast){.users = 1, .rows = rows, .length = length};
    if ((past->slots = memory_new(rows, sizeof *past->slots, err)) && (past->self = values_new(2 * s->layers, err)))
        return past;
    past_release(s, past);
    return NULL;
}

// Runs a part on s->inputs. What it gives is s->outputs, each wanted one of `rows` rows; on failure nothing.
static Status part_run(Seq2seq *s, SeqPart part, size_t rows, Error *err) {
    const PartShape *shape = &s->runner.shapes[part];
    const PartPlugs *plugs = &s->plugs[part];
    TRY(s->runner.run(s->runner.context, part, s->inputs, plugs->wanted, s->outputs, err));
    Status status = OK;
    for (size_t i = 0; i < shape->output_count && status == OK; i++) {
        const Shape *given = &s->outputs[i].tensor.shape;
        char text[SHAPE_TEXT_BYTES];
        if (plugs->wanted[i] && (given->rank < 2 || given->dims[0] != (int64_t)rows))
            status = FAIL(err, ERR_FORMAT, "%s: output '%s' is %s for %zu rows", shape->name, shape->outputs[i],
                          shape_text(given, text), rows);
    }
    for (size_t i = 0; i < shape->output_count && status != OK; i++)
        s->runner.release(s->runner.context, &s->outputs[i]);
    return status;
}

// Takes what was given for a plug; {0} where it was not.
static Value output_take(Seq2seq *s, SeqPart part, Plug plug) {
    const PartPlugs *plugs = &s->plugs[part];
    for (size_t i = 0; i < s->runner.shapes[part].output_count; i++)
        if (plugs->wanted[i] && plugs->outputs[i].kind == plug.kind && plugs->outputs[i].index == plug.index) {
            Value value = {.held = s->outputs[i]};
            s->outputs[i] = (HeldTensor){0};
            return value;
        }
    return (Value){0};
}

// Tokens of a source with those that are left out between positions.
static Status item_span(const SeqItem *item, size_t *ret, Error *err) {
    for (size_t t = 1; t < item->tokens && item->positions; t++)
        if (item->positions[t] <= item->positions[t - 1])
            return FAIL(err, ERR_UNSUPPORTED, "positions of a source go from %d to %d, expected ascending ones",
                        item->positions[t - 1], item->positions[t]);
    *ret = item->positions ? (size_t)item->positions[item->tokens - 1] + 1 : item->tokens;
    return OK;
}

static void item_write(const SeqItem *item, int64_t *ids, int64_t *mask) {
    for (size_t t = 0; t < item->tokens; t++) {
        size_t at = item->positions ? (size_t)item->positions[t] : t;
        ids[at] = item->ids[t];
        mask[at] = t < item->keys;
    }
}

static Status encode_run(Seq2seq *s, const SeqItem *items, size_t count, SeqMemory *memory, Value *ids, Error *err) {
    Shape shape = {2, {(int64_t)count, 0}};
    for (size_t i = 0; i < count; i++) {
        size_t span = 0;
        TRY(item_span(&items[i], &span, err));
        shape.dims[1] = (int64_t)span > shape.dims[1] ? (int64_t)span : shape.dims[1];
    }
    TRY(value_new(&s->pool, DTYPE_I64, &shape, ids, err));
    TRY(value_new(&s->pool, DTYPE_I64, &shape, &memory->mask, err));
    memset(ids->held.data, 0, ids->held.tensor.bytes);
    memset(memory->mask.held.data, 0, memory->mask.held.tensor.bytes);
    for (size_t i = 0; i < count; i++) {
        size_t first = i * (size_t)shape.dims[1];
        item_write(&items[i], (int64_t *)ids->held.data + first, (int64_t *)memory->mask.held.data + first);
        memory->numbers[i] = ++s->sources;
    }
    const PartPlugs *plugs = &s->plugs[PART_ENCODER];
    for (size_t i = 0; i < s->runner.shapes[PART_ENCODER].input_count; i++)
        s->inputs[i] = plugs->inputs[i].kind == PLUG_IDS ? ids->held : memory->mask.held;
    TRY(part_run(s, PART_ENCODER, count, err));
    memory->states = output_take(s, PART_ENCODER, (Plug){PLUG_STATES, 0});
    const Shape *states = &memory->states.held.tensor.shape;
    if (states->rank != 3 || states->dims[1] != shape.dims[1])
        return FAIL(err, ERR_FORMAT, "%s: states of %lld tokens have %lld rows", s->runner.shapes[PART_ENCODER].name,
                    (long long)shape.dims[1], (long long)states->dims[1]);
    return OK;
}

Status seq2seq_encode(Seq2seq *s, const SeqItem *items, size_t count, Error *err) {
    SeqMemory *memory = memory_make(s, count, err);
    TRY_NEW(memory);
    Value ids = {0};
    Status status = encode_run(s, items, count, memory, &ids, err);
    value_release(&s->pool, &ids);
    for (size_t i = 0; i < count && status == OK; i++) {
        memory->users++;
        *items[i].source = (SeqSource){memory, i};
    }
    memory_release(s, memory);
    return status;
}

// What begins: the encoder's rows as they lie where they are just these, else gathered, the shorter ones masked.
static Status memory_begin(Seq2seq *s, const Group *group, SeqMemory **ret, Error *err) {
    const SeqSource *first = group->rows[group->which[0]].source;
    bool same = first->memory->rows == group->count;
    for (size_t r = 0; r < group->count && same; r++) {
        const SeqSource *source = group->rows[group->which[r]].source;
        same = source->memory == first->memory && source->row == r;
    }
    if (same) {
        first->memory->users++;
        *ret = first->memory;
        return OK;
    }
    SeqMemory *memory = memory_make(s, group->count, err);
    TRY_NEW(memory);
    const Value **from = memory_new(2 * group->count, sizeof *from, err);
    Status status = from ? OK : err->status;
    for (size_t r = 0; r < group->count && status == OK; r++) {
        const SeqSource *source = group->rows[group->which[r]].source;
        group->parents[r] = source->row;
        from[r] = &source->memory->states;
        from[group->count + r] = &source->memory->mask;
        memory->numbers[r] = source->memory->numbers[source->row];
    }
    if (status == OK)
        status = value_gather_padded(&s->pool, from, group->parents, group->count, &memory->states, err);
    if (status == OK)
        status = value_gather_padded(&s->pool, from + group->count, group->parents, group->count, &memory->mask, err);
    memory_free(from);
    if (status != OK)
        memory_release(s, memory);
    else
        *ret = memory;
    return status;
}

// What goes on: the same rows, or those of the parents where some go on with another source.
static Status memory_continue(Seq2seq *s, const Group *group, SeqMemory **ret, Error *err) {
    SeqMemory *before = group->past->memory;
    bool same = before->rows == group->count;
    for (size_t r = 0; r < group->count && same; r++)
        same = before->numbers[group->parents[r]] == before->numbers[r];
    if (same) {
        before->users++;
        *ret = before;
        return OK;
    }
    SeqMemory *memory = memory_make(s, group->count, err);
    TRY_NEW(memory);
    for (size_t r = 0; r < group->count; r++)
        memory->numbers[r] = before->numbers[group->parents[r]];
    Status status = value_gather(&s->pool, &before->states, group->parents, group->count, &memory->states, err);
    if (status == OK)
        status = value_gather(&s->pool, &before->mask, group->parents, group->count, &memory->mask, err);
    for (size_t i = 0; i < 2 * s->layers && status == OK; i++)
        status = value_gather(&s->pool, &before->cross[i], group->parents, group->count, &memory->cross[i], err);
    if (status != OK)
        memory_release(s, memory);
    else
        *ret = memory;
    return status;
}

// Keys and values that a first step takes only where it shares a file with the others, and does not read: one token of
// zeros, as optimum gives. Where layers have unlike heads, the file tells no width.
static Status nothing_make(Seq2seq *s, SeqPart part, size_t input, size_t rows, Value *ret, Error *err) {
    const OrtInput *wanted = &s->runner.shapes[part].inputs[input];
    Shape shape = {wanted->rank > 0 ? wanted->rank : 4, {(int64_t)rows}};
    for (int i = 1; i < shape.rank; i++)
        shape.dims[i] = wanted->rank > i && wanted->dims[i] > 0 ? wanted->dims[i] : 1;
    TRY(value_new(&s->pool, wanted->dtype, &shape, ret, err));
    memset(ret->held.data, 0, ret->held.tensor.bytes);
    return OK;
}

// The values of a step that are made for it alone.
typedef struct StepValues {
    Value ids;
    Value *made; // [input_count]
} StepValues;

static Status input_fill(Seq2seq *s, const Group *group, const SeqMemory *memory, size_t input, StepValues *values,
                         Error *err) {
    static const bool branches[] = {false, true};
    SeqPart part = group->past ? PART_NEXT : PART_FIRST;
    Plug plug = s->plugs[part].inputs[input];
    const Value *value = NULL;
    if (plug.kind == PLUG_IDS)
        value = &values->ids;
    else if (plug.kind == PLUG_MASK)
        value = &memory->mask;
    else if (plug.kind == PLUG_STATES)
        value = &memory->states;
    else if (plug.kind == PLUG_BRANCH)
        s->inputs[input] =
            (HeldTensor){.tensor = {"", DTYPE_BOOL, {1, {1}}, &branches[group->past != NULL], sizeof *branches}};
    else if (!group->past) {
        TRY(nothing_make(s, part, input, group->count, &values->made[input], err));
        value = &values->made[input];
    } else if (plug.kind == PLUG_CROSS)
        value = &memory->cross[plug.index];
    else if (group->in_order)
        value = &group->past->self[plug.index];
    else {
        TRY(value_gather(&s->pool, &group->past->self[plug.index], group->parents, group->count, &values->made[input],
                         err));
        value = &values->made[input];
    }
    if (value)
        s->inputs[input] = value->held;
    return OK;
}

static Status inputs_fill(Seq2seq *s, const Group *group, const SeqMemory *memory, StepValues *values, Error *err) {
    SeqPart part = group->past ? PART_NEXT : PART_FIRST;
    Shape shape = {2, {(int64_t)group->count, 1}};
    TRY(value_new(&s->pool, DTYPE_I64, &shape, &values->ids, err));
    for (size_t r = 0; r < group->count; r++)
        ((int64_t *)values->ids.held.data)[r] = group->rows[group->which[r]].token;
    TRY_NEW(values->made = values_new(s->runner.shapes[part].input_count, err));
    for (size_t i = 0; i < s->runner.shapes[part].input_count; i++)
        TRY(input_fill(s, group, memory, i, values, err));
    return OK;
}

static Status logits_check(const Seq2seq *s, SeqPart part, const Value *logits, Error *err) {
    const Tensor *tensor = &logits->held.tensor;
    char text[SHAPE_TEXT_BYTES];
    bool good = tensor->dtype == DTYPE_F32 && tensor->shape.rank == 3 && tensor->shape.dims[1] == 1 &&
                tensor->shape.dims[2] == (int64_t)s->vocabulary;
    return good ? OK
                : FAIL(err, ERR_UNSUPPORTED, "%s: logits of one token are %s%s, expected f32 and %zu words",
                       s->runner.shapes[part].name, dtype_name(tensor->dtype), shape_text(&tensor->shape, text),
                       s->vocabulary);
}

// From s->outputs to what the next step goes on with.
static Status outputs_take(Seq2seq *s, SeqPart part, SeqPast *next, Value *ret_logits, Error *err) {
    *ret_logits = output_take(s, part, (Plug){PLUG_LOGITS, 0});
    for (size_t i = 0; i < 2 * s->layers; i++) {
        next->self[i] = output_take(s, part, (Plug){PLUG_SELF, i});
        if (part != PART_FIRST)
            continue;
        value_release(&s->pool, &next->memory->cross[i]); // there already where sources are shared
        next->memory->cross[i] = output_take(s, part, (Plug){PLUG_CROSS, i});
    }
    return logits_check(s, part, ret_logits, err);
}

static Status group_step(Seq2seq *s, const Group *group, SeqPast *next, Value *ret_logits, Error *err) {
    SeqPart part = group->past ? PART_NEXT : PART_FIRST;
    TRY(group->past ? memory_continue(s, group, &next->memory, err) : memory_begin(s, group, &next->memory, err));
    StepValues values = {0};
    Status status = inputs_fill(s, group, next->memory, &values, err);
    if (status == OK)
        status = part_run(s, part, group->count, err);
    if (status == OK)
        status = outputs_take(s, part, next, ret_logits, err);
    value_release(&s->pool, &values.ids);
    for (size_t i = 0; values.made && i < s->runner.shapes[part].input_count; i++)
        value_release(&s->pool, &values.made[i]);
    memory_free(values.made);
    return status;
}

static Status group_run(Seq2seq *s, const Group *group, Value *ret_logits, Error *err) {
    SeqPast *next = past_make(s, group->count, group->past ? group->past->length + 1 : 1, err);
    TRY_NEW(next);
    Status status = group_step(s, group, next, ret_logits, err);
    for (size_t r = 0; r < group->count && status == OK; r++) {
        const SeqRow *row = &group->rows[group->which[r]];
        next->slots[r] = row->slot;
        if (*row->past == next)
            continue;
        past_release(s, *row->past);
        *row->past = next;
        next->users++;
    }
    past_release(s, next);
    return status;
}

// The row of the past whose last token is the parent; mostly it lies where the row lies.
static Status parent_find(const SeqPast *past, const SeqRow *row, size_t likely, size_t *ret, Error *err) {
    for (size_t i = 0; i < past->rows && row->position == past->length; i++) {
        size_t at = (likely + i) % past->rows;
        if (past->slots[at] == row->parent_slot) {
            *ret = at;
            return OK;
        }
    }
    return FAIL(err, ERR_UNSUPPORTED,
                "token %zu of a sequence does not follow its token of the step before, which is all that a model in "
                "parts can go on with",
                row->position);
}

static Status group_fill(Group *group, Error *err) {
    group->in_order = group->past && group->past->rows == group->count;
    for (size_t r = 0; r < group->count; r++) {
        const SeqRow *row = &group->rows[group->which[r]];
        if (group->past)
            TRY(parent_find(group->past, row, r, &group->parents[r], err));
        else if (row->position)
            return FAIL(err, ERR_UNSUPPORTED, "a sequence begins with token %zu, expected 0", row->position);
        group->in_order &= group->past && group->parents[r] == r;
    }
    return OK;
}

// Logits of a group to their places among those of the step; places[row] is SIZE_MAX where nobody wants them.
static void logits_place(const Seq2seq *s, const Group *group, const Value *logits, const size_t *places, float *to) {
    const float *from = logits->held.tensor.data;
    for (size_t r = 0; r < group->count; r++)
        if (places[group->which[r]] != SIZE_MAX)
            memcpy(to + places[group->which[r]] * s->vocabulary, from + r * s->vocabulary,
                   s->vocabulary * sizeof *from);
}

// Runs all groups; `lists` is room for four numbers a row.
static Status groups_run(Seq2seq *s, const SeqRow *rows, size_t count, size_t *lists, Error *err) {
    size_t *which = lists, *places = lists + count, *taken = lists + 2 * count, wanted = 0;
    for (size_t r = 0; r < count; r++) {
        places[r] = rows[r].wants_logits ? wanted++ : SIZE_MAX;
        taken[r] = false;
    }
    for (size_t first = 0; first < count; first++) {
        if (taken[first])
            continue;
        Group group = {.rows = rows, .which = which, .past = *rows[first].past, .parents = lists + 3 * count};
        for (size_t r = first; r < count; r++)
            if (!taken[r] && *rows[r].past == group.past) {
                taken[r] = true;
                which[group.count++] = r;
            }
        TRY(group_fill(&group, err));
        bool alone = group.count == count && wanted == count;
        if (!alone && !s->logits.block) {
            Shape shape = {2, {(int64_t)wanted, (int64_t)s->vocabulary}};
            TRY(value_new(&s->pool, DTYPE_F32, &shape, &s->logits, err));
        }
        Value logits = {0};
        Status status = group_run(s, &group, alone ? &s->logits : &logits, err);
        if (status == OK && !alone)
            logits_place(s, &group, &logits, places, s->logits.held.data);
        value_release(&s->pool, &logits);
        TRY(status);
    }
    return OK;
}

Status seq2seq_decode(Seq2seq *s, const SeqRow *rows, size_t count, float **ret_logits, Error *err) {
    value_release(&s->pool, &s->logits);
    size_t *lists = memory_new(4 * count, sizeof *lists, err);
    TRY_NEW(lists);
    Status status = groups_run(s, rows, count, lists, err);
    memory_free(lists);
    if (status == OK)
        *ret_logits = s->logits.held.data;
    return status;
}
