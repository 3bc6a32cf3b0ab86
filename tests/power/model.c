/* SPDX-License-Identifier: Apache-2.0 */
/* What may be found after a crash. */
#include "tests/power/model.h"

#include "common/base/assert.h"

#include <string.h>

uint64_t history_newest(const struct history *history)
{
    return history->values[history->count - 1].serial;
}

bool history_is_full(const struct history *history)
{
    return history->count == MODEL_VALUES;
}

void history_ask(struct history *history, uint64_t serial)
{
    ASSERT(!history_is_full(history));
    history->values[history->count++] = (struct value){.serial = serial, .acked = MODEL_NEVER};
}

void history_ack(struct history *history, uint64_t now)
{
    history->values[history->count - 1].acked = now;
    history->unknown = false;
}

/* Those before are not there any more. */
static void history_begin_at(struct history *history, uint32_t first)
{
    history->count -= first;
    memmove(history->values, history->values + first, history->count * sizeof(*history->values));
}

static void history_flushed(struct history *history, uint64_t asked)
{
    for (uint32_t i = history->count; i > 0; i--) {
        if (history->values[i - 1].acked <= asked) {
            history->stained = history->unknown || (history->stained && i < history->count);
            history_begin_at(history, i - 1);
            return;
        }
    }
}

void history_certain(struct history *history)
{
    history_begin_at(history, history->count - 1);
    history->unknown = history->stained = false;
}

void history_failed(struct history *history)
{
    history->unknown = history->stained = true;
}

bool history_is_open(const struct history *history, bool killed)
{
    return killed ? history->unknown : history->stained;
}

bool history_has(const struct history *history, uint64_t serial, bool killed)
{
    for (uint32_t i = history->count; i > 0; i--) {
        if (history->values[i - 1].serial == serial)
            return true;
        /* What was answered survives the process. */
        if (killed && history->values[i - 1].acked != MODEL_NEVER)
            return false;
    }
    return false;
}

void history_found(struct history *history, uint64_t serial, bool killed)
{
    while (history->values[history->count - 1].serial != serial) {
        history->count--;
        ASSERT(history->count > 0);
    }
    history->values[history->count - 1].acked = 0;
    if (!killed)
        history_certain(history);
}

struct generation *model_head(struct volume *volume)
{
    for (uint32_t i = 0; i < volume->count; i++) {
        struct generation *g = &volume->generations[i];
        if (g->sealed == MODEL_NEVER && g->dropped == MODEL_NEVER)
            return g;
    }
    UNREACHABLE();
}

struct generation *model_find(struct volume *volume, uint64_t number)
{
    for (uint32_t i = 0; i < volume->count; i++) {
        if (volume->generations[i].number == number)
            return &volume->generations[i];
    }
    return NULL;
}

static struct generation *model_begin(struct volume *volume, const struct generation *from,
                                      uint64_t number)
{
    ASSERT(volume->count < MODEL_GENERATIONS);
    struct generation *g = &volume->generations[volume->count++];
    g->number = number;
    g->born = volume->command;
    g->sealed = g->dropped = MODEL_NEVER;
    for (uint32_t b = 0; b < MODEL_BLOCKS; b++) {
        uint64_t serial = from ? history_newest(&from->blocks[b]) : 0;
        g->blocks[b] = (struct history){.values = {{.serial = serial}}, .count = 1};
        if (from) {
            g->blocks[b].unknown = from->blocks[b].unknown;
            g->blocks[b].stained = from->blocks[b].stained;
        }
    }
    return g;
}

struct volume *model_create(struct model *model, const struct volume *origin,
                            const struct generation *from)
{
    for (uint32_t i = 0; i < MODEL_VOLUMES; i++) {
        struct volume *volume = &model->volumes[i];
        if (volume->exists || volume->appears)
            continue;
        memset(volume, 0, sizeof(*volume));
        volume->appears = true;
        volume->uuid.bytes[0] = 0x70;
        volume->uuid.bytes[15] = (uint8_t)++model->uuids;
        volume->uuid.bytes[14] = (uint8_t)(model->uuids >> 8);
        volume->family = origin ? origin->family : ++model->families;
        volume->meta[0].count = volume->meta[1].count = volume->drl.count = 1;
        volume->blocks = origin ? origin->blocks : MODEL_BLOCKS - 2 * MODEL_STEP;
        (void)model_begin(volume, from, 1);
        return volume;
    }
    return NULL;
}

static void note_order(struct model *model, const struct volume *volume)
{
    ASSERT(model->order_count < MODEL_COMMANDS);
    model->orders[model->order_count++] =
        (struct order){.volume = (uint32_t)(volume - model->volumes),
                       .command = volume->command,
                       .acked = MODEL_NEVER};
}

