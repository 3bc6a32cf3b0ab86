/* SPDX-License-Identifier: Apache-2.0 */
/* Tells the service manager how the process is (sd_notify(3)). */
#ifndef STRAKE_NET_NOTIFY_H
#define STRAKE_NET_NOTIFY_H

/* A datagram, such as "READY=1", to $NOTIFY_SOCKET; nothing where there is no service manager. */
void notify_manager(const char *text);

#endif
