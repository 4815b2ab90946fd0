/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Structures of the public headers, which grow at their end: a program passes the size that they
 * had when it was compiled, which may be smaller or larger than what the library has.
 */
#ifndef XENGT_LIB_SIZED_H
#define XENGT_LIB_SIZED_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Reads one: what the program does not know is zero. false: it asks for what we do not know. */
static inline bool sized_read(void *ours, size_t our_size, const void *theirs, size_t their_size)
{
    size_t both = their_size < our_size ? their_size : our_size;
    memset(ours, 0, our_size);
    memcpy(ours, theirs, both);
    for (size_t i = both; i < their_size; i++) {
        if (((const char *)theirs)[i]) {
            return false;
        }
    }
    return true;
}

/* Writes one: what we do not know is zero. */
static inline void sized_write(void *theirs, size_t their_size, const void *ours, size_t our_size)
{
    size_t both = their_size < our_size ? their_size : our_size;
    memcpy(theirs, ours, both);
    memset((char *)theirs + both, 0, their_size - both);
}

#endif
