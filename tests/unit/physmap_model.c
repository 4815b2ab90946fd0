/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The model of the hypercalls: xen/common/memory.c, xen/arch/x86/mm/p2m.c of 4.17. */
#include "physmap_model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/memory.h>

static enum model_at *at(struct model *m, uint64_t frame)
{
    static enum model_at ram;
    ram = AT_RAM;
    return frame - MODEL_BASE < MODEL_FRAMES ? &m->at[frame - MODEL_BASE] : &ram;
}

static int add_foreign(struct model *m, uint32_t domid, uint64_t gfn, uint64_t frame)
{
    enum model_at *a = at(m, frame);
    if (domid != MODEL_GUEST) {
        return -ESRCH;
    }
    if (gfn >= MODEL_PAGES) {
        return -EINVAL;
    }
    if (m->no_memory) {
        m->no_memory--;
        return -ENOMEM;
    }
    switch (*a) {
    case AT_FOREIGN:
    case AT_GRANT:
        return -ENXIO;
    case AT_DEVICE:
        m->crashes++;
        return -EINVAL;
    case AT_RAM:
        m->lost++;
        break;
    default:
        break;
    }
    *a = AT_FOREIGN;
    m->gfn[frame - MODEL_BASE] = (uint32_t)gfn;
    return 0;
}

static int add_table(struct model *m, const struct xen_add_to_physmap *x)
{
    enum model_at *a = at(m, x->gpfn);
    if (m->table_error) {
        return m->table_error;
    }
    if (x->idx >= m->max_frames) {
        return -EINVAL;
    }
    if (x->idx >= m->nr_frames) {
        m->nr_frames = (uint32_t)x->idx + 1;
    } else if (m->last_in_use) {
        m->lost++; /* it was the kernel's */
    }
    switch (*a) {
    case AT_DEVICE:
        return -EPERM;
    case AT_FOREIGN:
    case AT_GRANT:
        return -ENXIO;
    case AT_RAM:
        m->lost++;
        break;
    default:
        break;
    }
    *a = AT_TABLE;
    return 0;
}

static int remove_frame(struct model *m, uint64_t frame)
{
    enum model_at *a = at(m, frame);
    switch (*a) {
    case AT_FOREIGN:
    case AT_TABLE:
        *a = AT_NOTHING;
        return 0;
    case AT_RAM:
        m->lost++;
        return 0;
    default:
        return -ENOENT;
    }
}

static int memory_op(struct model *m, uint64_t cmd, uint64_t arg)
{
    void *p = (void *)(uintptr_t)arg;
    if (cmd == XENMEM_add_to_physmap_batch) {
        const struct xen_add_to_physmap_batch *b = p;
        for (unsigned i = 0; i < b->size; i++) {
            b->errs.p[i] = add_foreign(m, b->u.foreign_domid, b->idxs.p[i], b->gpfns.p[i]);
        }
        return 0;
    }
    if (cmd == XENMEM_add_to_physmap) {
        return add_table(m, p);
    }
    return cmd == XENMEM_remove_from_physmap
               ? remove_frame(m, ((const struct xen_remove_from_physmap *)p)->gpfn)
               : -ENOSYS;
}

static int map_grant(struct model *m, struct gnttab_map_grant_ref *op)
{
    enum model_at *a = at(m, op->host_addr >> XENGT_PAGE_SHIFT);
    if (op->dom != MODEL_GUEST || op->ref >= MODEL_GRANTS) {
        return GNTST_bad_gntref;
    }
    if (*a != AT_NOTHING && *a != AT_TABLE) {
        m->crashes++;
        return GNTST_general_error;
    }
    *a = AT_GRANT;
    m->gfn[(op->host_addr >> XENGT_PAGE_SHIFT) - MODEL_BASE] = op->ref;
    op->handle = (uint32_t)(op->host_addr >> XENGT_PAGE_SHIFT);
    op->dev_bus_addr = op->host_addr;
    return GNTST_okay;
}

static int unmap_grant(struct model *m, const struct gnttab_unmap_grant_ref *op)
{
    enum model_at *a = at(m, op->host_addr >> XENGT_PAGE_SHIFT);
    if (*a != AT_GRANT || op->handle != op->host_addr >> XENGT_PAGE_SHIFT) {
        return GNTST_bad_handle;
    }
    *a = AT_NOTHING;
    return GNTST_okay;
}

