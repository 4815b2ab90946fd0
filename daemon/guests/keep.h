/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file of a guest that outlives xengtd: one for each in the state directory, mapped into the
 * process, in which its vGPU keeps its registers and all else that the guest will not write again.
 * Nothing is saved to it: whoever is killed has left it as it was, and the next xengtd goes on with
 * it.
 *
 * Without a state directory the same is memory of the process.
 */
#ifndef XENGT_GUESTS_KEEP_H
#define XENGT_GUESTS_KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guests/windows.h"

/* Which guest it is of, and what its vGPU was made as. The first two stay where they are for ever.
 */
struct keep_note {
    uint32_t domid;
    uint8_t identity[16]; /* the domain's uuid */
    uint32_t slot;
    char type[32];
    struct windows windows;
    uint8_t lazy_ggtt;
};

struct keep {
    void *file; /* NULL: there is none */
    size_t size;
    int fd;          /* -1: it is memory */
    const char *dir; /* the maker's */
    uint32_t domid;
};

/*
 * Makes the file, in place of an older one of the domid, and reserves all of its memory. kept is
 * how much is wanted behind the note, zeroed. dir NULL: memory. Negative errno values, -ENOSPC
 * among them.
 */
int keep_make(struct keep *keep, const char *dir, const struct keep_note *note, size_t kept);

/* From now on the file counts: a guest with a vGPU is behind it. */
void keep_begin(struct keep *keep);

/*
 * xengtd is at work for the guest, or is not any more. If it ends in between, that may be what the
 * guest asks for; what is asked for is still there after the end, and so would be the next end.
 */
void keep_mark(struct keep *keep, bool at_work);

/* So far it went well: ends that came before do not count any more. */
void keep_trust(struct keep *keep);

/* The guest at whose work xengtd has ended so often, and not done much between, is not taken up. */
#define KEEP_ENDS_MAX 3u

/*
 * Opens a file that a predecessor left. -ENOENT: there is none, or its guest had no vGPU yet;
 * -EPROTO: it is of another version; -EBADMSG: damaged; -ECANCELED: KEEP_ENDS_MAX; in these three
 * cases the note is as it is in there. -EPERM: it is not this user's alone; others.
 */
int keep_open(struct keep *keep, const char *dir, uint32_t domid, struct keep_note *note);

/* What is behind the note, size bytes; NULL: it is not as large. */
void *keep_data(const struct keep *keep, size_t size);

/* What is stored into it from now on does not come into the file. */
int keep_freeze(struct keep *keep);

/* The guest has no vGPU any more: nobody is to find the file. What is in memory stays. dir may be
 * NULL. */
void keep_forget(const char *dir, uint32_t domid);

void keep_close(struct keep *keep);

/* Calls fn with the domid of each file. */
void keep_each(const char *dir, void (*fn)(void *arg, uint32_t domid), void *arg);

#endif
