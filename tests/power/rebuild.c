/* SPDX-License-Identifier: Apache-2.0 */
/* A volume becomes what another member is: the book, then one generation after the other. */
#include "common/wire/generation.h"
#include "tests/power/disk.h"
#include "tests/power/pool.h"

#include <errno.h>
#include <string.h>

enum {
    WRITE_BLOCKS_MAX = 8,
    AGAIN_ODDS = 16, /* what is there is written again, one time of so many */
};

/* What another member has become. */

/* A sealed generation as the book has it. */
struct listed {
    uint64_t number;
    uint64_t base;
    struct uuid identity;
    bool same; /* the identity, hence the content */
};

struct book {
    struct listed items[MODEL_GENERATIONS];
    uint32_t count;
    uint64_t head;
    uint64_t head_base;
};

static bool book_read(struct pool *pool, const struct volume *volume, struct book *book)
{
    struct store_req req = {.op = STORE_BOOK, .reply = slice_get(&pool->bufs, 64u << 10)};
    struct message_book header;
    int status = pool_do(pool, pool_index(pool, volume), &req);
    struct reader r = reader_of(req.reply.bytes, req.reply.length_bytes);
    *book = (struct book){0};
    if (pool_fine(pool, status, "reading the book")) {
        message_book_decode(&r, &header);
        book->head = header.head_generation;
        book->head_base = header.head_base;
    }
    while (status == 0 && reader_left(&r) > 0) {
        struct book_entry entry;
        book_entry_decode(&r, &entry);
        ASSERT(!r.bad && entry.type == BOOK_GENERATION && book->count < MODEL_GENERATIONS);
        book->items[book->count++] = (struct listed){.number = entry.generation,
                                                     .base = entry.base_generation,
                                                     .identity = entry.identity,
                                                     .same = true};
    }
    slice_release(&req.reply);
    return status == 0;
}

static struct uuid new_identity(struct model *model)
{
    struct uuid uuid = {{0}};
    uint64_t serial = ++model->serial;
    memcpy(uuid.bytes, &serial, sizeof(serial));
    return uuid;
}

/* What was made from it is made from what it was made from. */
static void book_drop(struct book *book, uint32_t at)
{
    struct listed gone = book->items[at];
    book->count--;
    memmove(&book->items[at], &book->items[at + 1], (book->count - at) * sizeof(book->items[0]));
    for (uint32_t i = 0; i < book->count; i++) {
        if (book->items[i].base == gone.number)
            book->items[i].base = gone.base;
    }
    if (book->head_base == gone.number)
        book->head_base = gone.base;
}

static void book_seal(struct book *book, struct model *model)
{
    if (book->count + 2 > MODEL_GENERATIONS)
        return;
    book->items[book->count++] = (struct listed){
        .number = book->head, .base = book->head_base, .identity = new_identity(model)};
    book->head_base = book->head++;
}

static void book_go_on(struct book *book, struct model *model)
{
    uint32_t at = book->count ? (uint32_t)pick(book->count) : 0;
    uint64_t kind = pick(4);
    if (kind == 0 && book->count > 0) {
        book->items[at].identity = new_identity(model);
        book->items[at].same = false;
    } else if (kind == 1 && book->count > 0) {
        book_drop(book, at);
    }
    for (uint64_t more = pick(3); more > 0; more--)
        book_seal(book, model);
}

/* Contents. */

/* As `from` (NULL: zeros), with changes. */
static void mutate(struct model *model, struct generation *g, const struct generation *from,
                   uint32_t blocks)
{
    uint64_t odds = 1 + pick(8);
    for (uint32_t b = 0; b < MODEL_BLOCKS; b++) {
        uint64_t serial = from ? history_newest(&from->blocks[b]) : 0;
        if (b < blocks && pick(odds) == 0)
            serial = pick(3) ? ++model->serial : 0;
        g->blocks[b] = (struct history){.values = {{.serial = serial}}, .count = 1};
    }
}

