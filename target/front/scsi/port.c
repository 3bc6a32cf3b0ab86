/* SPDX-License-Identifier: Apache-2.0 */
/* The text of iSCSI TransportIDs. */
#include "target/front/scsi/port.h"

#include "common/base/hex.h"

#include <stdio.h>

enum {
    PROTOCOL = 0x05, /* iSCSI */
    PROTOCOL_MASK = 0x0f,
    FORMAT_MASK = 0xc0,
    FORMAT_DEVICE = 0x00,
    FORMAT_PORT = 0x40,
    TEXT_BYTES_MIN = 20,
    TEXT_BYTES_MAX = SCSI_PORT_BYTES_MAX - 4,
    ISID_DIGITS = 12,
};

static const char separator[] = ",i,0x";

void scsi_port_encode(const struct scsi_port *port, struct writer *w)
{
    char text[TEXT_BYTES_MAX] = {0};
    int length = snprintf(text, sizeof(text), "%s%s%012llx", port->initiator, separator,
                          (unsigned long long)port->isid);
    ASSERT(length > 0 && length < TEXT_BYTES_MAX && port->isid >> 48 == 0);
    size_t padded = ((size_t)length + 1 + 3) & ~(size_t)3; /* one zero at least */
    if (padded < TEXT_BYTES_MIN)
        padded = TEXT_BYTES_MIN;
    write_u8(w, FORMAT_PORT | PROTOCOL);
    write_u8(w, 0);
    write_u16(w, (uint16_t)padded);
    write_bytes(w, text, padded);
}

/* Exactly as many digits as an ISID has. */
static bool isid_parse(const char *text, uint64_t *isid)
{
    *isid = 0;
    for (int i = 0; i < ISID_DIGITS; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0)
            return false;
        *isid = *isid << 4 | (uint64_t)digit;
    }
    return text[ISID_DIGITS] == 0;
}

/* "NAME", or "NAME,i,0xISID" of a port. */
static bool text_parse(const char *text, bool whole, struct scsi_port *port)
{
    const char *end = whole ? strstr(text, separator) : text + strlen(text);
    if (!end || end == text || (size_t)(end - text) >= sizeof(port->initiator))
        return false;
    memcpy(port->initiator, text, (size_t)(end - text));
    return !whole || isid_parse(end + sizeof(separator) - 1, &port->isid);
}

bool scsi_port_decode(struct reader *r, struct scsi_port *port, bool *whole)
{
    *port = (struct scsi_port){0};
    uint8_t head = read_u8(r);
    read_skip(r, 1);
    uint16_t length = read_u16(r);
    const uint8_t *bytes = read_bytes(r, length);
    uint8_t format = head & FORMAT_MASK;
    *whole = format == FORMAT_PORT;
    if (!bytes || (head & PROTOCOL_MASK) != PROTOCOL || length % 4 != 0 ||
        length < TEXT_BYTES_MIN || length > TEXT_BYTES_MAX)
        return false;
    if (format != FORMAT_PORT && format != FORMAT_DEVICE)
        return false;
    /* It ends with a zero, so what is parsed is within it. */
    return bytes[length - 1] == 0 && text_parse((const char *)bytes, *whole, port);
}