void model_seal(struct model *model, struct volume *volume)
{
    struct generation *head = model_head(volume);
    head->sealed = ++volume->command;
    (void)model_begin(volume, head, head->number + 1);
    note_order(model, volume);
}

void model_drop(struct model *model, struct volume *volume, struct generation *generation)
{
    generation->dropped = ++volume->command;
    note_order(model, volume);
}

void model_revert(struct model *model, struct volume *volume, const struct generation *generation)
{
    struct generation *head = model_head(volume);
    head->dropped = ++volume->command;
    (void)model_begin(volume, generation, head->number + 1);
    note_order(model, volume);
}

void model_ack_command(struct model *model, const struct volume *volume)
{
    struct order *last = &model->orders[model->order_count - 1];
    ASSERT(last->volume == (uint32_t)(volume - model->volumes));
    last->acked = ++model->now;
}

bool model_has_room(const struct model *model, const struct volume *volume)
{
    return model->order_count < MODEL_COMMANDS && volume->count < MODEL_GENERATIONS;
}

/* The volume's first command that no flush covers. */
static uint64_t first_order(const struct model *model, const struct volume *volume)
{
    for (uint32_t i = 0; i < model->order_count; i++) {
        if (&model->volumes[model->orders[i].volume] == volume)
            return model->orders[i].command;
    }
    return volume->command + 1;
}

static void keep_orders(struct model *model, uint32_t family, uint64_t asked)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < model->order_count; i++) {
        const struct order *order = &model->orders[i];
        if (model->volumes[order->volume].family != family || order->acked > asked)
            model->orders[kept++] = *order;
    }
    model->order_count = kept;
}

/* Generations that cannot come back. */
static void forget_dropped(const struct model *model, struct volume *volume)
{
    uint64_t first = first_order(model, volume);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < volume->count; i++) {
        if (volume->generations[i].dropped < first)
            continue;
        if (kept != i)
            volume->generations[kept] = volume->generations[i];
        kept++;
    }
    volume->count = kept;
}

void model_flushed(struct model *model, uint32_t family, uint64_t asked)
{
    keep_orders(model, family, asked);
    for (uint32_t i = 0; i < MODEL_VOLUMES; i++) {
        struct volume *volume = &model->volumes[i];
        if (!volume->exists || volume->family != family)
            continue;
        forget_dropped(model, volume);
        for (uint32_t j = 0; j < volume->count; j++) {
            for (uint32_t b = 0; b < MODEL_BLOCKS; b++)
                history_flushed(&volume->generations[j].blocks[b], asked);
        }
    }
}

void model_gone(struct model *model, struct volume *volume)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < model->order_count; i++) {
        if (&model->volumes[model->orders[i].volume] != volume)
            model->orders[kept++] = model->orders[i];
    }
    model->order_count = kept;
    volume->exists = volume->appears = volume->goes = false;
}

static void add_later(struct generation *head, const struct generation *later)
{
    for (uint32_t b = 0; b < MODEL_BLOCKS; b++) {
        struct history *block = &head->blocks[b];
        const struct history *more = &later->blocks[b];
        for (uint32_t i = 1; i < more->count && !history_is_full(block); i++) {
            block->values[block->count] = more->values[i];
            block->values[block->count++].acked = MODEL_NEVER;
        }
        if (history_is_full(block) || more->stained)
            history_failed(block);
    }
}

/*
 * A head whose seal is lost may show what was written after it: a place that was zeroed before the
 * seal may be used again after it, and it is the same block to whoever wrote it.
 */
static void unseal(struct volume *volume, struct generation *head)
{
    for (uint64_t sealed = head->sealed; sealed != MODEL_NEVER;) {
        const struct generation *later = NULL;
        for (uint32_t i = 0; i < volume->count; i++) {
            if (volume->generations[i].born == sealed)
                later = &volume->generations[i];
        }
        if (!later)
            break;
        add_later(head, later);
        sealed = later->sealed;
    }
    head->sealed = MODEL_NEVER;
}

/* As if later commands had not been given. */
static void roll_back(struct volume *volume, uint64_t command)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < volume->count; i++) {
        struct generation *g = &volume->generations[i];
        if (g->born <= command && g->sealed != MODEL_NEVER && g->sealed > command)
            unseal(volume, g);
    }
    for (uint32_t i = 0; i < volume->count; i++) {
        struct generation *g = &volume->generations[i];
        if (g->born > command)
            continue;
        if (g->dropped > command)
            g->dropped = MODEL_NEVER;
        if (kept != i)
            volume->generations[kept] = *g;
        kept++;
    }
    volume->count = kept;
    volume->command = command;
}

