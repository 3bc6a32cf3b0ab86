/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a protocol session is driven, NBD and iSCSI alike. A session is pulled: the pump calls
 * x_next() while there are bytes and the volume takes requests; the session consumes from rx,
 * answers what needs no disk into tx, and hands out one block request at a time. The pump submits
 * it to the request's export and calls x_reply() when it is done. Pure: no descriptor, no clock, no
 * log.
 *
 * A session bounds what one client may hold: requests in flight, their bytes, and answers that the
 * client does not read. When an export goes away the pump calls x_next() of the sessions that use
 * it, whether or not there are bytes, so that they may close.
 */
#ifndef STRAKE_FRONT_SESSION_H
#define STRAKE_FRONT_SESSION_H

enum session_next {
    SESSION_MORE,    /* nothing to do until more bytes arrive (rx.want_bytes says how many) */
    SESSION_REQUEST, /* *out is a request to submit */
    /*
     * Waits for its own answers: call again after its next x_reply(), or once tx is empty. With
     * nothing in flight and tx empty it waits for the shared pool, after anybody's next x_reply(),
     * or for its export's guard.
     */
    SESSION_BUSY,
    /*
     * Put the stream within TLS, behind what is in tx; rx is empty. Call nbd_secured when it
     * stands, and x_next when there are bytes.
     */
    SESSION_SECURE,
    SESSION_CLOSE, /* send what is in tx, then close; the session's `why` says the reason */
};

#endif
