/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The software GPU's page tables, and its TLB. */
#include "gpu/soft/pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TABLES_FIRST 64u        /* room at first */
#define TABLES_MAX   (1u << 20) /* 4 GiB of tables */
#define INDEX_BITS   9u

/* So that most questions of tables_hold() are answered at once. */
static void note_usage(struct tables *tables, uint64_t pte, int change)
{
    if (tables->usage && pte & GPU_PTE_PRESENT) {
        tables->usage[(pte & GPU_PTE_ADDR_MASK) >> 12 & (USAGE_SIZE - 1)] += (uint32_t)change;
    }
}

int tables_init(struct tables *tables, uint32_t ggtt_entries, uint64_t scratch_pte, bool eager)
{
    tables->ggtt = malloc(ggtt_entries * sizeof(*tables->ggtt));
    if (!tables->ggtt) {
        return -ENOMEM;
    }
    tables->usage = eager ? calloc(USAGE_SIZE, sizeof(*tables->usage)) : NULL;
    if (eager && !tables->usage) {
        free(tables->ggtt);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < ggtt_entries; i++) {
        tables->ggtt[i] = scratch_pte;
        note_usage(tables, scratch_pte, 1);
    }
    tables->ggtt_entries = ggtt_entries;
    tables->next = 1;
    tables->eager = eager;
    return 0;
}

void tables_free(struct tables *tables)
{
    for (uint32_t i = 0; i < tables->tables; i++) {
        free(tables->table[i].pte);
    }
    free(tables->table);
    free(tables->ggtt);
    free(tables->usage);
    tables->table = NULL;
    tables->ggtt = NULL;
    tables->tables = 0;
}

/* --- the tables -------------------------------------------------------------------------- */

static int make_room(struct tables *tables)
{
    uint32_t room = tables->tables ? tables->tables * 2 : TABLES_FIRST;
    struct soft_table *table;

    if (room > TABLES_MAX) {
        return -ENOSPC;
    }
    table = realloc(tables->table, room * sizeof(*table));
    if (!table) {
        return -ENOMEM;
    }
    for (uint32_t i = tables->tables; i < room; i++) {
        table[i] = (struct soft_table){0};
    }
    tables->table = table;
    tables->tables = room;
    return 0;
}

int tables_alloc(struct tables *tables, unsigned level, uint64_t pte, uint32_t *number)
{
    uint32_t n = tables->next;
    uint64_t *entries;

    while (n < tables->tables && tables->table[n].pte) {
        n++;
    }
    if (n >= tables->tables) {
        int ret = make_room(tables);

        if (ret) {
            return ret;
        }
    }
    entries = malloc(GPU_TABLE_ENTRIES * sizeof(*entries));
    if (!entries) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < GPU_TABLE_ENTRIES; i++) {
        entries[i] = pte;
        note_usage(tables, pte, 1);
    }
    tables->table[n] = (struct soft_table){.pte = entries, .level = level};
    tables->next = n + 1;
    *number = n;
    return 0;
}

static const struct soft_table *table_of(const struct tables *tables, uint32_t number)
{
    return number < tables->tables && tables->table[number].pte ? &tables->table[number] : NULL;
}

void tables_release(struct tables *tables, uint32_t number)
{
    if (!table_of(tables, number)) {
        return;
    }
    for (uint32_t i = 0; i < GPU_TABLE_ENTRIES; i++) {
        note_usage(tables, tables->table[number].pte[i], -1);
    }
    free(tables->table[number].pte);
    tables->table[number].pte = NULL;
    if (number < tables->next) {
        tables->next = number;
    }
}

static uint64_t *entry_of(const struct tables *tables, uint32_t number, uint32_t index)
{
    const struct soft_table *table;

    if (number == GPU_GGTT) {
        return index < tables->ggtt_entries ? &tables->ggtt[index] : NULL;
    }
    table = table_of(tables, number);
    return table && index < GPU_TABLE_ENTRIES ? &table->pte[index] : NULL;
}

void tables_write(struct tables *tables, uint32_t table, uint32_t index, uint64_t pte)
{
    uint64_t *entry = entry_of(tables, table, index);

    if (!entry) {
        return;
    }
    if (tables->usage) {
        note_usage(tables, *entry, -1);
        note_usage(tables, pte, 1);
    }
    *entry = pte;
}

uint64_t tables_read(const struct tables *tables, uint32_t table, uint32_t index)
{
    const uint64_t *entry = entry_of(tables, table, index);

    return entry ? *entry : 0;
}

void tables_read_many(const struct tables *tables, uint32_t table, uint32_t first, uint32_t n,
                      uint64_t *pte)
{
    uint32_t size = table == GPU_GGTT ? tables->ggtt_entries : GPU_TABLE_ENTRIES;
    const uint64_t *entry = entry_of(tables, table, first);
    uint32_t there = !entry ? 0 : size - first < n ? size - first : n;

    if (there) {
        memcpy(pte, entry, there * sizeof(*pte));
    }
    memset(pte + there, 0, (n - there) * sizeof(*pte));
}

void tables_write_all(struct tables *tables, const struct gpu_pte_write *write, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        tables_write(tables, write[i].table, write[i].index, write[i].pte);
    }
}

/* --- translation ------------------------------------------------------------------------- */

