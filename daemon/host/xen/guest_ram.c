/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* First: it makes Xen's public headers show what is for tools only. */
#include <xenctrl.h>

#include "host/xen/guest_ram.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xengt/types.h>

#define KIB_PER_PAGE (XENGT_PAGE_SIZE / 1024)

static xen_pfn_t *frames_from(const struct guest_ram *ram, uint64_t first)
{
    xen_pfn_t *frames = calloc(ram->pages, sizeof(*frames));

    for (uint32_t i = 0; frames && i < ram->pages; i++) {
        frames[i] = first + i;
    }
    return frames;
}

/* Populating a frame that has a page, or moving another there, would drop that page. */
static int check_free(const struct guest_ram *ram, const xen_pfn_t *frames)
{
    int *err = calloc(ram->pages, sizeof(*err));
    bool taken = false;

    if (!err) {
        return -ENOMEM;
    }
    void *view = xenforeignmemory_map(ram->fmem, ram->domid, PROT_READ, ram->pages, frames, err);
    for (uint32_t i = 0; view && i < ram->pages; i++) {
        taken |= !err[i];
    }
    if (view) {
        xenforeignmemory_unmap(ram->fmem, view, ram->pages);
    }
    free(err);
    return taken ? -EBUSY : 0;
}

/* The guest's own limit stays what the administrator wants it to be: these pages come on top. */
static int change_limit(const struct guest_ram *ram, bool add)
{
    xc_domaininfo_t info;

    if (xc_domain_getinfolist(ram->xc, ram->domid, 1, &info) != 1 || info.domain != ram->domid) {
        return -ESRCH;
    }
    uint64_t own = info.max_pages > ram->pages ? info.max_pages - ram->pages : 0;
    uint64_t pages = add ? info.max_pages + ram->pages : own;

    return xc_domain_setmaxmem(ram->xc, ram->domid, pages * KIB_PER_PAGE) ? -errno : 0;
}

/*
 * Firmware puts BARs that do not fit below 4 GiB right behind the guest's RAM: these are well
 * apart, and the guest's last frame does not become larger by much, which is what some tools go by.
 */
#define APART (UINT64_C(16) << 30 >> XENGT_PAGE_SHIFT)

uint64_t guest_ram_apart(const struct guest_ram *ram)
{
    xen_pfn_t last = 0;

    xc_domain_maximum_gpfn(ram->xc, (domid_t)ram->domid, &last); /* unknown: adding it fails */
    return (last / APART + 2) * APART;
}

static int populate(struct guest_ram *ram, xen_pfn_t *frames)
{
    int ret = change_limit(ram, true);

    if (ret) {
        return ret;
    }
    if (xc_domain_populate_physmap_exact(ram->xc, ram->domid, ram->pages, 0, 0, frames)) {
        ret = errno ? -errno : -ENOMEM;
        change_limit(ram, false);
    }
    return ret;
}

static int view(struct guest_ram *ram, const xen_pfn_t *frames)
{
    ram->view = xenforeignmemory_map(ram->fmem, ram->domid, PROT_READ | PROT_WRITE, ram->pages,
                                     frames, NULL);
    return ram->view ? 0 : -errno;
}

int guest_ram_find(struct guest_ram *ram)
{
    xen_pfn_t *frames = frames_from(ram, ram->first);
    int ret = frames ? view(ram, frames) : -ENOMEM;

    free(frames);
    return ret;
}

int guest_ram_add(struct guest_ram *ram)
{
    xen_pfn_t *frames = frames_from(ram, ram->first);
    int ret = frames ? check_free(ram, frames) : -ENOMEM;

    if (!ret) {
        ret = populate(ram, frames);
    }
    if (ret) {
        ram->pages = 0;
        goto out;
    }
    ret = view(ram, frames);
    if (ret) {
        guest_ram_remove(ram);
        goto out;
    }
    /* Xen need not have cleared a page that was this guest's before. */
    memset(ram->view, 0, (size_t)ram->pages * XENGT_PAGE_SIZE);
out:
    free(frames);
    return ret;
}

int guest_ram_move(struct guest_ram *ram, uint64_t first)
{
    xen_pfn_t *frames = frames_from(ram, first);
    int ret = frames ? check_free(ram, frames) : -ENOMEM;

    free(frames);
    if (ret) {
        return ret;
    }
    if (xendevicemodel_relocate_memory(ram->dmod, (domid_t)ram->domid, ram->pages, ram->first,
                                       first)) {
        return -errno;
    }
    ram->first = first;
    return 0;
}

/*
 * Xen ends at the first frame that has no page, and a guest can take any away: whoever is behind it
 * goes all the same.
 */
static void depopulate(const struct guest_ram *ram, xen_pfn_t *frames)
{
    uint32_t done = 0;

    while (done < ram->pages) {
        int n = xc_domain_decrease_reservation(ram->xc, ram->domid, ram->pages - done, 0,
                                               frames + done);

        if (n < 0) {
            return; /* the domain is gone */
        }
        done += (uint32_t)n + 1;
    }
}

void guest_ram_leave(struct guest_ram *ram)
{
    if (ram->view) {
        xenforeignmemory_unmap(ram->fmem, ram->view, ram->pages);
        ram->view = NULL;
    }
}

/* What the guest may have at most is as before whatever became of the pages. */
void guest_ram_remove(struct guest_ram *ram)
{
    xen_pfn_t *frames = ram->pages ? frames_from(ram, ram->first) : NULL;

    guest_ram_leave(ram);
    if (frames) {
        depopulate(ram, frames);
    }
    if (ram->pages) {
        change_limit(ram, false);
    }
    free(frames);
    ram->pages = 0;
}
