/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests with the guest's grant table: grants it offers, and those that are written for it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <xenctrl.h>
#include <xenforeignmemory.h>

#include <xen/grant_table.h>
#include <xen/memory.h>

#include <xengt/grant.h>
#include <xengt/target.h>

#include "lib_test.h"

#define REF 100u

/* Entries as the guest would write them: writeable, read-only, of no RAM, none. */
static void offer(grant_entry_v1_t *table)
{
    static const struct {
        uint32_t frame;
        uint16_t flags;
    } offers[4] = {
        {GFN_A, GTF_permit_access},
        {GFN_B, GTF_permit_access | GTF_readonly},
        {GFN_BEYOND, GTF_permit_access},
        {0, 0},
    };
    for (unsigned i = 0; i < 4; i++) {
        table[REF + i].frame = offers[i].frame;
        table[REF + i].domid = 0;
        __sync_synchronize();
        table[REF + i].flags = offers[i].flags;
    }
}

/* The CPU sees the pages that are mapped: the guest's, which are looked at by another way, too. */
static void test_offered_views(struct test *t, struct xengt_cookie writeable,
                               struct xengt_cookie read_only)
{
    xenforeignmemory_handle *memory = xenforeignmemory_open(NULL, 0);
    const xen_pfn_t pfn[2] = {GFN_A, GFN_B};
    int err[2];
    volatile uint32_t *pages =
        xenforeignmemory_map(memory, t->domid, PROT_READ | PROT_WRITE, 2, pfn, err);
    volatile uint32_t *second = pages + XENGT_PAGE_SIZE / sizeof(*pages);
    void *view;
    void *again;
    EXPECT(xengt_view_mapping(t->xg, writeable, &view), 0);
    *(volatile uint32_t *)view = 0xa5a50001;
    expect(t, pages[0] == 0xa5a50001, "what is stored in the view of an offered page is there");
    pages[1] = 0xa5a50002;
    expect(t, ((volatile uint32_t *)view)[1] == 0xa5a50002, "and what the guest stores is seen");
    EXPECT(xengt_view_mapping(t->xg, writeable, &again), 0);
    expect(t, again == view, "there is one view of a mapping");
    *second = 0xa5a50003;
    EXPECT(xengt_view_mapping(t->xg, read_only, &view), 0);
    expect(t, *(volatile uint32_t *)view == 0xa5a50003, "a read-only grant has a view, too");
    xenforeignmemory_unmap(memory, (void *)pages, 2);
    xenforeignmemory_close(memory);
}

static void test_offered_maps(struct test *t, const grant_entry_v1_t *table)
{
    const uint32_t ref[5] = {REF, REF, REF + 2, REF + 3, REF + 1};
    static const int want[5] = {0, 0, -EINVAL, -EACCES, -EACCES};
    struct xengt_bfn bfn[5];
    struct xengt_cookie cookie[5];
    struct xengt_bfn read_only;
    struct xengt_cookie read_only_cookie;
    int err[5];
    EXPECT(xengt_map_offered(t->xg, t->domid, ref, bfn, cookie, err, 5, XENGT_PROT_RW), 0);
    for (int i = 0; i < 5; i++) {
        expect(t, err[i] == want[i], "offered grant %u gives %d, got %d", ref[i], want[i], err[i]);
    }
    EXPECT(xengt_map_offered(t->xg, t->domid, &ref[4], &read_only, &read_only_cookie, NULL, 1,
                             XENGT_PROT_READ),
           0);
    EXPECT(xengt_map_offered(t->xg, t->domid, ref, bfn, cookie, NULL, 0, 0), -EINVAL);
    expect(t, table[REF].flags & GTF_writing, "Xen marks the entry as in use");
    expect(t, (table[REF + 1].flags & (GTF_reading | GTF_writing)) == GTF_reading,
           "and a read-only one as read");
    test_offered_views(t, cookie[0], read_only_cookie);
    EXPECT(xengt_unmap(t->xg, cookie, err, 2), 0);
    EXPECT(err[0], 0);
    EXPECT(err[1], 0);
    EXPECT(unmap1(t, read_only), 0);
    EXPECT(unmap1(t, read_only), -ENOENT);
    expect(t, !((table[REF].flags | table[REF + 1].flags) & (GTF_reading | GTF_writing)),
           "after the unmap no entry is in use");
}

