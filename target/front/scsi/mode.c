/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mode parameters (SPC-4 7.5, SBC-3 6.5). MODE SELECT can change the format of sense data and the
 * write protection, for all nexuses; of the rest it takes what MODE SENSE gave.
 */
#include "target/front/scsi/mode.h"

#include "target/front/scsi/guard.h"
#include "target/front/scsi/medium.h"
#include "target/front/scsi/reply.h"
#include "target/front/scsi/sense.h"
#include "target/front/scsi/unit.h"

enum {
    SELECT6 = 0x15,
    SENSE6 = 0x1a,
    DBD = 0x08,   /* CDB byte 1 of MODE SENSE: no block descriptor */
    LLBAA = 0x10, /* CDB byte 1 of MODE SENSE (10): a long one is fine */
    WP = 0x80,    /* device-specific parameter */
    DPOFUA = 0x10,
    LONGLBA = 0x01, /* header of the ten byte commands, byte 4 */
    SHORT_DESCRIPTOR_BYTES = 8,
    LONG_DESCRIPTOR_BYTES = 16,
    PAGE_ALL = 0x3f,
    SUBPAGE_ALL = 0xff,
    PAGE_PS = 0x80, /* reserved in MODE SELECT */
    PAGE_HEADER_BYTES = 2,
};

enum page_control { PC_CURRENT, PC_CHANGEABLE, PC_DEFAULT, PC_SAVED };

/* WCE: written blocks are safe after SYNCHRONIZE CACHE. */
static const uint8_t page_caching[] = {0x08, 0x12, 0x04, 0, 0, 0, 0, 0, 0, 0,
                                       0,    0,    0,    0, 0, 0, 0, 0, 0, 0};
/* GLTSD; unrestricted reordering. */
static const uint8_t page_control[] = {0x0a, 0x0a, 0x02, 0x10, 0, 0, 0, 0, 0, 0, 0, 0};
/* DEXCPT: no informational exceptions. */
static const uint8_t page_exceptions[] = {0x1c, 0x0a, 0x08, 0, 0, 0, 0, 0, 0, 0, 0, 0};

enum { PAGE_BYTES_MAX = 20 };

static const struct page {
    const uint8_t *bytes; /* by default */
    uint8_t length_bytes;
} pages[] = {
    {page_caching, sizeof(page_caching)},
    {page_control, sizeof(page_control)},
    {page_exceptions, sizeof(page_exceptions)},
};

/* What can be changed, all of it in the control page. */
struct mode {
    bool descriptor_sense;
    bool write_protected;
};

enum {
    D_SENSE_BYTE = 2,
    D_SENSE = 0x04,
    SWP_BYTE = 4,
    SWP = 0x08,
};

static struct mode mode_of(const struct scsi_unit *unit)
{
    return (struct mode){unit->descriptor_sense, unit->write_protected};
}

static void mode_put(struct mode mode, uint8_t *control)
{
    control[D_SENSE_BYTE] |= mode.descriptor_sense ? D_SENSE : 0;
    control[SWP_BYTE] |= mode.write_protected ? SWP : 0;
}

static const struct page *page_find(uint8_t code)
{
    for (size_t i = 0; i < ARRAY_COUNT(pages); i++)
        if (pages[i].bytes[0] == code)
            return &pages[i];
    return NULL;
}

/* The page as `control` asks for it, into PAGE_BYTES_MAX bytes. */
static void page_fill(const struct scsi_unit *unit, const struct page *page,
                      enum page_control control, uint8_t *bytes)
{
    ASSERT(page->length_bytes <= PAGE_BYTES_MAX);
    memcpy(bytes, page->bytes, page->length_bytes);
    if (control == PC_CHANGEABLE)
        memset(bytes + PAGE_HEADER_BYTES, 0, page->length_bytes - PAGE_HEADER_BYTES);
    if (page->bytes != page_control)
        return;
    if (control == PC_CURRENT)
        mode_put(mode_of(unit), bytes);
    else if (control == PC_CHANGEABLE)
        mode_put((struct mode){true, true}, bytes);
}