void model_rebuild(struct volume *volume, const struct generation *was, uint32_t was_count)
{
    struct rebuild *rebuild = &volume->rebuild;
    memcpy(rebuild->was, was, was_count * sizeof(*was));
    rebuild->was_count = was_count;
    rebuild->command = volume->command++;
    rebuild->installed = false;
    rebuild->settled = 0;
    memset(rebuild->written, 0, sizeof(rebuild->written));
    for (uint32_t i = 0; i < volume->count; i++) {
        struct generation *g = &volume->generations[i];
        g->born = volume->command;
        g->sealed = i + 1 < volume->count ? volume->command : MODEL_NEVER;
        g->dropped = MODEL_NEVER;
    }
    rebuild->active = true;
}

/* As it was, a place of the head may be the one that is written to. */
void model_rebuild_writes(struct volume *volume, uint32_t block, uint64_t serial)
{
    struct rebuild *rebuild = &volume->rebuild;
    rebuild->written[block] = true;
    for (uint32_t i = 0; i < rebuild->was_count; i++) {
        struct history *history = &rebuild->was[i].blocks[block];
        if (rebuild->was[i].sealed != MODEL_NEVER || history_has(history, serial, false))
            continue;
        if (history_is_full(history))
            history_failed(history);
        else
            history_ask(history, serial);
    }
}

const char *model_rebuild_found(struct volume *volume, uint64_t command, uint64_t incomplete,
                                bool killed)
{
    struct rebuild *rebuild = &volume->rebuild;
    uint64_t from = incomplete ? incomplete : MODEL_NEVER;
    if (command == rebuild->command) {
        rebuild->active = false;
        volume->command = command;
        volume->count = rebuild->was_count;
        memcpy(volume->generations, rebuild->was, rebuild->was_count * sizeof(*rebuild->was));
        for (uint32_t b = 0; b < MODEL_BLOCKS; b++)
            volume->doubtful[b] = rebuild->written[b] ? MODEL_NEVER : volume->doubtful[b];
        return killed && rebuild->installed ? "a new book is lost with the process" : NULL;
    }
    if (command != volume->command)
        return "a command that was never given";
    if (killed && from <= rebuild->settled)
        return "what was settled is lost with the process";
    return NULL;
}

void model_undo_command(struct model *model, struct volume *volume)
{
    ASSERT(model->orders[model->order_count - 1].command == volume->command);
    model->order_count--;
    roll_back(volume, volume->command - 1);
}

/* Of each family a beginning of its commands, at least what was flushed, or answered. */
static const char *check_orders(const struct model *model, const uint64_t *commands, bool killed)
{
    bool ended[MODEL_VOLUMES * 64] = {false};
    for (uint32_t i = 0; i < model->order_count; i++) {
        const struct order *order = &model->orders[i];
        const struct volume *volume = &model->volumes[order->volume];
        bool *end = &ended[volume->family % ARRAY_COUNT(ended)];
        if (!volume->exists && !volume->appears)
            continue;
        bool there = commands[order->volume] >= order->command;
        if (there && *end)
            return "a command is there, and one before it is not";
        if (!there && killed && order->acked != MODEL_NEVER)
            return "a command that was answered is lost with the process";
        *end = *end || !there;
    }
    return NULL;
}

const char *model_roll_back(struct model *model, const uint64_t *commands, bool killed)
{
    const char *wrong = check_orders(model, commands, killed);
    for (uint32_t i = 0; i < MODEL_VOLUMES && !wrong; i++) {
        struct volume *volume = &model->volumes[i];
        if (!volume->exists)
            continue;
        if (commands[i] + 1 < first_order(model, volume))
            return "a command that was flushed is lost";
        if (commands[i] > volume->command)
            return "a command that was never given";
        roll_back(volume, commands[i]);
    }
    if (wrong)
        return wrong;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < model->order_count && killed; i++) {
        struct order *order = &model->orders[i];
        if (commands[order->volume] < order->command)
            continue;
        order->acked = 0;
        model->orders[kept++] = *order;
    }
    model->order_count = kept;
    return NULL;
}

void model_lose_power(struct model *model)
{
    for (uint32_t i = 0; i < model->order_count; i++)
        model->orders[i].acked = MODEL_NEVER;
    for (uint32_t i = 0; i < MODEL_VOLUMES; i++) {
        struct volume *volume = &model->volumes[i];
        volume->rebuild.installed = false;
        volume->rebuild.settled = 0;
        for (uint32_t j = 0; j < volume->count; j++) {
            for (uint32_t b = 0; b < MODEL_BLOCKS; b++) {
                struct history *block = &volume->generations[j].blocks[b];
                for (uint32_t v = 1; v < block->count; v++)
                    block->values[v].acked = MODEL_NEVER;
            }
        }
    }
}
