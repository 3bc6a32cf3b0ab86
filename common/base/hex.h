/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal digits, of either case. */
#ifndef STRAKE_BASE_HEX_H
#define STRAKE_BASE_HEX_H

/* -1: it is none. */
static inline int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Of two digits; the second is not looked at when the first is none. -1: they are not. */
static inline int hex_byte(const char *text)
{
    int high = hex_digit(text[0]);
    int low = high < 0 ? -1 : hex_digit(text[1]);
    return low < 0 ? -1 : high << 4 | low;
}

#endif
