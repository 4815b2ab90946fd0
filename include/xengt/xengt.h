/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxengt: safe, batched mappings of guest memory for DMA on Xen.
 *
 * A device model names (domid, gfn); Xen takes a reference on the page and the library answers
 * with the bus frame number (BFN) the device must use. Until the mapping is undone the page
 * cannot go to another domain, whatever its owner does.
 *
 * Conventions of the whole library
 *   Errors    Functions return 0 or a negative errno value. xengt_last_error() gives the last
 *             failure on a handle as one line of text for people.
 *   Arrays    A function with an err[] array follows libxenforeignmemory's contract: with err
 *             NULL the call is all or nothing; with err given, entries succeed or fail each by
 *             itself, err[i] is 0 or a negative errno value, and the return value is 0 unless
 *             the call as a whole could not be made.
 *   Arguments Handles, spaces and options must be what the header says they are: nothing checks
 *             for a NULL handle or one that is closed, except where NULL is allowed. Numbers and
 *             arrays are checked: n = 0 does nothing and needs no arrays; n may be of any size; a
 *             NULL array with n > 0 is -EINVAL; a frame or BFN may be any number and stand in an
 *             array more than once.
 *   Sizes     Structures grow, at their end. The functions below whose names end in _sized take the
 *             size that a structure has in the caller's headers; those without are in the headers
 *             and pass it. A member that the caller does not know is zero for the library, one that
 *             the library does not know must be zero (-EINVAL), or comes back as zero. struct
 *             xengt_caps is the library's own, and needs no size.
 *   Threads   A handle and everything made from it may be used by one thread at a time: threads
 *             that share one take a lock of their own around its calls, and any of them may then
 *             make the next call. Handles are independent of each other and may be used at the
 *             same time; there is no global state.
 *   Processes A handle does not survive fork() in the child: the child must not touch it. As long
 *             as the child does not exec or end, though, the handle has its owner, whatever became
 *             of the parent: nobody else can open it.
 *   Log       Nothing is written to standard output or error, not by Xen's own libraries either:
 *             what they say is information (LOG_INFO) for options.log.
 */
#ifndef XENGT_XENGT_H
#define XENGT_XENGT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xengt/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct xengt;
struct xengt_sim;

/* How the hypervisor is asked. XENGT_BACKEND_AUTO chooses by what the running Xen offers. */
enum xengt_backend {
    XENGT_BACKEND_AUTO,
    XENGT_BACKEND_PHYSMAP, /* PVH or HVM backend domain: foreign frames in its own p2m */
    XENGT_BACKEND_SIM,     /* a model of Xen inside the process; see <xengt/sim.h> */
    XENGT_BACKEND_GRANT,   /* PV dom0: grants, written into the guests' grant tables */
    XENGT_BACKEND_PVIOMMU, /* PV dom0 of XenServer or XCP-ng: its PV-IOMMU hypercall */
};

/*
 * Levels are syslog's: LOG_ERR 3, LOG_WARNING 4, LOG_NOTICE 5, LOG_INFO 6. One line, no '\n'. It is
 * called in the middle of things and must not call the library.
 */
typedef void xengt_log_fn(void *arg, int level, const char *line);

/* Zero is the default of every member. Strings are copied. */
struct xengt_options {
    enum xengt_backend backend;

    /*
     * The physmap back end: bits of an address that the devices can use, 32..52; the window lies
     * below. 0 means XENGT_ADDRESS_BITS_DEFAULT, which is what Intel's GPUs of gen8 to gen12 have.
     */
    unsigned address_bits;

    /*
     * The window: the range of the backend domain's own frame numbers that mappings are put
     * into. window_pages 0 means a size fit for the machine; window_base 0 lets the library
     * look for a range that nothing else in the domain uses, or fail with the remedy. The grant
     * and pviommu back ends have no window; window_pages bounds their mappings all the same.
     */
    uint64_t window_base;
    uint32_t window_pages;

    /*
     * The physmap back end: a window takes page tables, 2 MiB of them for each GiB in use, from
     * the paging pool that Xen has given this domain. When that is used up, mapping fails with
     * -ENOMEM and the log says what size would do. Set: it is made that large instead, out of
     * Xen's free memory.
     */
    bool grow_pool;

    /*
     * The grant back end: how many frames of each guest's grant table it may use, from the last
     * one downwards. A frame serves 512 mappings; a guest's table has 64 unless its
     * configuration says otherwise (max_grant_frames), and the first use makes Xen allocate all
     * of them. 0: XENGT_GRANT_FRAMES_DEFAULT; at most 64.
     */
    uint32_t grant_frames;

    /* Entries per hypercall, 1..XENGT_BATCH_MAX; 0 means XENGT_BATCH_DEFAULT. */
    unsigned batch;

    /*
     * Directory of the lock file and the journal; made if absent. It must belong to this user and
     * be writable by nobody else, and vanish at a reboot of the host, as the mappings do: a tmpfs.
     * NULL means XENGT_STATE_DIR. The simulator uses none unless it is given one.
     */
    const char *state_dir;

    /*
     * Keep what a killed predecessor left mapped instead of unmapping it, for a process that goes
     * on where that one stopped, with devices that still use its BFNs. Kept mappings are as if
     * xengt_map() had made them: xengt_mappings() lists them, xengt_space_adopt() gives them to a
     * space, xengt_unmap() ends them. What was on its way at the kill is unmapped in any case, and
     * everything is if the journal is damaged, or was written with another window or back end:
     * stats.adopted tells.
     */
    bool adopt;

