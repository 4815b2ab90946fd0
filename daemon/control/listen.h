/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The listening end of the control socket. */
#ifndef XENGT_CONTROL_LISTEN_H
#define XENGT_CONTROL_LISTEN_H

#include <stddef.h>
#include <sys/types.h>

/*
 * A unix socket that listens, not blocking, for its owner only (mode 0600), or for a group's
 * members too (0660). A socket at path that nobody answers on is replaced; anything else there is
 * left alone. Returns the descriptor or a negative errno value, and then one line in error.
 */
int control_listen(const char *path, const gid_t *group, char *error, size_t error_size);

/* One that listens already, as it is. Returns it, or a negative errno value as above. */
int control_adopt(int fd, char *error, size_t error_size);

#endif
