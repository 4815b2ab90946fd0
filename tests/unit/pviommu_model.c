/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The model of XenServer's PV-IOMMU hypercall. */
#include "pviommu_model.h"

#include <errno.h>
#include <string.h>

void model_init(struct model *m)
{
    memset(m, 0, sizeof(*m));
    m->next_mfn = 1;
    m->fault_at = -1;
}

static uint32_t take_mfn(struct model *m)
{
    uint32_t total = sizeof(m->page) / sizeof(m->page[0]);
    while (m->page[m->next_mfn].owner) {
        m->next_mfn = m->next_mfn % (total - 1) + 1;
    }
    return m->next_mfn;
}

void model_create(struct model *m, uint32_t domid, uint8_t uuid)
{
    struct model_domain *d = &m->domain[domid];
    *d = (struct model_domain){.exists = true};
    memset(d->handle, uuid, sizeof(d->handle));
    d->handle[0] = 0x55; /* the two halves differ */
    for (uint32_t g = 0; g < MODEL_PAGES; g++) {
        d->mfn[g] = take_mfn(m);
        m->page[d->mfn[g]] = (struct model_page){.owner = domid + 1};
    }
}

/* relinquish_memory(): the pin is dropped by Xen, and the page is free at once. */
void model_destroy(struct model *m, uint32_t domid)
{
    for (uint32_t g = 0; g < MODEL_PAGES; g++) {
        m->page[m->domain[domid].mfn[g]] = (struct model_page){0};
    }
    m->domain[domid].exists = false;
    m->next_mfn = 1; /* the pages go to the next domain */
}

unsigned model_pins(const struct model *m)
{
    unsigned pins = 0;
    for (size_t i = 0; i < sizeof(m->page) / sizeof(m->page[0]); i++) {
        pins += m->page[i].pinned;
    }
    return pins;
}

static int32_t lookup(struct model *m, struct pv_iommu_op *op)
{
    uint32_t domid = op->u.lookup_foreign.domid;
    if (domid >= MODEL_DOMAINS || !m->domain[domid].exists) {
        return -ESRCH;
    }
    struct model_domain *d = &m->domain[domid];
    if (d->pv) {
        return -EPERM;
    }
    uint64_t gfn = op->u.lookup_foreign.gfn;
    if (gfn >= MODEL_PAGES || !d->mfn[gfn]) {
        return -ENXIO;
    }
    struct model_page *page = &m->page[d->mfn[gfn]];
    if (!page->pinned) { /* else its reference is put again, and it is a success all the same */
        page->pinned = true;
        page->refs++;
    }
    op->u.lookup_foreign.bfn = d->mfn[gfn] + MODEL_OFFSET;
    return 0;
}

/* No domain is named: whoever has the page loses the pin. */
static int32_t unmap(struct model *m, const struct pv_iommu_op *op)
{
    uint64_t mfn = op->u.unmap_foreign.bfn - MODEL_OFFSET;
    if (mfn >= sizeof(m->page) / sizeof(m->page[0]) || !m->page[mfn].pinned) {
        return -ENOENT;
    }
    m->page[mfn].pinned = false;
    m->page[mfn].refs--;
    return 0;
}

static void perform(struct model *m, struct pv_iommu_op *op)
{
    switch (op->subop) {
    case PVIOMMU_QUERY_CAPS:
        op->u.query_caps.offset = MODEL_OFFSET;
        op->status = 0;
        break;
    case PVIOMMU_LOOKUP_FOREIGN:
        op->status = lookup(m, op);
        break;
    case PVIOMMU_UNMAP_FOREIGN:
        op->status = unmap(m, op);
        break;
    default:
        op->status = -EINVAL;
    }
}

static int call(void *arg, unsigned number, uint64_t ops, uint64_t count, uint64_t unused)
{
    struct model *m = arg;
    struct pv_iommu_op *op = (struct pv_iommu_op *)(uintptr_t)ops;
    (void)unused;
    m->calls++;
    if (number != PVIOMMU_HYPERCALL || m->absent || m->no_hwdom) {
        return -ENOSYS;
    }
    for (uint64_t i = 0; i < count; i++) {
        bool fault = m->fault_at == (int)m->ops++;
        if (fault && !m->fault_after) {
            return -EFAULT;
        }
        struct pv_iommu_op copy = op[i];
        perform(m, &copy);
        if (fault) {
            return -EFAULT;
        }
        op[i] = copy;
    }
    m->flushes++;
    return 0;
}

static int domain_info(void *arg, uint32_t domid, struct xengt_target_info *info)
{
    const struct model *m = arg;
    if (domid >= MODEL_DOMAINS || !m->domain[domid].exists) {
        return -ESRCH;
    }
    *info = (struct xengt_target_info){
        .domid = domid,
        .hvm = !m->domain[domid].pv,
        .hap = true,
        .dying = m->domain[domid].dying,
        .pages = MODEL_PAGES,
    };
    memcpy(info->handle, m->domain[domid].handle, sizeof(info->handle));
    return 0;
}

struct pviommu_env model_env(struct model *m)
{
    return (struct pviommu_env){{m, call}, m, domain_info};
}
