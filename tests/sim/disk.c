/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a replica host stores: an image for each generation, the table of generations and the book.
 * Commands change the table at once and survive the process; a sync makes durable what was there
 * when it began, table and blocks together; at power loss the table falls back to that, and of the
 * blocks of what it shows each one stored since is kept or lost.
 */
#include "tests/sim/sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_ENTRIES = 3, RUNS_MAX = 5 };

static struct sim_image *image_ref(struct sim_image *image)
{
    image->refs++;
    return image;
}

static void image_unref(struct sim_image *image)
{
    if (image && --image->refs == 0)
        free(image);
}

/* Shows what `base` shows and owns nothing. */
static struct sim_image *image_new(const struct sim_image *base)
{
    struct sim_image *image = calloc(1, sizeof(*image));
    ASSERT(image);
    if (base)
        *image = *base;
    memset(image->own, 0, sizeof(image->own));
    image->refs = 1;
    return image;
}

static void table_ref(struct sim_table *table)
{
    image_ref(table->head);
    for (uint32_t i = 0; i < table->count; i++)
        image_ref(table->rows[i].image);
}

static void table_unref(struct sim_table *table)
{
    image_unref(table->head);
    for (uint32_t i = 0; i < table->count; i++)
        image_unref(table->rows[i].image);
    table->count = 0;
    table->head = NULL;
}

static void table_set(struct sim_table *to, struct sim_table *from)
{
    table_ref(from);
    table_unref(to);
    *to = *from;
}

void disk_init(struct sim_disk *disk)
{
    disk->table.lineage.head_generation = disk->table.lineage.kept_generation = 1;
    disk->table.head = image_new(NULL);
    table_set(&disk->durable, &disk->table);
}

void disk_release(struct sim_disk *disk)
{
    table_unref(&disk->table);
    table_unref(&disk->durable);
    table_unref(&disk->installing);
}

const struct sim_row *disk_row(const struct sim_table *table, uint64_t generation)
{
    for (uint32_t i = 0; i < table->count; i++) {
        if (table->rows[i].generation == generation)
            return &table->rows[i];
    }
    return NULL;
}

static struct sim_row *row_of(struct sim_disk *disk, uint64_t generation)
{
    return (struct sim_row *)(uintptr_t)disk_row(&disk->table, generation);
}

/* ---- blocks ---- */

static void image_harden(struct sim_image *image, uint32_t block, uint64_t id, uint64_t seq)
{
    /* A store that is late does not undo a later one. */
    if (seq <= image->durable_seq[block])
        return;
    image->durable[block] = id;
    image->durable_seq[block] = seq;
}

static void image_store(struct sim_disk *disk, struct sim_image *image, uint32_t block, uint64_t id)
{
    image->cached[block] = id;
    image->bad[block] = false;
    image->cached_seq[block] = ++disk->seq;
    image->unsynced = true;
}

/* What shows through in incomplete generations made from this one. */
static void store_through(struct sim_disk *disk, uint64_t generation, uint32_t block, uint64_t id)
{
    for (uint32_t i = 0; i < disk->table.count; i++) {
        struct sim_row *row = &disk->table.rows[i];
        if (row->base != generation || row->complete || row->image->own[block])
            continue;
        image_store(disk, row->image, block, id);
        store_through(disk, row->generation, block, id);
    }
    if (disk->table.lineage.head_base == generation && !disk->table.head->own[block])
        image_store(disk, disk->table.head, block, id);
}

void disk_rot(struct sim_disk *disk, uint32_t block, uint64_t id, bool bad)
{
    for (uint32_t i = 0; i <= disk->table.count; i++) {
        struct sim_image *image = i ? disk->table.rows[i - 1].image : disk->table.head;
        if (image->cached[block] == id)
            image->bad[block] = bad;
    }
}

void disk_store(struct sim_disk *disk, uint64_t generation, uint32_t block, uint64_t id)
{
    struct sim_row *row = generation ? row_of(disk, generation) : NULL;
    struct sim_image *image = row ? row->image : disk->table.head;
    ASSERT(generation == 0 || row);
    image_store(disk, image, block, id);
    image->own[block] = true;
    if (row)
        store_through(disk, generation, block, id);
}

int disk_writable(struct sim_disk *disk, uint64_t generation)
{
    const struct sim_row *row = disk_row(&disk->table, generation);
    if (generation == 0)
        return 0;
    return !row ? -ENOENT : row->complete ? -EINVAL : 0;
}

const struct sim_image *disk_readable(const struct sim_disk *disk, uint64_t generation,
                                      bool partial)
{
    const struct sim_row *row = disk_row(&disk->table, generation);
    if (generation == 0)
        return disk->table.head;
    return row && (row->complete || partial) ? row->image : NULL;
}