/* Where a frame of the table is; the kernel has all but the last, and that one if it is said so. */
static uint64_t table_place(const struct model *m, uint32_t frame)
{
    if (frame + 1 < m->max_frames || m->last_in_use) {
        return 0x1000 + frame;
    }
    for (uint32_t i = 0; i < MODEL_FRAMES; i++) {
        if (m->at[i] == AT_TABLE) {
            return MODEL_BASE + i;
        }
    }
    return ~UINT64_C(0);
}

static int grant_op(struct model *m, uint64_t cmd, uint64_t arg, uint64_t n)
{
    void *p = (void *)(uintptr_t)arg;
    if (cmd == GNTTABOP_query_size) {
        struct gnttab_query_size *size = p;
        size->nr_frames = m->nr_frames;
        size->max_nr_frames = m->max_frames;
        size->status = GNTST_okay;
    } else if (cmd == GNTTABOP_setup_table) {
        struct gnttab_setup_table *setup = p;
        for (uint32_t i = 0; i < setup->nr_frames; i++) {
            setup->frame_list.p[i] = table_place(m, i);
        }
        setup->status = GNTST_okay;
    } else if (cmd == GNTTABOP_map_grant_ref) {
        struct gnttab_map_grant_ref *op = p;
        for (uint64_t i = 0; i < n; i++) {
            op[i].status = (int16_t)map_grant(m, &op[i]);
        }
    } else if (cmd == GNTTABOP_unmap_grant_ref) {
        struct gnttab_unmap_grant_ref *op = p;
        for (uint64_t i = 0; i < n; i++) {
            op[i].status = (int16_t)unmap_grant(m, &op[i]);
        }
    } else {
        return -ENOSYS;
    }
    return 0;
}

static int get_mem_type(struct model *m, struct xen_hvm_get_mem_type *type)
{
    enum model_at a = *at(m, type->pfn);
    type->mem_type = a == AT_RAM || a == AT_GRANT || a == AT_TABLE ? HVMMEM_ram_rw : HVMMEM_mmio_dm;
    return 0;
}

static int call(void *arg, unsigned op, uint64_t a, uint64_t b, uint64_t c)
{
    struct model *m = arg;
    m->calls++;
    if (op == __HYPERVISOR_multicall) {
        multicall_entry_t *entry = (void *)(uintptr_t)a;
        for (uint64_t i = 0; i < b; i++) {
            entry[i].result = (unsigned long)memory_op(m, entry[i].args[0], entry[i].args[1]);
        }
        return 0;
    }
    return op == __HYPERVISOR_memory_op        ? memory_op(m, a, b)
           : op == __HYPERVISOR_grant_table_op ? grant_op(m, a, b, c)
           : op == __HYPERVISOR_hvm_op         ? get_mem_type(m, (void *)(uintptr_t)b)
                                               : -ENOSYS;
}

static void *alloc(void *arg, size_t size)
{
    (void)arg;
    return calloc(1, size);
}

static void release(void *arg, void *p)
{
    (void)arg;
    free(p);
}

static int domain_info(void *arg, uint32_t domid, struct xengt_target_info *info)
{
    (void)arg;
    *info = (struct xengt_target_info){.domid = domid, .hvm = true, .hap = true};
    return domid == MODEL_GUEST ? 0 : -ESRCH;
}

static int get_pool(void *arg, uint64_t *bytes)
{
    *bytes = ((const struct model *)arg)->pool;
    return 0;
}

static int set_pool(void *arg, uint64_t bytes)
{
    struct model *m = arg;
    m->pool = bytes;
    m->pool_set++;
    return 0;
}

static int claim(void *arg, uint64_t first, uint32_t n)
{
    struct model *m = arg;
    (void)first;
    (void)n;
    m->claimed = !m->claim_error;
    return -(int)m->claim_error;
}

struct physmap_env model_env(struct model *m)
{
    return (struct physmap_env){
        .calls = {m, call, alloc, release},
        .arg = m,
        .domain_info = domain_info,
        .get_pool = get_pool,
        .set_pool = set_pool,
        .claim = claim,
    };
}

unsigned model_count(const struct model *m, enum model_at what)
{
    unsigned n = 0;
    for (unsigned i = 0; i < MODEL_FRAMES; i++) {
        n += m->at[i] == what;
    }
    return n;
}
