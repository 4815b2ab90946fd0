/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The user whose clients connect: for programs that are linked with --wrap=getsockopt. */
#ifndef TESTS_SUPPORT_PEER_H
#define TESTS_SUPPORT_PEER_H

#include <sys/types.h>

extern uid_t peer_uid;

#endif