/* ---- durability ---- */

static void point_image(struct sim_point *point, struct sim_image *image)
{
    struct sim_snap *snap = &point->snaps[point->count];
    if (!image->unsynced)
        return;
    snap->image = image_ref(image);
    memcpy(snap->ids, image->cached, sizeof(snap->ids));
    memcpy(snap->seqs, image->cached_seq, sizeof(snap->seqs));
    point->count++;
}

struct sim_point *disk_point(struct sim_disk *disk)
{
    struct sim_point *point = calloc(1, sizeof(*point));
    ASSERT(point);
    table_set(&point->table, &disk->table);
    point->serial = disk->changes;
    point_image(point, disk->table.head);
    for (uint32_t i = 0; i < disk->table.count; i++)
        point_image(point, disk->table.rows[i].image);
    return point;
}

void disk_point_free(struct sim_point *point)
{
    if (!point)
        return;
    for (uint32_t i = 0; i < point->count; i++)
        image_unref(point->snaps[i].image);
    table_unref(&point->table);
    free(point);
}

static void snap_reached(struct sim *sim, const struct sim_snap *snap, bool fails)
{
    struct sim_image *image = snap->image;
    bool clean = true;
    for (uint32_t block = 0; block < SIM_BLOCKS; block++) {
        /* After a failure the kernel calls the pages clean, whatever reached the disk. */
        if (snap->seqs[block] > image->durable_seq[block]) {
            if (!fails || sim_chance(sim, 5000))
                image_harden(image, block, snap->ids[block], snap->seqs[block]);
            else
                image->durable_seq[block] = snap->seqs[block];
        }
        clean = clean && image->cached_seq[block] <= image->durable_seq[block];
    }
    image->unsynced = !clean;
}

void disk_point_reached(struct sim *sim, struct sim_disk *disk, struct sim_point *point, bool fails)
{
    for (uint32_t i = 0; i < point->count; i++)
        snap_reached(sim, &point->snaps[i], fails);
    if (fails || point->serial < disk->durable_changes)
        return;
    table_set(&disk->durable, &point->table);
    disk->durable_changes = point->serial;
}

void disk_fua(struct sim *sim, struct sim_disk *disk)
{
    struct sim_point *point = disk_point(disk);
    disk_point_reached(sim, disk, point, false);
    disk_point_free(point);
}

static void image_power(struct sim *sim, struct sim_image *image)
{
    for (uint32_t block = 0; block < SIM_BLOCKS; block++) {
        if (image->cached_seq[block] > image->durable_seq[block] && sim_chance(sim, 5000))
            image_harden(image, block, image->cached[block], image->cached_seq[block]);
    }
    memcpy(image->cached, image->durable, sizeof(image->cached));
    memcpy(image->cached_seq, image->durable_seq, sizeof(image->cached_seq));
}

void disk_power(struct sim *sim, struct sim_disk *disk)
{
    disk_install_forget(disk);
    table_set(&disk->table, &disk->durable);
    disk->changes = ++disk->durable_changes;
    image_power(sim, disk->table.head);
    for (uint32_t i = 0; i < disk->table.count; i++)
        image_power(sim, disk->table.rows[i].image);
}

/* ---- commands ---- */

struct lineage disk_lineage(const struct sim_table *table)
{
    struct lineage lineage = table->lineage;
    lineage.incomplete_generation = lineage.incomplete_base = 0;
    for (uint32_t i = table->count; i > 0; i--) {
        if (table->rows[i - 1].complete)
            continue;
        lineage.incomplete_generation = table->rows[i - 1].generation;
        lineage.incomplete_base = table->rows[i - 1].base;
    }
    return lineage;
}

static int command_seal(struct sim_table *table, const struct message_command *command,
                        bool incomplete)
{
    if (table->count == SIM_GENERATIONS_MAX)
        return -ENOSPC;
    struct sim_image *sealed = table->head;
    table->rows[table->count++] = (struct sim_row){.generation = table->lineage.head_generation,
                                                   .identity = command->identity,
                                                   .base = table->lineage.head_base,
                                                   .born = table->head_born,
                                                   .complete = !incomplete,
                                                   .image = sealed};
    table->lineage.head_base = table->lineage.head_generation++;
    table->head_born = command->identity;
    table->head = image_new(sealed);
    return 0;
}

static int command_revert(struct sim_disk *disk, const struct message_command *command)
{
    struct sim_table *table = &disk->table;
    const struct sim_row *row = disk_row(table, command->generation);
    if (!row)
        return -ENOENT;
    image_unref(table->head);
    table->head = image_new(row->image);
    table->lineage.head_base = row->generation;
    table->lineage.head_generation++;
    table->head_born = command->identity;
    return 0;
}

