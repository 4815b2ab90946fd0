/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frame numbers. A guest frame number and a bus frame number are both 64-bit numbers of 4 KiB
 * frames, and mixing them up is how a GPU comes to write into the wrong memory. They are
 * therefore two types: passing one for the other does not compile.
 */
#ifndef XENGT_TYPES_H
#define XENGT_TYPES_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XENGT_PAGE_SHIFT 12
#define XENGT_PAGE_SIZE  (1u << XENGT_PAGE_SHIFT)

/* Guest frame number: guest-physical address >> 12, in the address space of one domain. */
struct xengt_gfn {
    uint64_t v;
};

/* Bus frame number: the address a device puts on the bus >> 12 (the IOMMU's input). */
struct xengt_bfn {
    uint64_t v;
};

/* Not a frame: what an output array holds where the entry's err[] is not 0. */
#ifdef __cplusplus
#define XENGT_BFN_INVALID (xengt_bfn{~UINT64_C(0)})
#else
#define XENGT_BFN_INVALID ((struct xengt_bfn){~UINT64_C(0)})
#endif

/*
 * The name of one mapping. No two mappings of a handle have the same one, not one after the other
 * either: a cookie of a mapping that is undone, or of another handle, is known to be none.
 */
struct xengt_cookie {
    uint64_t v;
};

/* No mapping: what an output array holds where the entry's err[] is not 0. */
#ifdef __cplusplus
#define XENGT_COOKIE_NONE (xengt_cookie{0})
#else
#define XENGT_COOKIE_NONE ((struct xengt_cookie){0})
#endif

/* Largest GFN a map accepts: 48-bit guest-physical addresses. */
#define XENGT_GFN_MAX ((UINT64_C(1) << 36) - 1)

static inline uint64_t xengt_bfn_to_addr(struct xengt_bfn bfn)
{
    return bfn.v << XENGT_PAGE_SHIFT;
}

#ifdef __cplusplus
}
#endif

#endif
