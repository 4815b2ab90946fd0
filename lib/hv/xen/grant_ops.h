/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mapping and unmapping by grant reference, in batches.
 *
 * Xen answers a map with a handle, and only that handle undoes it. The array of operations that
 * is given to Xen therefore lies in the journal: Xen itself writes the handle there, and no kill
 * can come between the mapping and its record. Afterwards it is copied to the held entry of the
 * slot: handle, reference, and the frame of dev_bus_addr, which Xen checks at the unmap.
 */
#ifndef XENGT_LIB_HV_XEN_GRANT_OPS_H
#define XENGT_LIB_HV_XEN_GRANT_OPS_H

#include "hv/xen/xen.h" /* has xenctrl.h first, which sets Xen's headers up */

#include <xen/grant_table.h>

/* The area of the journal. */
struct gnt_area {
    uint32_t n; /* entries of map[] in use: given to Xen, or about to be; 0: held has them all */
    uint32_t slot[XENGT_BATCH_MAX];
    struct gnttab_map_grant_ref map[XENGT_BATCH_MAX];
    struct gnttab_unmap_grant_ref unmap[XENGT_BATCH_MAX];
};

/* Xen's answer to one operation as an errno value. */
int gnt_errno(int16_t status);

/*
 * The batch is built in the area: add each from 0 on, issue, end. What an operation refers to is in
 * the journal from then on, and a successor clears the entries of those that failed until the end.
 */
void gnt_add(struct slots *journal, size_t i, uint32_t slot, uint32_t domid, uint32_t ref,
             uint64_t host_addr, uint32_t flags);

/* Sets err[i] of all n; where it is 0 the slot's held entry is complete, else unchanged. */
void gnt_issue(const struct hv_calls *calls, struct slots *journal, int *err, size_t n);

void gnt_end(struct slots *journal);

/*
 * Unmaps slots by their held entries, which stay as they are. window_base: of a back end whose
 * offered grants lie in its window; 0: they are device mappings. -ENOENT where Xen does not have
 * this mapping any more.
 */
void gnt_unmap(const struct hv_calls *calls, struct slots *journal, uint64_t window_base,
               const uint32_t *slot, int *err, size_t n);

/* After a kill: completes held entries from the operations that Xen had been given. */
void gnt_recover(struct slots *journal);

/* Maps grants that a domain offers; into the window unless window_base is 0. */
void gnt_map_offered(const struct hv_calls *calls, struct slots *journal, uint64_t window_base,
                     uint32_t domid, const uint32_t *slot, int *err, size_t n, unsigned prot);

/* Undoes them: as gnt_unmap(), and the held entries of those undone are cleared. */
void gnt_unmap_offered(const struct hv_calls *calls, struct slots *journal, uint64_t window_base,
                       const uint32_t *slot, int *err, size_t n);

#endif