/* The number of the table that an entry points to; 0, which is none, when it does not. */
static uint32_t table_in(uint64_t pte)
{
    uint64_t number = (pte & GPU_PTE_ADDR_MASK) >> 12;

    return (pte & GPU_PTE_PRESENT) && number < TABLES_MAX ? (uint32_t)number : 0;
}

/* From the root down to the entry of the page. */
static uint64_t walk(const struct tables *tables, const struct gpu_root *root, uint64_t page)
{
    unsigned top = root->levels == 4 ? 0 : (unsigned)(page >> 2 * INDEX_BITS & 3);
    unsigned level = root->levels == 4 ? 4 : 2; /* of the table in hand */
    uint32_t number = root->table[top];
    uint64_t limit = UINT64_C(1) << (root->levels == 4 ? 4 * INDEX_BITS : 2 * INDEX_BITS + 2);

    if (page >= limit) {
        return 0;
    }
    for (;;) {
        uint32_t index = (uint32_t)(page >> (level - 1) * INDEX_BITS) % GPU_TABLE_ENTRIES;
        uint64_t pte;

        if (number == 0) {
            return 0;
        }
        pte = tables_read(tables, number, index);
        if (level == 1) {
            return pte;
        }
        number = table_in(pte);
        level--;
    }
}

static uint64_t fetch(const struct tables *tables, uint32_t space, const struct gpu_root *root,
                      uint64_t page)
{
    return space == GPU_GGTT ? tables->ggtt[page] : walk(tables, root, page);
}

static bool same_root(const struct gpu_root *a, const struct gpu_root *b)
{
    return a->levels == b->levels && a->table[0] == b->table[0] && a->table[1] == b->table[1] &&
           a->table[2] == b->table[2] && a->table[3] == b->table[3];
}

static uint64_t lookup(struct tables *tables, uint32_t space, const struct gpu_root *root,
                       uint64_t page)
{
    struct tlb_entry *entry = &tables->tlb[(page ^ space * 31u) % TLB_ENTRIES];
    uint64_t pte;

    if ((entry->pte & GPU_PTE_PRESENT) && entry->page == page && entry->space == space &&
        (!root || same_root(&entry->root, root))) {
        return entry->pte;
    }
    pte = fetch(tables, space, root, page);
    if (pte & GPU_PTE_PRESENT) {
        entry->space = space;
        entry->page = page;
        entry->pte = pte;
        entry->root = root ? *root : (struct gpu_root){0};
    }
    return pte;
}

uint64_t tables_lookup_ggtt(struct tables *tables, uint64_t page)
{
    return lookup(tables, GPU_GGTT, NULL, page);
}

/* The tree's first table names it; a 3-level root may lack any of its four. */
static uint32_t name_of(const struct gpu_root *root)
{
    for (unsigned i = 0; i < 4; i++) {
        if (root->table[i]) {
            return root->table[i];
        }
    }
    return 0;
}

uint64_t tables_lookup_ppgtt(struct tables *tables, const struct gpu_root *root, uint64_t page)
{
    uint32_t space = name_of(root);

    return space ? lookup(tables, space, root, page) : 0;
}

/*
 * Real hardware may fetch a translation again at any time after an invalidate, if an engine is at
 * work in that address space; and the earliest such time is the one that shows an invalidate that
 * came before the PTEs were written.
 */
static bool may_fetch_again(const struct tables *tables, const struct tlb_entry *entry)
{
    return tables->eager && (entry->pte & GPU_PTE_PRESENT) &&
           (entry->space == GPU_GGTT ||
            (tables->in_use && tables->in_use(tables->in_use_arg, &entry->root)));
}

void tables_invalidate(struct tables *tables)
{
    for (uint32_t i = 0; i < TLB_ENTRIES; i++) {
        struct tlb_entry *entry = &tables->tlb[i];

        if (may_fetch_again(tables, entry)) {
            entry->pte = fetch(tables, entry->space, &entry->root, entry->page);
        } else {
            entry->pte = 0;
        }
    }
}

/* --- for checks -------------------------------------------------------------------------- */

static bool refers_to(uint64_t pte, uint64_t frame)
{
    return (pte & GPU_PTE_PRESENT) && (pte & GPU_PTE_ADDR_MASK) >> 12 == frame;
}

static bool any_refers_to(const uint64_t *pte, uint32_t n, uint64_t frame)
{
    for (uint32_t i = 0; i < n; i++) {
        if (refers_to(pte[i], frame)) {
            return true;
        }
    }
    return false;
}

bool tables_hold(const struct tables *tables, uint64_t frame)
{
    for (uint32_t i = 0; i < TLB_ENTRIES; i++) {
        if (refers_to(tables->tlb[i].pte, frame)) {
            return true;
        }
    }
    if (tables->usage && !tables->usage[frame & (USAGE_SIZE - 1)]) {
        return false;
    }
    for (uint32_t i = 0; i < tables->tables; i++) {
        const struct soft_table *table = &tables->table[i];

        if (table->pte && table->level == 1 &&
            any_refers_to(table->pte, GPU_TABLE_ENTRIES, frame)) {
            return true;
        }
    }
    return any_refers_to(tables->ggtt, tables->ggtt_entries, frame);
}
