/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The same on a PV dom0: an entry of the guest's grant table for each page, and the hypercalls. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <xenctrl.h>

#include <xen/grant_table.h>
#include <xen/memory.h>

#include "bench_lib.h"

#define DOM0 0

struct args {
    struct gnttab_map_grant_ref map[PAGES];
    struct gnttab_unmap_grant_ref unmap[PAGES];
};

struct raw {
    struct bench *b;
    struct args *args;
    grant_entry_v1_t *table;
    xenforeignmemory_resource_handle *table_handle;
    uint32_t handle[PAGES];
    uint64_t bus[PAGES];
};

void *table_map(struct bench *b, unsigned frame, xenforeignmemory_resource_handle **handle)
{
    void *table = NULL;
    *handle = xenforeignmemory_map_resource(b->memory, b->domid, XENMEM_resource_grant_table,
                                            XENMEM_resource_grant_table_id_shared, frame, 1, &table,
                                            PROT_READ | PROT_WRITE, 0);
    return *handle ? table : NULL;
}

static void offer(grant_entry_v1_t *entry, uint64_t gfn)
{
    entry->domid = DOM0;
    entry->frame = (uint32_t)gfn;
    __atomic_store_n(&entry->flags, GTF_permit_access, __ATOMIC_RELEASE);
}

void table_offer(void *table)
{
    grant_entry_v1_t *entry = table;
    for (unsigned i = 0; i < PAGES; i++) {
        offer(&entry[i], FIRST_GFN + i);
    }
}

static void raw_close(void *state)
{
    struct raw *r = state;
    if (r->args) {
        xencall_free_buffer(r->b->call, r->args);
    }
    if (r->table_handle) {
        xenforeignmemory_unmap_resource(r->b->memory, r->table_handle);
    }
    free(r);
}

static void *raw_open(struct bench *b, const char **why)
{
    if (b->raw_base) {
        *why = "only for a PV dom0";
        return NULL;
    }
    struct raw *r = calloc(1, sizeof(*r));
    if (!r) {
        *why = "no memory";
        return NULL;
    }
    r->b = b;
    r->args = xencall_alloc_buffer(b->call, sizeof(*r->args));
    r->table = table_map(b, RAW_FRAME, &r->table_handle);
    if (!r->args || !r->table) {
        *why = "the guest's grant table cannot be mapped";
        raw_close(r);
        return NULL;
    }
    return r;
}

static int raw_map(void *state, size_t first, size_t n)
{
    struct raw *r = state;
    struct gnttab_map_grant_ref *op = r->args->map;
    for (size_t i = 0; i < n; i++) {
        offer(&r->table[first + i], FIRST_GFN + first + i);
        op[i] = (struct gnttab_map_grant_ref){
            .flags = GNTMAP_device_map,
            .ref = RAW_FRAME * TABLE_ENTRIES + first + i,
            .dom = (domid_t)r->b->domid,
        };
    }
    if (xencall3(r->b->call, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, (uintptr_t)op,
                 n)) {
        return -errno;
    }
    for (size_t i = 0; i < n; i++) {
        if (op[i].status) {
            return -EIO;
        }
        r->handle[first + i] = op[i].handle;
        r->bus[first + i] = op[i].dev_bus_addr;
    }
    return 0;
}

static int raw_unmap(void *state, size_t first, size_t n)
{
    struct raw *r = state;
    struct gnttab_unmap_grant_ref *op = r->args->unmap;
    for (size_t i = 0; i < n; i++) {
        op[i] = (struct gnttab_unmap_grant_ref){
            .dev_bus_addr = r->bus[first + i],
            .handle = r->handle[first + i],
        };
    }
    if (xencall3(r->b->call, __HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, (uintptr_t)op,
                 n)) {
        return -errno;
    }
    for (size_t i = 0; i < n; i++) {
        if (op[i].status) {
            return -EIO;
        }
        __atomic_store_n(&r->table[first + i].flags, 0, __ATOMIC_RELEASE);
    }
    return 0;
}

const struct method method_raw_grant = {"raw", raw_open, raw_map, raw_unmap, raw_close};