static int command_drop(struct sim_disk *disk, const struct message_command *command)
{
    struct sim_table *table = &disk->table;
    struct sim_row *row = row_of(disk, command->generation);
    if (!row)
        return -ENOENT;
    struct sim_row gone = *row;
    memmove(row, row + 1, (size_t)(table->rows + table->count - row - 1) * sizeof(*row));
    table->count--;
    for (uint32_t i = 0; i < table->count; i++) {
        struct sim_row *other = &table->rows[i];
        for (uint32_t block = 0; other->base == gone.generation && block < SIM_BLOCKS; block++)
            other->image->own[block] |= gone.image->own[block];
        if (other->base == gone.generation)
            other->base = gone.base;
    }
    if (table->lineage.head_base == gone.generation) {
        for (uint32_t block = 0; block < SIM_BLOCKS; block++)
            table->head->own[block] |= gone.image->own[block];
        table->lineage.head_base = gone.base;
    }
    image_unref(gone.image);
    return 0;
}

static void row_set(struct sim_table *table, const char *key, const uint8_t *value, uint32_t bytes)
{
    ASSERT(key[0] == 'r' && key[1] >= '0' && key[1] < '0' + SIM_ROWS);
    uint64_t *row = &table->book[key[1] - '0'];
    *row = 0;
    ASSERT(bytes == 0 || bytes == sizeof(*row));
    if (bytes)
        memcpy(row, value, sizeof(*row));
}

int disk_command(struct sim_disk *disk, const uint8_t *body, uint32_t body_bytes, bool incomplete)
{
    struct message_command command;
    struct reader r = reader_of(body, body_bytes);
    message_command_decode(&r, &command);
    ASSERT(!r.bad && command.number == disk->table.lineage.command + 1);
    ASSERT(body_bytes <= sizeof(disk->table.last_command));
    int status = 0;
    if (command.kind == COMMAND_SEAL)
        status = command_seal(&disk->table, &command, incomplete);
    else if (command.kind == COMMAND_DROP)
        status = command_drop(disk, &command);
    else if (command.kind == COMMAND_REVERT)
        status = command_revert(disk, &command);
    if (status < 0)
        return status;
    if (command.key[0])
        row_set(&disk->table, command.key, command.value, command.value_bytes);
    if (!incomplete)
        disk->table.lineage.kept_generation = disk->table.lineage.head_generation;
    disk->table.lineage.command = command.number;
    disk->table.lineage.command_identity = command.identity;
    memcpy(disk->table.last_command, body, body_bytes);
    disk->table.last_command_bytes = body_bytes;
    disk->changes++;
    return 0;
}

int disk_settle(struct sim_disk *disk, uint64_t generation)
{
    struct sim_row *row = row_of(disk, generation);
    if (generation == 0) {
        disk->table.lineage.kept_generation = disk->table.lineage.head_generation;
        disk->changes++;
        return 0;
    }
    if (!row || disk_lineage(&disk->table).incomplete_generation != generation)
        return -EINVAL;
    row->complete = true;
    disk->changes++;
    return 0;
}

/* ---- the book, in chunks of few entries ---- */

uint32_t disk_book(const struct sim_disk *disk, uint64_t cursor, uint8_t *body, uint32_t body_max)
{
    const struct sim_table *table = &disk->table;
    uint64_t total = table->count + SIM_ROWS;
    uint64_t end = cursor + CHUNK_ENTRIES < total ? cursor + CHUNK_ENTRIES : total;
    struct message_book book = {.command = table->lineage.command,
                                .command_identity = table->lineage.command_identity,
                                .head_generation = table->lineage.head_generation,
                                .head_base = table->lineage.head_base,
                                .head_born = table->head_born,
                                .next_cursor = end < total ? end : 0};
    struct writer w = writer_of(body, body_max);
    message_book_encode(&w, &book);
    for (uint64_t i = cursor; i < end; i++) {
        struct book_entry entry = {.type = BOOK_ROW, .value_bytes = 8};
        if (i < table->count) {
            const struct sim_row *row = &table->rows[i];
            entry = (struct book_entry){.type = BOOK_GENERATION,
                                        .generation = row->generation,
                                        .identity = row->identity,
                                        .base_generation = row->base,
                                        .born = row->born,
                                        .complete = row->complete};
        } else {
            entry.key[0] = 'r';
            entry.key[1] = (char)('0' + (i - table->count));
            entry.value = (const uint8_t *)&table->book[i - table->count];
        }
        if (i < table->count || table->book[i - table->count])
            book_entry_encode(&w, &entry);
    }
    ASSERT(!w.bad);
    return (uint32_t)writer_length(&w);
}

