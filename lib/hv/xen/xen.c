/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real Xen: its interfaces opened, and what is asked of them alike by all back ends. */
#include "hv/xen/xen.h"

#include <cpuid.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xendevicemodel.h>
#include <xengnttab.h>

#include <xen/arch-x86/cpuid.h>

#include "hv/xen/chatter.h"
#include "hv/xen/claim.h"
#include "hv/xen/unstable.h"

#define PRIVCMD "/dev/xen/privcmd"

/* The first line of a file of sysfs, or "". */
static void read_line(const char *path, char *line, size_t size)
{
    line[0] = '\0';
    FILE *f = fopen(path, "re");
    if (f) {
        if (fgets(line, (int)size, f)) {
            line[strcspn(line, "\n")] = '\0';
        }
        fclose(f);
    }
}

enum xen_guest_type xen_guest_type(void)
{
    char type[16];
    read_line("/sys/hypervisor/type", type, sizeof(type));
    if (strcmp(type, "xen") != 0) {
        return XEN_NONE;
    }
    read_line("/sys/hypervisor/guest_type", type, sizeof(type));
    return strcmp(type, "PV") == 0 ? XEN_PV : XEN_TRANSLATED;
}

int xen_absent(struct hv_error *error)
{
    hv_error(error, "this is not a Xen domain (/sys/hypervisor/type does not say xen); boot the "
                    "host under Xen, or use the simulator");
    return -ENODEV;
}

static int call(void *arg, unsigned op, uint64_t a, uint64_t b, uint64_t c)
{
    int ret = xencall3(arg, op, a, b, c);
    return ret < 0 ? -errno : ret;
}

static void *alloc(void *arg, size_t size)
{
    void *p = xencall_alloc_buffer(arg, size);
    return p ? memset(p, 0, size) : NULL;
}

static void release(void *arg, void *p)
{
    xencall_free_buffer(arg, p);
}

int xen_open(struct xen *xen, const struct xengt_options *options, struct hv_error *error)
{
    xen->logger = chatter_new(options->log, options->log_arg);
    if (!xen->logger) {
        return -ENOMEM;
    }
    /* Asked first: libxencall would say it, too. */
    xen->call = access(PRIVCMD, R_OK | W_OK) ? NULL : xencall_open(xen->logger, 0);
    if (!xen->call) {
        int err = -errno;
        hv_error(error,
                 "hypercalls are not possible: " PRIVCMD ": %s; run as root with the "
                 "xen-privcmd module loaded",
                 strerror(-err));
        return err;
    }
    xen->calls = (struct hv_calls){xen->call, call, alloc, release};
    xen->claims = claim_open(PRIVCMD);
    if (xen->claims < 0) {
        hv_error(error, PRIVCMD " cannot be opened for locks: %s", strerror(-xen->claims));
        return xen->claims;
    }
    xen->xc = unstable_open(xen->logger);
    xen->memory = xenforeignmemory_open(xen->logger, 0);
    if (!xen->xc || !xen->memory) {
        int err = -errno;
        hv_error(error, "libxenctrl or libxenforeignmemory cannot be opened: %s", strerror(-err));
        return err;
    }
    return 0;
}

void xen_close(struct xen *xen)
{
    claim_close(xen->claims);
    if (xen->model) {
        xendevicemodel_close(xen->model);
    }
    if (xen->grants) {
        xengnttab_close(xen->grants);
    }
    if (xen->share) {
        xengntshr_close(xen->share);
    }
    if (xen->call) {
        xencall_close(xen->call);
    }
    if (xen->xc) {
        unstable_close(xen->xc);
    }
    if (xen->memory) {
        xenforeignmemory_close(xen->memory);
    }
    chatter_free(xen->logger);
}

int xen_domain_info(struct xen *xen, uint32_t domid, struct xengt_target_info *info)
{
    return unstable_domain_info(xen->xc, domid, info);
}

/* In a driver domain such questions are not allowed: there dom0 asked, when it assigned the guest.
 */
static bool is_dom0(void)
{
    char capabilities[64];
    read_line("/proc/xen/capabilities", capabilities, sizeof(capabilities));
    return strstr(capabilities, "control_d");
}

/* Leaf n of those that Xen tells its translated domains of; false: it does not have it. */
static bool xen_leaf(uint32_t n, uint32_t r[4])
{
    for (uint32_t base = 0x40000000; base < 0x40010000; base += 0x100) {
        __cpuid(base, r[0], r[1], r[2], r[3]);
        if (memcmp(&r[1], "XenVMMXenVMM", 12) == 0) {
            bool has = r[0] >= base + n;
            __cpuid_count(base + n, 0, r[0], r[1], r[2], r[3]);
            return has;
        }
    }
    return false;
}

uint32_t xen_self(void)
{
    uint32_t r[4];
    if (is_dom0()) {
        return 0;
    }
    return xen_leaf(4, r) && r[0] & XEN_HVM_CPUID_DOMID_PRESENT ? r[2] : UINT32_MAX;
}