/* SBC-3 6.5.2. */
static void block_descriptor_write(const struct scsi_unit *unit, bool is_long, struct writer *w)
{
    uint64_t blocks = scsi_unit_blocks(unit);
    if (is_long) {
        write_u64(w, blocks);
        write_u32(w, 0);
        write_u32(w, unit->export->block_bytes);
        return;
    }
    write_u32(w, blocks > UINT32_MAX ? UINT32_MAX : (uint32_t)blocks);
    write_u8(w, 0);
    write_u24(w, unit->export->block_bytes);
}

static void header_write(const struct scsi_command *command, uint16_t descriptor_bytes,
                         struct writer *w)
{
    bool protected = command->unit->export->read_only || command->unit->write_protected;
    uint8_t device = protected ? WP | DPOFUA : DPOFUA;
    write_u8(w, 0); /* the mode data length comes last */
    if (command->cdb[0] == SENSE6) {
        write_u8(w, 0);
        write_u8(w, device);
        write_u8(w, (uint8_t)descriptor_bytes);
        return;
    }
    write_u8(w, 0);
    write_u8(w, 0);
    write_u8(w, device);
    write_u8(w, descriptor_bytes == LONG_DESCRIPTOR_BYTES ? LONGLBA : 0);
    write_u8(w, 0);
    write_u16(w, descriptor_bytes);
}

static void header_set_length(const struct scsi_command *command, struct writer *w)
{
    if (command->cdb[0] == SENSE6) {
        ASSERT(writer_length(w) <= UINT8_MAX);
        w->begin[0] = (uint8_t)(writer_length(w) - 1);
    } else {
        scsi_reply_set_u16(w, 0, writer_length(w) - 2);
    }
}

enum scsi_next scsi_mode_sense_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                     struct buf_pool *pool)
{
    enum page_control control = command->cdb[2] >> 6;
    uint8_t code = command->cdb[2] & 0x3f;
    uint8_t subpage = command->cdb[3];
    if (control == PC_SAVED)
        return scsi_fail(command, SCSI_KEY_ILLEGAL_REQUEST, SCSI_ASC_SAVING_NOT_SUPPORTED);
    if (code != PAGE_ALL && !page_find(code))
        return scsi_fail_cdb(command, 2, 5);
    if (subpage != 0 && subpage != SUBPAGE_ALL)
        return scsi_fail_cdb(command, 3, 7);

    bool is_long = command->cdb[0] != SENSE6 && command->cdb[1] & LLBAA;
    uint16_t descriptor_bytes = is_long ? LONG_DESCRIPTOR_BYTES : SHORT_DESCRIPTOR_BYTES;
    if (command->cdb[1] & DBD)
        descriptor_bytes = 0;
    struct writer w = scsi_reply_begin(command, pool);
    header_write(command, descriptor_bytes, &w);
    if (descriptor_bytes)
        block_descriptor_write(command->unit, is_long, &w);
    for (size_t i = 0; i < ARRAY_COUNT(pages); i++) {
        uint8_t bytes[PAGE_BYTES_MAX];
        if (code != PAGE_ALL && code != pages[i].bytes[0])
            continue;
        page_fill(command->unit, &pages[i], control, bytes);
        write_bytes(&w, bytes, pages[i].length_bytes);
    }
    header_set_length(command, &w);
    return scsi_reply_end(command, &w, cdb->length);
}

/* A parameter list being read; `begin` is where offsets in field pointers count from. */
struct select_list {
    const uint8_t *begin;
    struct reader r;
    struct mode mode; /* what it wants */
};

static uint16_t list_offset(const struct select_list *list)
{
    return (uint16_t)(list->r.next - list->begin);
}

/* Of the block descriptor the length of blocks counts, their number is ignored (SBC-3 6.5.2). */
static bool block_descriptor_same(const struct scsi_unit *unit, struct reader descriptor)
{
    bool is_long = reader_left(&descriptor) == LONG_DESCRIPTOR_BYTES;
    read_skip(&descriptor, is_long ? 12 : 5);
    uint32_t block_bytes = is_long ? read_u32(&descriptor) : read_u24(&descriptor);
    return block_bytes == unit->export->block_bytes;
}

