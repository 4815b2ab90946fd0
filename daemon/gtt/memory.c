/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guest memory by GGTT address: through the mappings that the shadow holds, so that it stays. */
#include <errno.h>
#include <string.h>

#include "gtt/state.h"

/* The page that a committed entry points to. */
static int view_page(struct gtt *gtt, uint64_t address, uint8_t **page)
{
    uint32_t entry = gtt_find_entry(gtt, address >> XENGT_PAGE_SHIFT);
    void *view = NULL;
    if (entry == GTT_NO_ENTRY) {
        return -EFAULT;
    }
    if (batch_view(&gtt->batch, entry, &view)) {
        uint8_t flags = gtt->flags[entry];
        return flags & GTT_OVER ? -EDQUOT : flags & GTT_FULL ? -EAGAIN : -EFAULT;
    }
    *page = view;
    return 0;
}

static size_t in_page(uint64_t address, size_t left)
{
    size_t part = XENGT_PAGE_SIZE - address % XENGT_PAGE_SIZE;
    return part < left ? part : left;
}

static int check_pages(struct gtt *gtt, uint64_t address, size_t size)
{
    int ret = 0;
    for (size_t done = 0; !ret && done < size;) {
        uint8_t *page;
        ret = view_page(gtt, address + done, &page);
        done += in_page(address + done, size - done);
    }
    return ret;
}

static void commit_addresses(struct gtt *gtt, uint64_t address, size_t size)
{
    gtt_sync_addresses(gtt, address, size);
    gtt_run_batch(gtt);
}

int gtt_memory_read(struct gtt *gtt, uint64_t address, void *buf, size_t size)
{
    commit_addresses(gtt, address, size);
    int ret = 0;
    for (size_t done = 0; !ret && done < size;) {
        size_t part = in_page(address + done, size - done);
        uint8_t *page;
        ret = view_page(gtt, address + done, &page);
        if (!ret) {
            memcpy((uint8_t *)buf + done, page + (address + done) % XENGT_PAGE_SIZE, part);
        }
        done += part;
    }
    return ret;
}

int gtt_memory_write(struct gtt *gtt, uint64_t address, const void *buf, size_t size)
{
    commit_addresses(gtt, address, size);
    int ret = check_pages(gtt, address, size);
    for (size_t done = 0; !ret && done < size;) {
        size_t part = in_page(address + done, size - done);
        uint8_t *page;
        ret = view_page(gtt, address + done, &page);
        if (!ret) {
            memcpy(page + (address + done) % XENGT_PAGE_SIZE, (const uint8_t *)buf + done, part);
        }
        done += part;
    }
    return ret;
}
