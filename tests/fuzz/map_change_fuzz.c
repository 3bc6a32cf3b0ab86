/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a journal or a table holds: changes and rows that are taken encode to what they were. */
#include "replica/map/change.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void changes_take(const uint8_t *data, size_t size)
{
    struct reader r = reader_of(data, size);
    struct change change;
    while (change_decode(&r, &change)) {
        uint8_t bytes[CHANGE_EXTENT_BYTES_MAX];
        struct writer w = writer_of(bytes, sizeof(bytes));
        if (change.kind == CHANGE_EXTENT)
            change_extent(&w, change.branch, change.extent, change.step,
                          change.gone ? NULL : &change.row);
        ASSERT(!w.bad);
    }
}

static void row_take(const uint8_t *data, size_t size)
{
    struct extent_row row, again;
    uint8_t bytes[EXTENT_ROW_BYTES_MAX];
    struct reader r = reader_of(data, size);
    struct writer w = writer_of(bytes, sizeof(bytes));
    extent_row_decode(&r, &row);
    if (r.bad)
        return;
    extent_row_encode(&w, &row);
    ASSERT(!w.bad);
    struct reader second = reader_of(bytes, writer_length(&w));
    extent_row_decode(&second, &again);
    uint8_t same[EXTENT_ROW_BYTES_MAX];
    struct writer v = writer_of(same, sizeof(same));
    extent_row_encode(&v, &again);
    ASSERT(!second.bad && writer_length(&v) == writer_length(&w));
    ASSERT(memcmp(bytes, same, writer_length(&w)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    changes_take(data, size);
    row_take(data, size);
    return 0;
}