/* Header and block descriptor. False when the command has failed. */
static bool select_head(struct scsi_command *command, struct select_list *list)
{
    uint16_t length;
    uint16_t length_at;
    bool is_long = false;
    if (command->cdb[0] == SELECT6) {
        read_skip(&list->r, 3);
        length_at = 3;
        length = read_u8(&list->r);
    } else {
        read_skip(&list->r, 4);
        is_long = read_u8(&list->r) & LONGLBA;
        read_skip(&list->r, 1);
        length_at = 6;
        length = read_u16(&list->r);
    }
    uint16_t at = list_offset(list);
    struct reader descriptor = read_sub(&list->r, length);
    if (list->r.bad) {
        (void)scsi_fail(command, SCSI_KEY_ILLEGAL_REQUEST, SCSI_ASC_PARAMETER_LENGTH);
        return false;
    }
    if (length == 0)
        return true;
    if (length != (is_long ? LONG_DESCRIPTOR_BYTES : SHORT_DESCRIPTOR_BYTES)) {
        (void)scsi_fail_parameter(command, length_at, 7);
        return false;
    }
    if (!block_descriptor_same(command->unit, descriptor)) {
        (void)scsi_fail_parameter(command, at, 7);
        return false;
    }
    return true;
}

/* One page, in which only what can be changed may differ. False when the command has failed. */
static bool select_page(struct scsi_command *command, struct select_list *list)
{
    uint16_t at = list_offset(list);
    uint8_t code = read_u8(&list->r) & (uint8_t)~PAGE_PS;
    uint8_t length = read_u8(&list->r);
    const struct page *page = page_find(code);
    if (!list->r.bad && !page) {
        (void)scsi_fail_parameter(command, at, 6);
        return false;
    }
    if (!list->r.bad && length != page->length_bytes - PAGE_HEADER_BYTES) {
        (void)scsi_fail_parameter(command, (uint16_t)(at + 1), 7);
        return false;
    }
    const uint8_t *bytes = read_bytes(&list->r, length);
    if (!bytes) {
        (void)scsi_fail(command, SCSI_KEY_ILLEGAL_REQUEST, SCSI_ASC_PARAMETER_LENGTH);
        return false;
    }
    uint8_t changeable[PAGE_BYTES_MAX];
    page_fill(command->unit, page, PC_CHANGEABLE, changeable);
    for (uint8_t i = 0; i < length; i++) {
        uint8_t byte = PAGE_HEADER_BYTES + i;
        uint8_t changed = (uint8_t)((bytes[i] ^ page->bytes[byte]) & ~changeable[byte]);
        if (!changed)
            continue;
        uint8_t bit = 7;
        while (!(changed >> bit & 1))
            bit--;
        (void)scsi_fail_parameter(command, (uint16_t)(at + byte), bit);
        return false;
    }
    if (page->bytes == page_control) {
        list->mode.descriptor_sense = bytes[D_SENSE_BYTE - PAGE_HEADER_BYTES] & D_SENSE;
        list->mode.write_protected = bytes[SWP_BYTE - PAGE_HEADER_BYTES] & SWP;
    }
    return true;
}

/* The whole list was good. What was written before the protection is made durable (SBC-3 6.5.3). */
static enum scsi_next mode_change(struct scsi_command *command, struct mode mode)
{
    struct scsi_unit *unit = command->unit;
    bool protects = mode.write_protected && !unit->write_protected;
    if (mode.descriptor_sense == unit->descriptor_sense &&
        mode.write_protected == unit->write_protected)
        return scsi_good(command);
    unit->descriptor_sense = mode.descriptor_sense;
    unit->write_protected = mode.write_protected;
    scsi_guard_update(unit);
    scsi_unit_attention(unit, command->nexus, SCSI_UA_MODE_CHANGED);
    return protects ? scsi_block_flush(command) : scsi_good(command);
}

enum scsi_next scsi_mode_select_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                      struct buf_pool *pool)
{
    (void)pool;
    if (cdb->length == 0)
        return scsi_good(command);
    if (command->data_out.length_bytes < cdb->length)
        return scsi_fail(command, SCSI_KEY_ILLEGAL_REQUEST, SCSI_ASC_PARAMETER_LENGTH);
    struct select_list list = {.begin = command->data_out.bytes,
                               .r = reader_of(command->data_out.bytes, cdb->length),
                               .mode = mode_of(command->unit)};
    if (!select_head(command, &list))
        return SCSI_DONE;
    while (reader_left(&list.r) > 0)
        if (!select_page(command, &list))
            return SCSI_DONE;
    return mode_change(command, list.mode);
}
