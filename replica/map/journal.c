/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of changes in a shared mapping. */
#include "replica/map/journal.h"

#include "common/base/crc32c.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER_CRC_AT = 40, HEADER_BYTES = 44, FORMAT = 1, ALIGN = 8 };

static const uint8_t journal_magic[8] = "STRKJNL1";

static void header_encode(uint8_t header[HEADER_BYTES], const struct uuid *boot, uint64_t bytes)
{
    struct writer w = writer_of(header, HEADER_BYTES);
    write_bytes(&w, journal_magic, sizeof(journal_magic));
    write_u32(&w, FORMAT);
    write_u32(&w, 0);
    write_bytes(&w, boot->bytes, UUID_BYTES);
    write_u64(&w, bytes);
    ASSERT(writer_length(&w) == HEADER_CRC_AT);
    write_u32(&w, crc32c(0, header, HEADER_CRC_AT));
    ASSERT(!w.bad);
}

static int header_decode(struct journal *journal, const struct uuid *boot, uint64_t file_bytes,
                         struct error *error)
{
    struct reader r = reader_of(journal->map, HEADER_BYTES);
    struct uuid stamped;
    const uint8_t *magic = read_bytes(&r, sizeof(journal_magic));
    uint32_t format = read_u32(&r);
    read_skip(&r, 4);
    read_copy(&r, stamped.bytes, UUID_BYTES);
    journal->ring_bytes = read_u64(&r);
    uint32_t crc = read_u32(&r);
    if (memcmp(magic, journal_magic, sizeof(journal_magic)) != 0 ||
        crc != crc32c(0, journal->map, HEADER_CRC_AT))
        return error_set(error, "journal: damaged header");
    if (format != FORMAT)
        return error_set(error, "journal: format %u is not known to this version", format);
    if (journal->ring_bytes != file_bytes - JOURNAL_PAGE_BYTES)
        return error_set(error, "journal: its size is not what its header says");
    journal->same_boot = uuid_equal(&stamped, boot);
    return 0;
}

/* Written, not only reserved: a first store into reserved space may have to wait for the disk. */
static int fill_file(int fd, uint64_t bytes, const struct uuid *boot)
{
    static const uint8_t zeros[64u << 10];
    uint8_t header[HEADER_BYTES];
    for (uint64_t at = 0; at < bytes;) {
        uint64_t chunk = bytes - at < sizeof(zeros) ? bytes - at : sizeof(zeros);
        ssize_t n = pwrite(fd, zeros, chunk, (off_t)at);
        if (n < 0 && errno != EINTR)
            return -errno;
        at += n > 0 ? (uint64_t)n : 0;
    }
    header_encode(header, boot, bytes - JOURNAL_PAGE_BYTES);
    if (pwrite(fd, header, sizeof(header), 0) != (ssize_t)sizeof(header))
        return errno ? -errno : -EIO;
    return fsync(fd) < 0 ? -errno : 0;
}

static int make_file(int dir_fd, uint64_t bytes, const struct uuid *boot)
{
    int fd = openat(dir_fd, "journal.new", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int rc = fill_file(fd, bytes, boot);
    close(fd);
    if (rc == 0 && renameat(dir_fd, "journal.new", dir_fd, "journal") < 0)
        rc = -errno;
    if (rc == 0 && fsync(dir_fd) < 0)
        rc = -errno;
    if (rc)
        (void)unlinkat(dir_fd, "journal.new", 0);
    return rc;
}

static int map_file(struct journal *journal, const struct uuid *boot, struct error *error)
{
    struct stat stat;
    if (fstat(journal->fd, &stat) < 0)
        return error_set_errno(error, errno, "journal");
    uint64_t bytes = (uint64_t)stat.st_size;
    if (bytes < JOURNAL_PAGE_BYTES + JOURNAL_BYTES_MIN || bytes % ALIGN)
        return error_set(error, "journal: damaged, %llu bytes long", (unsigned long long)bytes);
    void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, journal->fd, 0);
    if (map == MAP_FAILED)
        return error_set_errno(error, errno, "journal: cannot map");
    journal->map = map;
    journal->ring = journal->map + JOURNAL_PAGE_BYTES;
    if (header_decode(journal, boot, bytes, error) == 0)
        return 0;
    munmap(map, bytes);
    journal->map = NULL;
    return -1;
}

int journal_open(struct journal *journal, int dir_fd, uint64_t bytes, const struct uuid *boot,
                 struct error *error)
{
    ASSERT(bytes >= JOURNAL_BYTES_MIN && bytes % JOURNAL_PAGE_BYTES == 0);
    *journal = (struct journal){.fd = openat(dir_fd, "journal", O_RDWR | O_CLOEXEC)};
    if (journal->fd < 0 && errno == ENOENT) {
        int rc = make_file(dir_fd, JOURNAL_PAGE_BYTES + bytes, boot);
        if (rc)
            return error_set_errno(error, rc, "journal: cannot make it");
        journal->fd = openat(dir_fd, "journal", O_RDWR | O_CLOEXEC);
    }
    if (journal->fd < 0)
        return error_set_errno(error, errno, "journal: cannot open");
    if (map_file(journal, boot, error) == 0)
        return 0;
    close(journal->fd);
    journal->fd = -1;
    return -1;
}

