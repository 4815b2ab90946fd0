/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The answer to SO_PEERCRED, which is all that the daemon asks of a socket. */
#include "support/peer.h"

#include <sys/socket.h>

#include "support/cmocka_all.h"

uid_t peer_uid;

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    (void)fd;
    assert_int_equal(level, SOL_SOCKET);
    assert_int_equal(name, SO_PEERCRED);
    *(struct ucred *)value = (struct ucred){.uid = peer_uid};
    *len = sizeof(struct ucred);
    return 0;
}