void disk_install_forget(struct sim_disk *disk)
{
    table_unref(&disk->installing);
    disk->installing = (struct sim_table){0};
}

/* The image of a generation of the new table: what was under its number here, if it was born alike,
 * or nothing of its own on its base. */
static struct sim_image *install_image(struct sim_disk *disk, struct sim_row *row, bool all)
{
    struct sim_table *old = &disk->table;
    struct sim_table *table = &disk->installing;
    const struct sim_row *here = disk_row(old, row->generation);
    const struct sim_row *base = disk_row(table, row->base);
    bool was_head = row->generation == old->lineage.head_generation;
    struct sim_image *image = here ? here->image : was_head ? old->head : NULL;
    row->complete = here && here->complete && !all && uuid_equal(&here->identity, &row->identity);
    if (row->complete)
        return image_ref(image);
    if (image && uuid_equal(here ? &here->born : &old->head_born, &row->born)) {
        if (old->lineage.kept_generation == row->generation)
            table->lineage.kept_generation = row->generation;
        /* Blocks of bases that are gone count as its own. */
        for (uint32_t block = 0; block < SIM_BLOCKS; block++)
            image->own[block] =
                image->own[block] || (base && image->cached[block] != base->image->cached[block]);
        return image_ref(image);
    }
    return image_new(base ? base->image : NULL);
}

static void install_take(struct sim_disk *disk, bool all)
{
    struct sim_table *table = &disk->installing;
    struct sim_row head = {.generation = table->lineage.head_generation,
                           .base = table->lineage.head_base,
                           .born = table->head_born};
    table->lineage.kept_generation = 0;
    uint32_t count = table->count;
    for (table->count = 0; table->count < count; table->count++) {
        struct sim_row *row = &table->rows[table->count];
        row->image = install_image(disk, row, all);
    }
    table->head = install_image(disk, &head, all);
    table_set(&disk->table, table);
    disk_install_forget(disk);
    disk->changes++;
}

int disk_install(struct sim_disk *disk, const uint8_t *body, uint32_t body_bytes, uint64_t cursor,
                 bool more, bool all)
{
    struct sim_table *table = &disk->installing;
    struct message_book book;
    struct reader r = reader_of(body, body_bytes);
    message_book_decode(&r, &book);
    if (cursor == 0)
        *table = (struct sim_table){0};
    table->lineage = (struct lineage){.command = book.command,
                                      .command_identity = book.command_identity,
                                      .head_generation = book.head_generation,
                                      .head_base = book.head_base};
    table->head_born = book.head_born;
    while (reader_left(&r) > 0 && !r.bad) {
        struct book_entry entry;
        book_entry_decode(&r, &entry);
        if (entry.type == BOOK_ROW)
            row_set(table, entry.key, entry.value, entry.value_bytes);
        else if (table->count == SIM_GENERATIONS_MAX)
            return -EINVAL;
        else
            table->rows[table->count++] = (struct sim_row){.generation = entry.generation,
                                                           .identity = entry.identity,
                                                           .base = entry.base_generation,
                                                           .born = entry.born};
    }
    if (r.bad)
        return -EINVAL;
    if (more)
        return 0;
    install_take(disk, all);
    return 0;
}

/* ---- differences, told of a few runs at a time and of more than there is ---- */

static bool differs(struct sim *sim, const struct sim_image *from, const struct sim_image *to,
                    uint32_t block)
{
    if (from == to)
        return false;
    return to->cached[block] != (from ? from->cached[block] : 0) || to->own[block] ||
           sim_chance(sim, 20);
}

uint32_t disk_diff(struct sim *sim, const struct sim_disk *disk, const struct sim_diff *ask,
                   uint8_t *body, uint32_t *covered)
{
    const struct sim_image *from = ask->from ? disk_readable(disk, ask->from, true) : NULL;
    const struct sim_image *to = disk_readable(disk, ask->generation, true);
    struct writer w = writer_of(body, FRAME_BODY_BYTES_MAX);
    uint32_t at = 0;
    if (!to || (ask->from && !from))
        return 0;
    for (uint32_t runs = 0; at < ask->count && runs < RUNS_MAX; runs++) {
        uint32_t begin = at;
        bool differ = differs(sim, from, to, ask->block + at);
        do
            at++;
        while (at < ask->count && differs(sim, from, to, ask->block + at) == differ);
        diff_run_encode(&w, &(struct diff_run){.length_bytes = (uint64_t)(at - begin) * BLOCK_BYTES,
                                               .state = differ ? DIFF_DATA : DIFF_ABSENT});
    }
    ASSERT(!w.bad && at > 0);
    *covered = at;
    return (uint32_t)writer_length(&w);
}