const char *xen_judge(int altp2m, int nesting, int on_demand, bool dom0)
{
    int refusal = dom0 ? 0 : -EPERM;
    if (altp2m > 0) {
        return "it may have other views of its memory (altp2m), which Xen does not follow when "
               "it maps; remove altp2m from its configuration";
    }
    if (nesting > 0) {
        return "it may run guests of its own, whose frame numbers are not its; remove nestedhvm "
               "from its configuration";
    }
    if (on_demand > 0) {
        return "some of its memory is populated on demand, of which Xen may run out when it maps, "
               "and ends the guest; remove maxmem from its configuration";
    }
    if (altp2m && altp2m != refusal) {
        return "Xen does not say whether it has other views of its memory (altp2m)";
    }
    if (nesting && nesting != refusal) {
        return "Xen does not say whether it may run guests of its own (nestedhvm)";
    }
    if (on_demand && on_demand != refusal) {
        return "Xen does not say whether some of its memory is populated on demand (maxmem)";
    }
    return NULL;
}

const char *xen_unsafe(struct xen *xen, uint32_t domid)
{
    return xen_judge(unstable_altp2m(xen->xc, domid), unstable_nesting(xen->xc, domid),
                     unstable_on_demand(xen->xc, domid), is_dom0());
}

int xen_assign(struct xen *xen, uint32_t backend, uint32_t domid)
{
    return unstable_set_target(xen->xc, backend, domid);
}

/* One call for all of them, in which frames that follow each other are one extent. */
int xen_dirty(struct xen *xen, uint32_t domid, const struct xengt_gfn *gfn, size_t n)
{
    struct xen_dm_op_modified_memory_extent extent[HV_DIRTY_MAX];
    uint32_t extents = 0;
    if (!xen->model && !(xen->model = xendevicemodel_open(xen->logger, 0))) {
        return -errno;
    }
    for (size_t i = 0; i < n; i++) {
        struct xen_dm_op_modified_memory_extent *last = extents ? &extent[extents - 1] : NULL;
        if (last && gfn[i].v == last->first_pfn + last->nr) {
            last->nr++;
        } else {
            extent[extents++] =
                (struct xen_dm_op_modified_memory_extent){.first_pfn = gfn[i].v, .nr = 1};
        }
    }
    return xendevicemodel_modified_memory_bulk(xen->model, (domid_t)domid, extent, extents) ? -errno
                                                                                            : 0;
}

int hv_insist(const struct hv_array *array, size_t n)
{
    size_t done = 0;
    for (int idle = 0; done < n && idle < 2;) {
        int ret = array->issue(array->arg, done, n - done);
        if (!ret && array->answered(array->arg, n - 1)) {
            return 0; /* they are answered in their order */
        }
        size_t before = done;
        while (done < n && array->answered(array->arg, done)) {
            done++;
        }
        if (done < n && ret < 0 && ret != -EFAULT) {
            return ret;
        }
        idle = done == before ? idle + 1 : 0;
    }
    return done < n ? -EFAULT : 0;
}

int xen_view(struct xen *xen, uint32_t domid, struct xengt_gfn gfn, void **view)
{
    xen_pfn_t pfn = gfn.v;
    int err = 0;
    void *page = xenforeignmemory_map(xen->memory, domid, PROT_READ | PROT_WRITE, 1, &pfn, &err);
    if (!page) {
        return -errno;
    }
    if (err) {
        xenforeignmemory_unmap(xen->memory, page, 1);
        return err;
    }
    *view = page;
    return 0;
}

void xen_unview(struct xen *xen, void *view)
{
    xenforeignmemory_unmap(xen->memory, view, 1);
}

/* As the device has it: a grant that is read-only can be mapped so only. */
int xen_view_offered(struct xen *xen, uint32_t domid, uint32_t gref, unsigned prot, void **view)
{
    if (!xen->grants && !(xen->grants = xengnttab_open(xen->logger, 0))) {
        return errno == EACCES || errno == EPERM ? -EACCES : -ENODEV;
    }
    *view = xengnttab_map_grant_ref(xen->grants, domid, gref,
                                    prot & XENGT_PROT_WRITE ? PROT_READ | PROT_WRITE : PROT_READ);
    return *view ? 0 : errno ? -errno : -EIO;
}

void xen_unview_offered(struct xen *xen, void *view)
{
    xengnttab_unmap(xen->grants, view, 1);
}

/* Does one of the options of Xen's command line that begin with name have the word among them? */
static bool has_option(const char *cmdline, const char *name, const char *word)
{
    for (const char *p = cmdline; (p = strstr(p, name)); p++) {
        if (p != cmdline && p[-1] != ' ') {
            continue;
        }
        size_t end = strcspn(p, " ");
        for (const char *w = p + strlen(name); w < p + end; w += strcspn(w, ", ") + 1) {
            size_t len = strcspn(w, ", ");
            if (len == strlen(word) && strncmp(w, word, len) == 0) {
                return true;
            }
        }
    }
    return false;
}

/*
 * Xen has no call that tells the mode of a PV dom0's IOMMU; its own command line does, and relaxed
 * is the default.
 */
const char *xen_iommu_phrase(struct xen *xen)
{
    char cmdline[1024];
    int iommu = unstable_iommu(xen->xc, cmdline, sizeof(cmdline));
    if (iommu < 0) {
        return "whether the IOMMU confines it cannot be found out";
    }
    if (!iommu) {
        return "no IOMMU: DMA is not confined";
    }
    if (has_option(cmdline, "dom0-iommu=", "strict") ||
        has_option(cmdline, "iommu=", "dom0-strict")) {
        return "strict IOMMU: DMA after an unmap is stopped";
    }
    return "relaxed IOMMU: DMA after an unmap is not stopped; boot with dom0-iommu=strict";
}
