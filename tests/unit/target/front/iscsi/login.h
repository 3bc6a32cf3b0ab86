/* SPDX-License-Identifier: Apache-2.0 */
/* The initiator logs in. */
#ifndef STRAKE_TESTS_ISCSI_LOGIN_H
#define STRAKE_TESTS_ISCSI_LOGIN_H

#include "tests/unit/target/front/iscsi/wire.h"

static const char login_keys[] = "InitiatorName=iqn.1994-05.org.example:host\0"
                                 "SessionType=Normal\0"
                                 "TargetName=iqn.2026-11.io.strake:a\0";

/* Login requests. `flags`: T, C, CSG, NSG. */
static inline struct pdu_login_response peer_login_step(struct peer *p, uint8_t flags,
                                                        const void *keys, uint32_t keys_bytes)
{
    struct pdu_login request = {.head = {.opcode = PDU_LOGIN,
                                         .immediate = true,
                                         .flags = flags,
                                         .data_bytes = keys_bytes,
                                         .itt = 0x77,
                                         .cmd_sn = p->cmd_sn},
                                .isid = p->isid,
                                .tsih = p->tsih,
                                .cid = p->cid};
    struct pdu_login_response response;
    uint8_t bhs[PDU_BHS_BYTES];
    pdu_login_encode(bhs, &request);
    peer_send(p, bhs, keys, keys_bytes);
    ck_assert_uint_eq(peer_take(p), PDU_LOGIN_RESPONSE);
    pdu_login_response_decode(p->bhs, &response);
    return response;
}

enum { TO_FULL_FROM_OPERATIONAL = 0x87, TO_FULL_FROM_SECURITY = 0x83, TO_OPERATIONAL = 0x81 };

/* True when the text of the last answer has this pair. */
static inline bool peer_told(const struct peer *p, const char *pair)
{
    for (uint32_t at = 0; at < p->data_bytes;
         at += (uint32_t)strlen((const char *)p->data + at) + 1)
        if (strcmp((const char *)p->data + at, pair) == 0)
            return true;
    return false;
}

/* Logs in from the operational stage with these keys besides the names. */
static inline void peer_login_with(struct peer *p, const char *keys, uint32_t keys_bytes)
{
    char text[2048];
    uint32_t names = sizeof(login_keys) - 1;
    ck_assert_uint_le(names + keys_bytes, sizeof(text));
    memcpy(text, login_keys, names);
    memcpy(text + names, keys, keys_bytes);
    struct pdu_login_response response =
        peer_login_step(p, TO_FULL_FROM_OPERATIONAL, text, names + keys_bytes);
    ck_assert_uint_eq(response.status, 0);
    ck_assert_uint_eq(response.head.flags, TO_FULL_FROM_OPERATIONAL);
    ck_assert_uint_ne(response.tsih, 0);
    p->tsih = response.tsih;
}

#define KEYS(text) (text), (uint32_t)sizeof(text) - 1

#endif