/* The volume's generations become the book's. */
static void take_book(struct model *model, struct volume *volume, const struct book *book)
{
    static struct volume was;
    struct rebuild *rebuild = &volume->rebuild;
    was = *volume;
    rebuild->all_incomplete = pick(3) == 0;
    for (uint32_t i = 0; i <= book->count; i++) {
        const struct listed *item = i < book->count ? &book->items[i] : NULL;
        struct generation *g = &volume->generations[i];
        g->number = item ? item->number : book->head;
        rebuild->bases[i] = item ? item->base : book->head_base;
        rebuild->identities[i] = item ? item->identity : (struct uuid){{0}};
        volume->count = i;
        const struct generation *base = model_find(volume, rebuild->bases[i]);
        const struct generation *former = model_find(&was, g->number);
        if (item && item->same && former)
            memcpy(g->blocks, former->blocks, sizeof(g->blocks));
        else
            mutate(model, g, pick(2) && former ? former : base, volume->blocks);
    }
    volume->count = book->count + 1;
    model_rebuild(volume, was.generations, was.count);
}

/* The steps. */

static bool install_chunk(struct pool *pool, const struct volume *volume, uint32_t from,
                          uint32_t to, bool more)
{
    const struct rebuild *rebuild = &volume->rebuild;
    uint32_t head = volume->count - 1;
    const struct message_book header = {.command = volume->command,
                                        .command_identity = {{7}},
                                        .head_generation = volume->generations[head].number,
                                        .head_base = rebuild->bases[head],
                                        .next_cursor = more};
    struct slice body = slice_get(&pool->bufs, 16u << 10);
    struct writer w = writer_of(body.bytes, body.length_bytes);
    message_book_encode(&w, &header);
    for (uint32_t i = from; i < to; i++) {
        const struct book_entry entry = {.type = BOOK_GENERATION,
                                         .generation = volume->generations[i].number,
                                         .identity = rebuild->identities[i],
                                         .base_generation = rebuild->bases[i],
                                         .complete = true};
        book_entry_encode(&w, &entry);
    }
    ASSERT(!w.bad);
    body.length_bytes = (uint32_t)writer_length(&w);
    struct store_req req = {.op = STORE_INSTALL,
                            .data = body,
                            .length_bytes = from,
                            .more = more,
                            .all_incomplete = rebuild->all_incomplete};
    int status = pool_do(pool, pool_index(pool, volume), &req);
    slice_release(&body);
    return pool_fine(pool, status, "a book");
}

static bool install(struct pool *pool, const struct volume *volume)
{
    uint32_t sealed = volume->count - 1;
    uint32_t half = sealed ? (uint32_t)pick(sealed) : 0;
    if (half > 0 && !install_chunk(pool, volume, 0, half, true))
        return false;
    return install_chunk(pool, volume, half, sealed, false);
}

static bool ask_lineage(struct pool *pool, const struct volume *volume, struct lineage *lineage)
{
    uint8_t reply[256];
    struct store_req req = {.op = STORE_SPACE,
                            .reply = {.bytes = reply, .length_bytes = sizeof(reply)}};
    int status = pool_do(pool, pool_index(pool, volume), &req);
    *lineage = req.lineage;
    return pool_fine(pool, status, "asking where a volume stands");
}

/* Which block shows what: MODEL_NEVER, where it is not what it should be in any case. */
static bool read_shown(struct pool *pool, const struct volume *volume, uint64_t generation,
                       uint64_t *shown)
{
    for (uint32_t b = 0; b < volume->blocks; b++) {
        struct store_req req = {.op = STORE_READ,
                                .generation = generation,
                                .partial = true,
                                .offset_bytes = (uint64_t)b * BLOCK_BYTES,
                                .length_bytes = BLOCK_BYTES,
                                .data = slice_get(&pool->bufs, BLOCK_BYTES)};
        int status = pool_do(pool, pool_index(pool, volume), &req);
        shown[b] = status ? MODEL_NEVER : block_serial(req.data.bytes, b);
        slice_release(&req.data);
        if (status && status != -EILSEQ && !pool_fine(pool, status, "reading in part"))
            return false;
    }
    return true;
}

