/* SPDX-License-Identifier: Apache-2.0 */
/* TEST UNIT READY and its kin, REQUEST SENSE, and the capacity (SPC-4 6, SBC-3 5). */
#include "target/front/scsi/unit.h"

#include "target/front/scsi/medium.h"
#include "target/front/scsi/nexus.h"
#include "target/front/scsi/reply.h"
#include "target/front/scsi/sense.h"

enum {
    START = 0x01,
    NO_FLUSH = 0x04,
    DESC = 0x01,
    DEFECT_LISTS = 0x1f, /* REQ_PLIST, REQ_GLIST and their format */
    LBPME = 0x8000,      /* logical block provisioning is managed: UNMAP is there */
    LBPRZ = 0x4000,      /* unmapped blocks read as zeros */
};

/*
 * 0, or why the unit is not ready. While the volume does not serve, commands wait but those that
 * ask for this. Who has another path shall take it: it may lead to a target that took the volume
 * over, which one that is cut off cannot know.
 */
static uint16_t not_ready(const struct scsi_unit *unit)
{
    if (unit->export->gone)
        return SCSI_ASC_NOT_READY;
    return unit->export->stalled ? SCSI_ASC_BECOMING_READY : 0;
}

enum scsi_next scsi_unit_ready_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                     struct buf_pool *pool)
{
    (void)cdb;
    (void)pool;
    uint16_t asc = not_ready(command->unit);
    return asc ? scsi_fail(command, SCSI_KEY_NOT_READY, asc) : scsi_good(command);
}

/* The medium cannot be taken out: there is nothing to prevent or to allow. */
enum scsi_next scsi_unit_prevent_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                       struct buf_pool *pool)
{
    (void)cdb;
    (void)pool;
    return scsi_good(command);
}

/*
 * Nothing stops: other initiators may be at work on the unit. What stopping promises is kept: that
 * written data is safe (SBC-3 5.25).
 */
enum scsi_next scsi_unit_start_stop_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                          struct buf_pool *pool)
{
    (void)cdb;
    (void)pool;
    if (command->cdb[4] & (START | NO_FLUSH))
        return scsi_good(command);
    return scsi_block_flush(command);
}

enum scsi_next scsi_request_sense_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                        struct buf_pool *pool)
{
    struct scsi_sense sense = {.key = SCSI_KEY_NO_SENSE};
    if (!command->unit) {
        sense.key = SCSI_KEY_ILLEGAL_REQUEST;
        sense.asc = SCSI_ASC_LUN_NOT_SUPPORTED;
    } else if (not_ready(command->unit)) {
        sense.key = SCSI_KEY_NOT_READY;
        sense.asc = not_ready(command->unit);
    } else {
        sense.asc = scsi_nexus_take(command->nexus);
        if (sense.asc)
            sense.key = SCSI_KEY_UNIT_ATTENTION;
    }
    struct writer w = scsi_reply_begin(command, pool);
    scsi_sense_encode(&sense, command->cdb[1] & DESC, &w);
    return scsi_reply_end(command, &w, cdb->length);
}

/*
 * READ DEFECT DATA (10) and (12), SBC-3 5.16 and 5.17: the lists asked for, which are empty. Disks
 * have theirs; what fails there is read from another replica and written anew.
 */
enum scsi_next scsi_defects_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                  struct buf_pool *pool)
{
    bool long_form = command->op->cdb_bytes == 12;
    struct writer w = scsi_reply_begin(command, pool);
    write_u8(&w, 0);
    write_u8(&w, command->cdb[long_form ? 1 : 2] & DEFECT_LISTS);
    write_zeros(&w, long_form ? 6 : 2);
    return scsi_reply_end(command, &w, cdb->length);
}

/* Always whole: READ CAPACITY (10) has no ALLOCATION LENGTH. */
enum scsi_next scsi_read_capacity10_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                          struct buf_pool *pool)
{
    (void)cdb;
    uint64_t last = scsi_unit_blocks(command->unit) - 1;
    struct writer w = scsi_reply_begin(command, pool);
    write_u32(&w, last > UINT32_MAX ? UINT32_MAX : (uint32_t)last);
    write_u32(&w, command->unit->export->block_bytes);
    return scsi_reply_end(command, &w, writer_length(&w));
}

/* The number of logical blocks in a physical one, as a power of two. */
static uint8_t physical_exponent(uint32_t block_bytes)
{
    uint8_t exponent = 0;
    while (block_bytes << exponent < BLOCK_BYTES)
        exponent++;
    return exponent;
}

enum scsi_next scsi_read_capacity16_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                          struct buf_pool *pool)
{
    uint32_t block_bytes = command->unit->export->block_bytes;
    struct writer w = scsi_reply_begin(command, pool);
    write_u64(&w, scsi_unit_blocks(command->unit) - 1);
    write_u32(&w, block_bytes);
    write_u8(&w, 0);
    write_u8(&w, physical_exponent(block_bytes));
    write_u16(&w, LBPME | LBPRZ);
    write_zeros(&w, 16);
    return scsi_reply_end(command, &w, cdb->length);
}