static xenforeignmemory_resource_handle *map_table(xenforeignmemory_handle *memory, struct test *t,
                                                   unsigned frame, void **table)
{
    *table = NULL;
    return xenforeignmemory_map_resource(memory, t->domid, XENMEM_resource_grant_table,
                                         XENMEM_resource_grant_table_id_shared, frame, 1, table,
                                         PROT_READ | PROT_WRITE, 0);
}

#define LAST_FRAME 63u /* where the grant back end begins */
#define IN_A_FRAME 512u

/* The entry that lets a frame be mapped; Xen has marked it. */
static grant_entry_v1_t *find_entry(grant_entry_v1_t *table, uint32_t frame)
{
    for (unsigned i = 0; i < IN_A_FRAME; i++) {
        if (table[i].frame == frame && table[i].flags & GTF_writing) {
            return &table[i];
        }
    }
    return NULL;
}

/* A guest that writes to the entries that serve us harms itself only. */
static void test_hostile_guest(struct test *t, grant_entry_v1_t *table)
{
    struct xengt_bfn bfn;
    struct xengt_bfn again;
    EXPECT(map1(t, GFN_A, &bfn, XENGT_PROT_RW), 0);
    grant_entry_v1_t *entry = find_entry(table, GFN_A);
    expect(t, entry != NULL, "the entry is in the last frame of the table");
    if (!entry) {
        return;
    }
    entry->frame = GFN_B;
    EXPECT(unmap1(t, bfn), 0);
    expect(t, entry->frame == GFN_B && !(entry->flags & (GTF_reading | GTF_writing)),
           "an entry the guest has changed is unmapped, and left to it");
    EXPECT(map1(t, GFN_A, &again, XENGT_PROT_RW), 0);
    grant_entry_v1_t *second = find_entry(table, GFN_A);
    expect(t, again.v == bfn.v && second && second != entry, "and not used again");
    if (!second) {
        return;
    }
    memset(second, 0, sizeof(*second)); /* while Xen has it mapped */
    EXPECT(unmap1(t, again), 0);
    memset(entry, 0, sizeof(*entry));
    /* It takes all that is left of the frame: ours go elsewhere. */
    unsigned taken = 0;
    for (unsigned i = 0; i < IN_A_FRAME; i++) {
        if (table[i].flags == 0) {
            table[i] = (grant_entry_v1_t){.flags = GTF_permit_access, .domid = 9, .frame = i};
            taken++;
        }
    }
    EXPECT(map1(t, GFN_A, &bfn, XENGT_PROT_RW), 0);
    EXPECT(unmap1(t, bfn), 0);
    unsigned still = 0;
    for (unsigned i = 0; i < IN_A_FRAME; i++) {
        still += table[i].domid == 9 && table[i].flags == GTF_permit_access && table[i].frame == i;
    }
    expect(t, still == taken, "grants of the guest's own are never touched");
    memset(table, 0, IN_A_FRAME * sizeof(*table));
}

void test_seeded(struct test *t)
{
    xenforeignmemory_handle *memory = xenforeignmemory_open(NULL, 0);
    void *table;
    EXPECT(xengt_target_add(t->xg, t->domid), 0);
    xenforeignmemory_resource_handle *resource = map_table(memory, t, LAST_FRAME, &table);
    if (expect(t, resource != NULL, "the last frame of the grant table is there")) {
        test_hostile_guest(t, table);
        xenforeignmemory_unmap_resource(memory, resource);
    }
    EXPECT(xengt_target_remove(t->xg, t->domid), 0);
    xenforeignmemory_close(memory);
}

void test_offers(struct test *t)
{
    xenforeignmemory_handle *memory = xenforeignmemory_open(NULL, 0);
    void *table;
    xenforeignmemory_resource_handle *resource = map_table(memory, t, 0, &table);
    if (expect(t, resource != NULL, "the guest's grant table is there")) {
        offer(table);
        test_offered_maps(t, table);
        memset((grant_entry_v1_t *)table + REF, 0, 4 * sizeof(grant_entry_v1_t));
        xenforeignmemory_unmap_resource(memory, resource);
    }
    xenforeignmemory_close(memory);
}
