/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mapping and unmapping by grant reference, in batches.
 *
 * Xen answers a map with a handle, and only that handle undoes it. The array of operations that
 * is given to Xen therefore lies in the journal: Xen itself writes the handle there, and no kill
 * can come between the mapping and its record. Afterwards it is copied to the record of the slot,
 * with the frame of dev_bus_addr, which Xen checks at the unmap.
 */
#ifndef XENGT_LIB_HV_XEN_GRANT_OPS_H
#define XENGT_LIB_HV_XEN_GRANT_OPS_H

#include <stddef.h>
#include <string.h>

#include "hv/xen/xen.h" /* has xenctrl.h first, which sets Xen's headers up */

#include <xen/grant_table.h>

#define GNT_STATUS_NONE 1 /* not answered: Xen's own are 0 and negative */

/* The area of the journal. */
struct gnt_area {
    uint32_t n;     /* operations given to Xen, or about to be; 0: the records have them all */
    uint32_t first; /* the place of the first one's slot in the flight of maps */
    _Alignas(32) struct gnttab_map_grant_ref map[XENGT_BATCH_MAX];
    struct gnttab_unmap_grant_ref unmap[XENGT_BATCH_MAX];
};

/* Xen's answer to one operation as an errno value. */
int gnt_errno(int16_t status);

/* Builds an operation that maps: three stores. Xen writes the rest of it, if all goes well. */
static inline void gnt_set(struct gnttab_map_grant_ref *op, uint32_t domid, uint32_t ref,
                           uint64_t host_addr, uint32_t flags)
{
    const uint64_t flags_ref = (uint64_t)ref << 32 | flags;
    const uint32_t dom_status = (uint32_t)GNT_STATUS_NONE << 16 | (domid_t)domid;
    char *p = (char *)op;
    op->host_addr = host_addr;
    memcpy(p + offsetof(struct gnttab_map_grant_ref, flags), &flags_ref, sizeof(flags_ref));
    memcpy(p + offsetof(struct gnttab_map_grant_ref, dom), &dom_status, sizeof(dom_status));
}
_Static_assert(offsetof(struct gnttab_map_grant_ref, ref) ==
                       offsetof(struct gnttab_map_grant_ref, flags) + 4 &&
                   offsetof(struct gnttab_map_grant_ref, status) ==
                       offsetof(struct gnttab_map_grant_ref, dom) + 2,
               "as gnt_set() has it");

/*
 * Issues the n operations that were built, for n slots in a row of the flight of maps. Sets err[i]
 * of all; where it is 0 the slot's record is complete. Returns how many are not.
 */
size_t gnt_issue(const struct hv_calls *calls, struct slots *journal, const uint32_t *slot,
                 int *err, size_t n);

/*
 * Unmaps slots by their records, which stay as they are. window_base: of a back end whose
 * offered grants lie in its window; 0: they are device mappings. -ENOENT where Xen does not have
 * this mapping any more. Returns how many err are not 0.
 */
size_t gnt_unmap(const struct hv_calls *calls, struct slots *journal, uint64_t window_base,
                 const uint32_t *slot, int *err, size_t n);

/* After a kill: completes records from the operations that Xen had been given. */
void gnt_recover(struct slots *journal);

/* Maps grants that a domain offers; into the window unless window_base is 0. */
size_t gnt_map_offered(const struct hv_calls *calls, struct slots *journal, uint64_t window_base,
                       uint32_t domid, const uint32_t *slot, int *err, size_t n, unsigned prot);

#endif