/* Some blocks that are all zeros, or all not. */
static bool write_blocks(struct pool *pool, struct volume *volume, uint64_t generation,
                         const struct generation *g, uint32_t first, uint32_t count)
{
    bool zero = history_newest(&g->blocks[first]) == 0;
    struct store_req req = {.op = zero ? STORE_ZERO : STORE_WRITE,
                            .generation = generation,
                            .offset_bytes = (uint64_t)first * BLOCK_BYTES,
                            .length_bytes = (uint64_t)count * BLOCK_BYTES};
    if (!zero)
        req.data = slice_get(&pool->bufs, count * BLOCK_BYTES);
    disk_lock();
    for (uint32_t b = first; b < first + count; b++) {
        uint64_t serial = history_newest(&g->blocks[b]);
        model_rebuild_writes(volume, b, serial);
        if (generation == 0)
            volume->doubtful[b] = MODEL_NEVER;
        if (!zero)
            block_fill(req.data.bytes + (size_t)(b - first) * BLOCK_BYTES, b, serial);
    }
    disk_unlock();
    if (!zero)
        slice_crc_fill(&req.data);
    int status = pool_do(pool, pool_index(pool, volume), &req);
    slice_release(&req.data);
    return pool_fine(pool, status, "writing what another member has");
}

static bool complete(struct pool *pool, struct volume *volume, uint64_t generation,
                     const struct generation *g)
{
    uint64_t shown[MODEL_BLOCKS];
    if (!read_shown(pool, volume, generation, shown))
        return false;
    for (uint32_t b = 0, end; b < volume->blocks; b = end) {
        bool zero = history_newest(&g->blocks[b]) == 0, again = !zero && pick(AGAIN_ODDS) == 0;
        for (end = b; end < volume->blocks && end - b < WRITE_BLOCKS_MAX &&
                      (again || shown[end] != history_newest(&g->blocks[end])) &&
                      zero == (history_newest(&g->blocks[end]) == 0);)
            end++;
        if (end > b && !write_blocks(pool, volume, generation, g, b, end - b))
            return false;
        end += end == b;
    }
    return true;
}

static bool settle(struct pool *pool, struct volume *volume, uint64_t generation)
{
    struct store_req req = {.op = STORE_SETTLE, .generation = generation};
    int status = pool_do(pool, pool_index(pool, volume), &req);
    if (!pool_fine(pool, status, "settling a generation"))
        return false;
    disk_lock();
    volume->rebuild.settled = generation ? generation : volume->rebuild.settled;
    disk_unlock();
    return true;
}

static bool begin(struct pool *pool, struct volume *volume, struct lineage *lineage)
{
    if (!ask_lineage(pool, volume, lineage))
        return false;
    if (lineage->command != volume->command &&
        !(install(pool, volume) && ask_lineage(pool, volume, lineage)))
        return false;
    MUST(lineage->command == volume->command, "a book has another command");
    disk_lock();
    volume->rebuild.installed = true;
    disk_unlock();
    return true;
}

bool pool_rebuild_go_on(struct pool *pool, struct volume *volume)
{
    struct lineage lineage;
    if (!begin(pool, volume, &lineage))
        return false;
    while (lineage.incomplete_generation) {
        uint64_t number = lineage.incomplete_generation;
        const struct generation *g = model_find(volume, number);
        MUST(g && g->sealed != MODEL_NEVER, "generation %llu is not complete, nor in the book",
             (unsigned long long)number);
        if (!complete(pool, volume, number, g) || !settle(pool, volume, number) ||
            !ask_lineage(pool, volume, &lineage))
            return false;
        MUST(lineage.incomplete_generation == 0 || lineage.incomplete_generation > number,
             "generation %llu is settled in vain", (unsigned long long)number);
    }
    if (!complete(pool, volume, 0, model_head(volume)) || !settle(pool, volume, 0) ||
        !pool_sync(pool, volume))
        return false;
    disk_lock();
    volume->rebuild.active = false;
    disk_unlock();
    return true;
}

void pool_rebuild(struct pool *pool)
{
    struct book book;
    struct volume *volume = pool_any_volume(pool);
    for (uint32_t i = 0; i < MODEL_VOLUMES; i++) {
        if (pool->open[i] && pool->model->volumes[i].rebuild.active)
            volume = &pool->model->volumes[i];
    }
    if (volume && !volume->rebuild.active) {
        if (!pool_sync(pool, volume) || !book_read(pool, volume, &book))
            return;
        disk_lock();
        book_go_on(&book, pool->model);
        take_book(pool->model, volume, &book);
        disk_unlock();
    }
    if (volume)
        (void)pool_rebuild_go_on(pool, volume);
}
