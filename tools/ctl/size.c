/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes as people write them: a whole number and a binary unit. */
#include "tools/ctl/ctl.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char size_units[] = "KMGTP"; /* 1024, 1024^2, ... */

/* "", "B", "K", "KiB" in any case: the shift; -1: none of them. */
static int unit_shift(const char *unit)
{
    if (!unit[0] || strcmp(unit, "B") == 0)
        return 0;
    const char *known = strchr(size_units, toupper((unsigned char)unit[0]));
    bool alone = !unit[1] || strcmp(unit + 1, "iB") == 0 || strcmp(unit + 1, "ib") == 0;
    if (!known || !alone)
        return -1;
    return 10 * (int)(known - size_units + 1);
}

int size_parse(const char *text, uint64_t *bytes, struct error *error)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0)
        return error_set(error, "size \"%s\": does not begin with a number", text);
    int shift = unit_shift(text + digits);
    if (shift < 0)
        return error_set(error,
                         "size \"%s\": \"%s\" is no unit; there are K, M, G, T and P, of 1024",
                         text, text + digits);
    uint64_t value = 0;
    for (size_t i = 0; i < digits; i++) {
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (value > (INT64_MAX - digit) / 10)
            return error_set(error, "size \"%s\": too large", text);
        value = value * 10 + digit;
    }
    if (value > (uint64_t)INT64_MAX >> shift)
        return error_set(error, "size \"%s\": too large", text);
    *bytes = value << shift;
    return 0;
}

void size_format(uint64_t bytes, char text[CTL_SIZE_TEXT_BYTES])
{
    int unit = -1;
    uint64_t scale = 1;
    while (unit < 4 && bytes / scale >= 1024) {
        scale *= 1024;
        unit++;
    }
    if (unit < 0)
        snprintf(text, CTL_SIZE_TEXT_BYTES, "%llu bytes", (unsigned long long)bytes);
    else if (bytes % scale == 0)
        snprintf(text, CTL_SIZE_TEXT_BYTES, "%llu %ciB", (unsigned long long)(bytes / scale),
                 size_units[unit]);
    else
        snprintf(text, CTL_SIZE_TEXT_BYTES, "%.1f %ciB", (double)bytes / (double)scale,
                 size_units[unit]);
}
