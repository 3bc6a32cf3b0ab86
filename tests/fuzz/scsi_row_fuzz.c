/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The row of reservations as another version, or a broken disk, may have left it: refused, or it
 * encodes to the same bytes again. The first byte says whether the rest is a TransportID instead.
 */
#include "target/front/scsi/port.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void port_try(struct reader r)
{
    struct scsi_port port;
    struct scsi_port again;
    bool whole;
    if (!scsi_port_decode(&r, &port, &whole) || !whole)
        return;
    uint8_t encoded[SCSI_PORT_BYTES_MAX];
    struct writer w = writer_of(encoded, sizeof(encoded));
    scsi_port_encode(&port, &w);
    struct reader back = reader_of(encoded, writer_length(&w));
    ASSERT(!w.bad && scsi_port_decode(&back, &again, &whole) && whole);
    ASSERT(scsi_port_equal(&port, &again));
}

static void row_try(struct reader r)
{
    static struct scsi_reservations all;
    static uint8_t encoded[SCSI_RESERVATIONS_BYTES_MAX];
    const uint8_t *begin = r.next;
    size_t length = reader_left(&r);
    if (!scsi_reservations_decode(&all, &r) || length == 0)
        return;
    struct writer w = writer_of(encoded, sizeof(encoded));
    scsi_reservations_encode(&all, &w);
    ASSERT(!w.bad && writer_length(&w) == length && memcmp(encoded, begin, length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct reader r = reader_of(bytes, length);
    bool id = read_u8(&r) & 1;
    if (r.bad)
        return 0;
    if (id)
        port_try(r);
    else
        row_try(r);
    return 0;
}
