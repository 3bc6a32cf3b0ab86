/* SPDX-License-Identifier: Apache-2.0 */
/* Taking over another member's book and generations; completing generations one by one. */
#include "replica/map/book.h"
#include "replica/map/volume.h"

#include <errno.h>
#include <stdlib.h>

/* A generation of the book, and what it becomes here. */
struct listed {
    uint64_t number;
    uint64_t base;
    struct uuid identity;
    struct branch *branch; /* where it is found, or made */
    uint64_t step;
    bool complete;
};

struct install {
    struct message_book header; /* of the last chunk */
    uint32_t version;           /* of the book's rows */
    struct listed *items;       /* owned; by number */
    uint32_t count;
    uint32_t capacity;
    char key[BOOK_KEY_BYTES]; /* last row seen */
};

void install_abort(struct map_volume *volume)
{
    if (!volume->install)
        return;
    free(volume->install->items);
    free(volume->install);
    volume->install = NULL;
    volume->book_dirty = true;
}

static struct listed *find_listed(const struct install *install, uint64_t number)
{
    for (uint32_t low = 0, high = install->count; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        if (install->items[middle].number == number)
            return &install->items[middle];
        if (install->items[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* Chunks. */

/* A chunk that does not go on from the one before begins a new book. */
static bool goes_on(const struct install *install, const struct message_book *header,
                    struct reader entries)
{
    struct book_entry entry;
    if (!install || header->command != install->header.command ||
        !uuid_equal(&header->command_identity, &install->header.command_identity))
        return false;
    if (reader_left(&entries) == 0)
        return true;
    book_entry_decode(&entries, &entry);
    if (entry.type == BOOK_ROW)
        return strcmp(entry.key, install->key) > 0;
    return install->count == 0 ||
           (!install->key[0] && entry.generation > install->items[install->count - 1].number);
}

static int begin(struct map_volume *volume, struct writer *w)
{
    install_abort(volume);
    volume->install = calloc(1, sizeof(*volume->install));
    if (!volume->install)
        return -ENOMEM;
    uint32_t last = volume->row.staged > volume->row.book ? volume->row.staged : volume->row.book;
    volume->install->version = volume->row.staged = last + 1;
    volume_put(w, volume);
    return 0;
}

static int add_generation(struct install *install, const struct book_entry *entry)
{
    uint64_t last = install->count ? install->items[install->count - 1].number : 0;
    if (entry->generation <= last || install->key[0])
        return -EINVAL;
    if (entry->base_generation && !find_listed(install, entry->base_generation))
        return -EINVAL;
    if (install->count == MAP_GENERATIONS_MAX)
        return -E2BIG;
    if (install->count == install->capacity) {
        uint32_t capacity = install->capacity ? 2 * install->capacity : 64;
        struct listed *more = realloc(install->items, capacity * sizeof(*more));
        if (!more)
            return -ENOMEM;
        install->items = more;
        install->capacity = capacity;
    }
    install->items[install->count++] = (struct listed){
        .number = entry->generation, .base = entry->base_generation, .identity = entry->identity};
    return 0;
}

static int take_entries(struct map_volume *volume, struct reader *r, struct writer *w)
{
    struct install *install = volume->install;
    int rc = 0;
    while (rc == 0 && reader_left(r) > 0) {
        struct book_entry entry;
        book_entry_decode(r, &entry);
        if (r->bad)
            return -EINVAL;
        if (entry.type == BOOK_GENERATION) {
            rc = add_generation(install, &entry);
        } else if (strcmp(entry.key, install->key) <= 0) {
            rc = -EINVAL;
        } else {
            memcpy(install->key, entry.key, sizeof(entry.key));
            rc = book_put(w, volume, install->version, entry.key, entry.value, entry.value_bytes);
        }
    }
    return rc;
}

/* The whole book is there. */

/* The head here becomes what the book has under its number, when both came from the same. */
static bool head_is_kept(struct branch *branch, const struct generation *head,
                         const struct install *install, uint64_t base)
{
    struct branch *of;
    const struct generation *from = lookup_base(branch, head->step, &of);
    const struct listed *listed = base ? find_listed(install, base) : NULL;
    if (!from || !listed)
        return !from && base == 0;
    return from->row.generation == base && uuid_equal(&from->row.identity, &listed->identity);
}

/* A branch on which a generation made from `base` (NULL: nothing) can be the next step. */
static struct branch *branch_for(struct map_volume *volume, const struct listed *base)
{
    struct map *map = volume->map;
    struct branch_row row = {.family = volume->row.family, .volume = volume->row.id};
    if (base) {
        struct branch *branch = base->branch;
        if (branch->generations[branch->count - 1].step == base->step)
            return branch;
        row.parent = branch->id;
        row.parent_step = base->step;
    }
    return branch_new(map, map->next_branch++, &row, volume);
}

static struct generation *make_generation(struct map_volume *volume, const struct install *install,
                                          uint64_t base, const struct generation_row *row,
                                          struct branch **branch, struct writer *w)
{
    uint32_t next = volume->map->next_branch;
    *branch = branch_for(volume, base ? find_listed(install, base) : NULL);
    ASSERT(*branch && branch_reserve(*branch) == 0);
    if (volume->map->next_branch != next)
        branch_put(w, *branch);
    struct generation *g = branch_append(*branch, row);
    generation_put(w, *branch, g);
    return g;
}

/* What is here under the listed number and identity, or is the head that it was made from. */
static void match(struct map_volume *volume, struct install *install, bool all_incomplete)
{
    struct branch *head_branch, *branch;
    struct generation *head = lookup_generation(volume, 0, &head_branch);
    for (uint32_t i = 0; i < install->count; i++) {
        struct listed *item = &install->items[i];
        struct generation *g = lookup_generation(volume, item->number, &branch);
        const struct listed *base = item->base ? find_listed(install, item->base) : NULL;
        if (!g || (item->base && !base->branch && g != head))
            continue;
        if (g == head ? !head_is_kept(branch, head, install, item->base)
                      : !uuid_equal(&g->row.identity, &item->identity))
            continue;
        item->branch = branch;
        item->step = g->step;
        item->complete =
            g != head && g->row.complete && !all_incomplete && (!base || base->complete);
    }
}

/* Of a generation that is here: does the book keep it, and how? */
static void update_kept(struct map_volume *volume, const struct install *install, struct writer *w,
                        bool head_stays)
{
    struct map *map = volume->map;
    for (uint32_t i = 0; i < map->branches.count; i++) {
        struct branch *branch = map->branches.items[i];
        for (uint32_t j = 0; branch->volume == volume && j < branch->count; j++) {
            struct generation *g = &branch->generations[j];
            const struct generation_row before = g->row;
            const struct listed *item = find_listed(install, g->row.generation);
            if (g->row.dropped || (!g->row.sealed && head_stays))
                continue;
            if (item && item->branch == branch && item->step == g->step) {
                g->row.complete = item->complete;
                g->row.digested = g->row.digested && item->complete;
                g->row.identity = item->identity;
            } else {
                g->row.dropped = true;
            }
            g->row.sealed = true;
            if (before.complete != g->row.complete || before.dropped != g->row.dropped ||
                !before.sealed)
                generation_put(w, branch, g);
        }
    }
}

static void take_effect(struct map_volume *volume, struct install *install, bool all_incomplete,
                        struct writer *w)
{
    struct branch *branch;
    const struct generation *head = lookup_generation(volume, 0, &branch);
    const struct message_book *header = &install->header;
    uint64_t number = head->row.generation, step = head->step;
    bool stays =
        number == header->head_generation && head_is_kept(branch, head, install, header->head_base);
    /* The planes tell of the head unless it was begun anew by an earlier book. */
    bool told = volume->row.head_complete || volume->kept == number;
    match(volume, install, all_incomplete);
    update_kept(volume, install, w, stays);
    const struct listed *kept = find_listed(install, number);
    volume->kept = stays && told ? number : 0;
    if (told && kept && kept->branch == branch && kept->step == step)
        volume->kept = number;
    for (uint32_t i = 0; i < install->count; i++) {
        struct listed *item = &install->items[i];
        if (item->branch)
            continue;
        const struct generation_row row = {
            .generation = item->number, .identity = item->identity, .sealed = true};
        item->step = make_generation(volume, install, item->base, &row, &item->branch, w)->step;
    }
    if (!stays) {
        const struct generation_row row = {.generation = header->head_generation};
        (void)make_generation(volume, install, header->head_base, &row, &branch, w);
        volume->row.branch = branch->id;
    }
    volume->row.command = header->command;
    volume->row.command_identity = header->command_identity;
    volume->row.book = install->version;
    volume->row.head_complete = false;
    volume_put(w, volume);
    struct key key = key_volume(&volume->uuid);
    change_delete(w, TABLE_COMMANDS, &key);
    free(volume->command);
    volume->command = NULL;
    volume->command_bytes = 0;
}

static int check_whole(const struct install *install)
{
    const struct message_book *header = &install->header;
    const struct listed *last = install->count ? &install->items[install->count - 1] : NULL;
    if (last && last->number >= header->head_generation)
        return -EINVAL;
    return header->head_base && !find_listed(install, header->head_base) ? -EINVAL : 0;
}

int map_install(struct map_volume *volume, const uint8_t *body, uint32_t body_bytes, bool more,
                bool all_incomplete)
{
    ASSERT(volume->open);
    struct map *map = volume->map;
    struct message_book header;
    struct reader r = reader_of(body, body_bytes);
    message_book_decode(&r, &header);
    if (map->failed)
        return -EIO;
    if (r.bad)
        return -EINVAL;
    /* An entry of a row is longer than what is recorded of it, but for the record's own fields. */
    uint64_t length = VOLUME_PUT_BYTES + 2 * (uint64_t)body_bytes;
    uint64_t changes = 2 * VOLUME_PUT_BYTES;
    if (!more)
        changes += (uint64_t)(GENERATION_PUT_BYTES + BRANCH_PUT_BYTES) *
                   (2 + volume_generation_count(volume) + body_bytes / 33 +
                    (volume->install ? volume->install->count : 0));
    if (!map_fits(map, length + changes))
        return length + changes > map->journal.ring_bytes / 2 ? -E2BIG : -EAGAIN;
    struct writer w = journal_begin(&map->journal, length + changes);
    int rc = goes_on(volume->install, &header, r) ? 0 : begin(volume, &w);
    if (rc == 0) {
        volume->install->header = header;
        rc = take_entries(volume, &r, &w);
    }
    if (rc == 0 && !more)
        rc = check_whole(volume->install);
    if (rc == 0 && !more)
        take_effect(volume, volume->install, all_incomplete, &w);
    volume_recorded(volume, &w);
    if (rc || !more)
        install_abort(volume);
    return rc;
}

static uint64_t head_number(struct map_volume *volume)
{
    struct branch *branch;
    return lookup_generation(volume, 0, &branch)->row.generation;
}

int map_unsettle(struct map_volume *volume)
{
    ASSERT(volume->open);
    if (volume->map->failed)
        return -EIO;
    if (!volume->row.head_complete)
        return 0;
    if (!map_fits(volume->map, VOLUME_PUT_BYTES))
        return -EAGAIN;
    volume->row.head_complete = false;
    volume->kept = head_number(volume);
    struct writer w = journal_begin(&volume->map->journal, VOLUME_PUT_BYTES);
    volume_put(&w, volume);
    volume_recorded(volume, &w);
    return 0;
}

int map_settle(struct map_volume *volume, uint64_t generation)
{
    ASSERT(volume->open);
    struct branch *branch;
    struct generation *lowest = volume_next(volume, 1, true, &branch);
    if (volume->map->failed)
        return -EIO;
    if (generation == 0 ? lowest != NULL : !lowest || lowest->row.generation != generation) {
        struct generation *g = lookup_generation(volume, generation, &branch);
        return g && g->row.sealed && g->row.complete ? 0 : -EINVAL;
    }
    if (!map_fits(volume->map, VOLUME_PUT_BYTES))
        return -EAGAIN;
    struct writer w = journal_begin(&volume->map->journal, VOLUME_PUT_BYTES);
    if (generation) {
        lowest->row.complete = true;
        generation_put(&w, branch, lowest);
    } else {
        volume->row.head_complete = true;
        volume_put(&w, volume);
    }
    volume_recorded(volume, &w);
    return 0;
}