void journal_close(struct journal *journal)
{
    if (journal->map)
        munmap(journal->map, JOURNAL_PAGE_BYTES + journal->ring_bytes);
    if (journal->fd >= 0)
        close(journal->fd);
    *journal = (struct journal){.fd = -1};
}

void journal_start(struct journal *journal, uint64_t position, uint64_t sequence)
{
    journal->tail = journal->head = position;
    journal->tail_sequence = journal->next_sequence = sequence;
}

int journal_stamp(struct journal *journal, const struct uuid *boot)
{
    header_encode(journal->map, boot, journal->ring_bytes);
    journal->same_boot = true;
    return fdatasync(journal->fd) < 0 ? -errno : 0;
}

/* Bytes from a position to the end of the ring. */
static uint64_t bytes_to_end(const struct journal *journal, uint64_t position)
{
    return journal->ring_bytes - position % journal->ring_bytes;
}

static bool read_record(const struct journal *journal, uint64_t position, uint64_t sequence,
                        struct record *record)
{
    uint64_t room = bytes_to_end(journal, position);
    const uint8_t *bytes = journal->ring + position % journal->ring_bytes;
    if (room < JOURNAL_RECORD_BYTES)
        return false;
    struct reader r = reader_of(bytes, JOURNAL_RECORD_BYTES);
    uint32_t length = read_u32(&r);
    uint32_t crc = read_u32(&r);
    record->sequence = read_u64(&r);
    record->family = read_u32(&r);
    uint8_t type = read_u8(&r);
    if (record->sequence != sequence || length < JOURNAL_RECORD_BYTES || length > room ||
        length % ALIGN || type > RECORD_FLUSHED)
        return false;
    if (crc != crc32c(0, bytes + 8, length - 8))
        return false;
    record->type = type;
    record->payload = reader_of(bytes + JOURNAL_RECORD_BYTES, length - JOURNAL_RECORD_BYTES);
    record->next = position + length;
    return true;
}

bool journal_read(const struct journal *journal, uint64_t position, uint64_t sequence,
                  struct record *record)
{
    if (bytes_to_end(journal, position) < JOURNAL_RECORD_BYTES)
        position += bytes_to_end(journal, position);
    if (!read_record(journal, position, sequence, record))
        return false;
    if (record->type != RECORD_PAD)
        return true;
    return read_record(journal, record->next, sequence + 1, record) && record->type != RECORD_PAD;
}

static uint64_t record_bytes(uint64_t payload_bytes)
{
    return (JOURNAL_RECORD_BYTES + payload_bytes + ALIGN - 1) / ALIGN * ALIGN;
}

bool journal_fits(const struct journal *journal, uint64_t payload_bytes, uint64_t reserve_bytes)
{
    uint64_t room = bytes_to_end(journal, journal->head);
    uint64_t length = record_bytes(payload_bytes);
    uint64_t needed = length + (room < length ? room : 0) + reserve_bytes;
    return length <= journal->ring_bytes / 2 &&
           needed <= journal->ring_bytes - journal_used(journal);
}

static uint64_t seal_record(struct journal *journal, enum record_type type, uint32_t family,
                            uint64_t payload_bytes)
{
    uint8_t *bytes = journal->ring + journal->head % journal->ring_bytes;
    uint64_t length = record_bytes(payload_bytes);
    ASSERT(length <= bytes_to_end(journal, journal->head));
    memset(bytes + JOURNAL_RECORD_BYTES + payload_bytes, 0,
           length - JOURNAL_RECORD_BYTES - payload_bytes);
    struct writer w = writer_of(bytes, JOURNAL_RECORD_BYTES);
    write_u32(&w, (uint32_t)length);
    write_u32(&w, 0);
    write_u64(&w, journal->next_sequence);
    write_u32(&w, family);
    write_u8(&w, (uint8_t)type);
    write_zeros(&w, 3);
    struct writer crc = writer_of(bytes + 4, 4);
    write_u32(&crc, crc32c(0, bytes + 8, length - 8));
    ASSERT(!w.bad && !crc.bad);
    journal->head += length;
    return journal->next_sequence++;
}

struct writer journal_begin(struct journal *journal, uint64_t payload_bytes_max)
{
    ASSERT(!journal->pending && journal_fits(journal, payload_bytes_max, 0));
    uint64_t room = bytes_to_end(journal, journal->head);
    if (room < JOURNAL_RECORD_BYTES)
        journal->head += room;
    else if (room < record_bytes(payload_bytes_max))
        (void)seal_record(journal, RECORD_PAD, 0, room - JOURNAL_RECORD_BYTES);
    journal->pending = journal->ring + journal->head % journal->ring_bytes + JOURNAL_RECORD_BYTES;
    return writer_of(journal->pending, payload_bytes_max);
}

uint64_t journal_end(struct journal *journal, enum record_type type, uint32_t family,
                     const struct writer *payload)
{
    ASSERT(journal->pending && payload->begin == journal->pending && !payload->bad);
    journal->pending = NULL;
    return seal_record(journal, type, family, writer_length(payload));
}
