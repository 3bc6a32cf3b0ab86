/* SPDX-License-Identifier: Apache-2.0 */
/* Commands: what they do to generations and the book. */
#include "replica/map/book.h"
#include "replica/map/volume.h"

#include <errno.h>
#include <stdlib.h>

/* What a command is about to do: found out first, so that nothing is half done. */
struct plan {
    struct branch *branch; /* of the head */
    struct generation *head;
    struct branch *of; /* of the generation named */
    struct generation *named;
};

static int plan_make(struct map_volume *volume, const struct message_command *command,
                     struct plan *plan)
{
    plan->head = lookup_generation(volume, 0, &plan->branch);
    if (command->number != volume->row.command + 1)
        return -EINVAL;
    if (command->kind == COMMAND_SET)
        return 0;
    if (command->kind == COMMAND_SEAL) {
        if (command->generation != plan->head->row.generation)
            return -EINVAL;
        return volume_generation_count(volume) > MAP_GENERATIONS_MAX ? -E2BIG : 0;
    }
    plan->named =
        command->generation ? lookup_generation(volume, command->generation, &plan->of) : NULL;
    if (!plan->named || !plan->named->row.sealed)
        return -ENOENT;
    return command->kind == COMMAND_REVERT && branch_depth(plan->of) >= MAP_DEPTH_MAX ? -EMLINK : 0;
}

static bool base_is_complete(struct branch *branch, uint64_t step)
{
    struct branch *of;
    const struct generation *base = lookup_base(branch, step, &of);
    return !base || base->row.complete;
}

static void seal(struct map_volume *volume, const struct message_command *command,
                 struct plan *plan, struct writer *w)
{
    struct generation *g = plan->head;
    g->row.sealed = true;
    g->row.identity = command->identity;
    g->row.complete = volume->row.head_complete && base_is_complete(plan->branch, g->step);
    generation_put(w, plan->branch, g);
    const struct generation_row row = {.generation = g->row.generation + 1};
    generation_put(w, plan->branch, branch_append(plan->branch, &row));
}

static void revert(struct map_volume *volume, struct plan *plan, struct branch *branch,
                   struct writer *w)
{
    const struct generation_row row = {.generation = plan->head->row.generation + 1};
    plan->head->row.sealed = plan->head->row.dropped = true;
    generation_put(w, plan->branch, plan->head);
    volume->row.branch = branch->id;
    branch_put(w, branch);
    generation_put(w, branch, branch_append(branch, &row));
}

/*
 * Memory a command needs. Little, and not for each I/O: a process that does not get it is at its
 * end.
 */
static struct branch *prepare(struct map_volume *volume, const struct message_command *command,
                              struct plan *plan)
{
    struct map *map = volume->map;
    struct branch *branch = NULL;
    if (command->kind == COMMAND_REVERT) {
        const struct branch_row row = {
            .family = volume->row.family,
            .volume = volume->row.id,
            .parent = plan->of->id,
            .parent_step = plan->named->step,
        };
        branch = branch_new(map, map->next_branch++, &row, volume);
        ASSERT(branch);
    }
    struct branch *grows = branch ? branch : plan->branch;
    int rc = command->kind == COMMAND_REVERT || command->kind == COMMAND_SEAL
                 ? branch_reserve(grows)
                 : 0;
    ASSERT(rc == 0);
    /* The generations may have moved. */
    plan->head = &plan->branch->generations[plan->branch->count - 1];
    return branch;
}

static void keep_command(struct map_volume *volume, const struct message_command *command,
                         const uint8_t *body, uint32_t body_bytes, struct writer *w)
{
    struct key key = key_volume(&volume->uuid);
    volume->row.command = command->number;
    volume->row.command_identity = command->identity;
    volume_put(w, volume);
    change_put(w, TABLE_COMMANDS, &key, body, body_bytes);
    uint8_t *copy = malloc(body_bytes);
    ASSERT(copy);
    memcpy(copy, body, body_bytes);
    free(volume->command);
    volume->command = copy;
    volume->command_bytes = body_bytes;
}

int map_command(struct map_volume *volume, const uint8_t *body, uint32_t body_bytes)
{
    ASSERT(volume->open);
    struct map *map = volume->map;
    struct message_command command;
    struct reader r = reader_of(body, body_bytes);
    message_command_decode(&r, &command);
    if (map->failed)
        return -EIO;
    if (r.bad || reader_left(&r) > 0)
        return -EINVAL;
    if (command.number == volume->row.command)
        return uuid_equal(&command.identity, &volume->row.command_identity) ? 0 : -EINVAL;
    struct plan plan = {0};
    int rc = plan_make(volume, &command, &plan);
    if (rc)
        return rc;
    uint64_t length = VOLUME_PUT_BYTES + BRANCH_PUT_BYTES + 2 * GENERATION_PUT_BYTES +
                      BOOK_PUT_BYTES + VOLUME_PUT_BYTES + 2 * (uint64_t)body_bytes;
    if (!map_fits(map, length))
        return -EAGAIN;
    struct branch *branch = prepare(volume, &command, &plan);
    struct writer w = journal_begin(&map->journal, length);
    if (command.kind == COMMAND_SEAL)
        seal(volume, &command, &plan, &w);
    else if (command.kind == COMMAND_REVERT)
        revert(volume, &plan, branch, &w);
    else if (command.kind == COMMAND_DROP) {
        plan.named->row.dropped = true;
        generation_put(&w, plan.of, plan.named);
    }
    if (command.key[0])
        rc =
            book_put(&w, volume, volume->row.book, command.key, command.value, command.value_bytes);
    ASSERT(rc == 0);
    keep_command(volume, &command, body, body_bytes, &w);
    volume_recorded(volume, &w);
    return 0;
}
