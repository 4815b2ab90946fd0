/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The shape follows i915's gen8_ppgtt.c: when tables are made and freed, and in which order. */

#include "ppgtt.h"

#include "gpu.h"

#define NOTIFY         (PVINFO + 0x818u)
#define PDP            (PVINFO + 0x838u)
#define NOTIFY_CREATE  4u
#define NOTIFY_DESTROY 5u

#define POOL_TABLES 640u

static GUEST_STATE struct {
    struct table table[POOL_TABLES];
    struct table *free[POOL_TABLES];
    uint32_t free_count;
    uint32_t fresh;
} pool;

void table_write64(const struct page *table, uint32_t index, uint64_t entry)
{
    page_store(table, index * 8, entry, 8);
}

void table_write32(const struct page *table, uint32_t dword, uint32_t half)
{
    page_store(table, dword * 4, half, 4);
}

uint32_t ppgtt_index(uint64_t va, uint32_t level)
{
    return va >> (PAGE_SHIFT + 9 * (level - 1)) & (PPGTT_ENTRIES - 1);
}

/* --- tables ------------------------------------------------------------------------------ */

static struct table *take(void)
{
    if (pool.free_count) {
        return pool.free[--pool.free_count];
    }
    return pool.fresh < POOL_TABLES ? &pool.table[pool.fresh++] : NULL;
}

static void fill(const struct page *page, uint64_t entry)
{
    for (uint32_t i = 0; i < PPGTT_ENTRIES; i++) {
        table_write64(page, i, entry);
    }
}

/* The page stays the table's: what was freed last is used first, with what is in it. */
struct table *table_alloc(const struct ppgtt *p, uint32_t level)
{
    struct table *t = take();

    if (!t || (!t->page.va && page_alloc(&t->page))) {
        return NULL;
    }
    t->level = level;
    t->used = 0;
    if (level > 1 && !t->child) {
        if (page_alloc(&t->list)) {
            table_free(t);
            return NULL;
        }
        t->child = t->list.va;
    }
    for (uint32_t i = 0; t->child && i < PPGTT_ENTRIES; i++) {
        t->child[i] = NULL;
    }
    fill(&t->page, p->scratch[level - 1]);
    return t;
}

void table_free(struct table *t)
{
    pool.free[pool.free_count++] = t;
}

int ppgtt_create(struct ppgtt *p)
{
    uint64_t entry;

    *p = (struct ppgtt){0};
    for (uint32_t i = 0; i < PPGTT_LEVELS; i++) {
        if (page_alloc(&p->scratch_page[i])) {
            return -1;
        }
        entry = entry_of(p->scratch_page[i].gfn);
        if (i) {
            fill(&p->scratch_page[i], p->scratch[i - 1]);
        }
        p->scratch[i] = entry;
    }
    p->root = table_alloc(p, PPGTT_LEVELS);
    return p->root ? 0 : -1;
}

static void free_below(struct table *t)
{
    for (uint32_t i = 0; t->level > 1 && i < PPGTT_ENTRIES; i++) {
        if (t->child[i]) {
            free_below(t->child[i]);
        }
    }
    table_free(t);
}

void ppgtt_free(struct ppgtt *p)
{
    free_below(p->root);
    for (uint32_t i = 0; i < PPGTT_LEVELS; i++) {
        page_free(&p->scratch_page[i]);
    }
}

void ppgtt_announce(const struct ppgtt *p, bool create)
{
    uint64_t root = p->root->page.gfn << PAGE_SHIFT;

    mmio_write32(PDP, (uint32_t)root);
    mmio_write32(PDP + 4, root >> 32);
    mmio_write32(NOTIFY, create ? NOTIFY_CREATE : NOTIFY_DESTROY);
}

struct table *ppgtt_table(struct ppgtt *p, uint64_t va, uint32_t level)
{
    struct table *t = p->root;

    while (t && t->level > level) {
        t = t->child[ppgtt_index(va, t->level)];
    }
    return t;
}

/* --- mapping ----------------------------------------------------------------------------- */

/* The leaf table of va, and what leads to it, made where it is missing. */
static struct table *make_leaf(struct ppgtt *p, uint64_t va)
{
    struct table *t = p->root;

    while (t->level > 1) {
        uint32_t i = ppgtt_index(va, t->level);

        if (!t->child[i]) {
            t->child[i] = table_alloc(p, t->level - 1);
            if (!t->child[i]) {
                return NULL;
            }
            t->used++;
            table_write64(&t->page, i, entry_of(t->child[i]->page.gfn));
        }
        t = t->child[i];
    }
    return t;
}

int ppgtt_map(struct ppgtt *p, uint64_t va, const uint32_t *gfn, uint32_t n)
{
    struct table *leaf = NULL;

    for (uint32_t i = 0; i < n; i++, va += PAGE_SIZE) {
        uint32_t at = ppgtt_index(va, 1);

        if (!leaf || !at) {
            leaf = make_leaf(p, va);
        }
        if (!leaf) {
            return -1;
        }
        table_write64(&leaf->page, at, entry_of(gfn[i]));
        leaf->used++;
    }
    return 0;
}

void ppgtt_repoint(struct ppgtt *p, uint64_t va, const uint32_t *gfn, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++, va += PAGE_SIZE) {
        table_write64(&ppgtt_table(p, va, 1)->page, ppgtt_index(va, 1), entry_of(gfn[i]));
    }
}

static void drop_child(struct ppgtt *p, struct table *t, uint32_t i)
{
    table_write64(&t->page, i, p->scratch[t->level - 1]);
    free_below(t->child[i]);
    t->child[i] = NULL;
    t->used--;
}

static void clear(struct ppgtt *p, struct table *t, uint64_t va, uint32_t n);

/* A table that is unmapped whole is dropped as it is. Returns how many pages were dealt with. */
static uint32_t clear_child(struct ppgtt *p, struct table *t, uint64_t va, uint32_t n)
{
    uint32_t i = ppgtt_index(va, t->level);
    uint32_t all = 1u << 9 * (t->level - 1);
    uint32_t left = all - (va >> PAGE_SHIFT & (all - 1));
    uint32_t part = left < n ? left : n;
    struct table *child = t->child[i];

    if (child && part < all) {
        clear(p, child, va, part);
    }
    if (child && (part == all || !child->used)) {
        drop_child(p, t, i);
    }
    return part;
}

static void clear(struct ppgtt *p, struct table *t, uint64_t va, uint32_t n)
{
    while (n) {
        uint32_t part = 1;

        if (t->level > 1) {
            part = clear_child(p, t, va, n);
        } else {
            table_write64(&t->page, ppgtt_index(va, 1), p->scratch[0]);
            t->used--;
        }
        va += (uint64_t)part * PAGE_SIZE;
        n -= part;
    }
}

void ppgtt_unmap(struct ppgtt *p, uint64_t va, uint32_t n)
{
    clear(p, p->root, va, n);
}