    xengt_log_fn *log; /* NULL: silent */
    void *log_arg;

    struct xengt_sim *sim; /* required by XENGT_BACKEND_SIM; stays the caller's */

    /*
     * Pages that one domain may have mapped at a time by grants that it offers: it need not be a
     * target, so no quota of a space bounds them. 0: XENGT_OFFER_QUOTA_DEFAULT.
     */
    uint32_t offer_quota;
};

#define XENGT_STATE_DIR     "/run/xengt"
#define XENGT_BATCH_DEFAULT 256u
#define XENGT_BATCH_MAX     4096u /* pviommu: 128, and more is taken as that */

#define XENGT_GRANT_FRAMES_DEFAULT 32u

#define XENGT_OFFER_QUOTA_DEFAULT 4096u

#define XENGT_ADDRESS_BITS_DEFAULT 39u /* below 512 GiB */

/* What an open handle can do. */
struct xengt_caps {
    enum xengt_backend backend;
    const char *backend_name;
    const char *explanation; /* why this back end, in one line */
    uint64_t window_base;    /* first BFN of the window; 0: BFNs are not ours to choose */
    uint32_t window_pages;   /* mappings that can exist at a time, all targets together */
    unsigned batch;          /* entries per hypercall */
    bool read_only;          /* XENGT_PROT_READ alone can be had of xengt_map(), and is enforced */
};

/* Counters since the handle was opened, except the first four, which are the present state. */
struct xengt_stats {
    uint64_t mapped;         /* mappings that exist, deferred ones included */
    uint64_t deferred;       /* of these: released by their users, not yet unmapped */
    uint64_t leaked;         /* slots never used again: their unmap failed, or they are not ours */
    uint64_t reclaimed;      /* mappings of a predecessor that were released at open */
    uint64_t map_calls;      /* hypercalls that map */
    uint64_t map_pages;      /* pages mapped by them */
    uint64_t map_failures;   /* entries refused by Xen */
    uint64_t unmap_calls;    /* hypercalls (or multicalls) that unmap */
    uint64_t unmap_pages;    /* pages unmapped by them */
    uint64_t unmap_failures; /* entries whose unmap failed: each is a leaked slot */
    uint64_t hits;           /* uses of a gfn served without a hypercall */
    uint64_t adopted;        /* mappings of a predecessor that were kept at open */
};

/*
 * Opens a handle. What a predecessor that used the same state directory left mapped, because it
 * was killed, is unmapped first, or kept: options.adopt. What Xen does not release is leaked, the
 * log says so, and the next open tries again.
 *
 * A handle is the one owner of its state directory, and on the host of its window, of the grant
 * tables of the guests that it maps (grant) or of all pages pinned for devices (pviommu). Nothing
 * is touched before that is certain. What is in the window all the same is left there.
 *   -EBUSY   another process owns the state directory, the window, or a part of it
 *   -ENODEV  no Xen here, or not a domain that can be a backend
 *   -EPERM, -EACCES
 *            Xen's interfaces need privilege; or others can write to the state directory
 *   -EINVAL  an option makes no sense, or is one that this library does not know; or the window is
 *            not safe to use; or the state directory holds mappings of another back end
 *   -ENOSPC  no room for the journal
 *   -ENOMEM
 *   -EIO     the kernel has no random numbers
 *   other    a file of the state directory, or of /proc, cannot be opened: as the kernel says
 * On failure *out is NULL and, if error is not NULL, one line of at most error_size bytes is
 * put there that names what is missing and the remedy.
 */
int xengt_open_sized(struct xengt **out, const struct xengt_options *options, size_t options_size,
                     char *error, size_t error_size);
static inline int xengt_open(struct xengt **out, const struct xengt_options *options, char *error,
                             size_t error_size)
{
    return xengt_open_sized(out, options, sizeof(*options), error, error_size);
}

/*
 * Whether XENGT_BACKEND_AUTO finds here what it needs. Nothing is opened, and nothing changed; also
 * while another process has a handle. What only Xen can tell, xengt_open() finds out.
 * 0: text, of size bytes, says what would be used. Negative: it says what is missing, and the
 * remedy; errors as of xengt_open(). Whoever may not see addresses in /proc/iomem gets -EPERM.
 */
int xengt_check(char *text, size_t size);

/*
 * Closes a handle: every mapping made through it is unmapped, and every space of it closed: no
 * pointer to one may be used after that. The caller has made sure that no device uses a BFN of it
 * any more. NULL is allowed.
 */
void xengt_close(struct xengt *xg);

/* Valid until xengt_close(). */
const struct xengt_caps *xengt_get_caps(const struct xengt *xg);

void xengt_get_stats_sized(const struct xengt *xg, struct xengt_stats *stats, size_t size);
static inline void xengt_get_stats(const struct xengt *xg, struct xengt_stats *stats)
{
    xengt_get_stats_sized(xg, stats, sizeof(*stats));
}

/* The last failure on this handle, one line; valid until the next call. Never NULL. */
const char *xengt_last_error(const struct xengt *xg);

#ifdef __cplusplus
}
#endif

#endif
