/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cases about how entries are stored: many of them between submissions, halves of them, and in
 * ways no driver would. The GPU tells what it saw by copying the first bytes of each page.
 */

#include "cases.h"
#include "work.h"

#define SRC_VA    0x100000000000ull
#define RESULT_VA 0x200000000000ull

#define SOURCES      64u
#define COLUMN_WORDS (WORK_COLUMN_BYTES / 4)
#define RESULT_PAGES (PPGTT_ENTRIES * WORK_COLUMN_BYTES / PAGE_SIZE)

/* A leaf table whose entries point to any of the sources; each source's first word is its number.
 */
static GUEST_STATE struct {
    struct work work;
    uint32_t source[SOURCES];
    uint32_t result[RESULT_PAGES];
    const struct page *leaf;
    uint32_t entries; /* of it that are looked at and stored into */
    uint8_t expected[PPGTT_ENTRIES];
    uint32_t random;
} h;

static uint32_t next_random(void)
{
    h.random = h.random * 1664525u + 1013904223u;
    return h.random >> 8;
}

static const char *begin(void)
{
    const char *error = work_begin(&h.work);

    if (error) {
        return error;
    }
    if (frames_alloc(h.source, SOURCES) || frames_alloc(h.result, RESULT_PAGES)) {
        return "out of memory";
    }
    for (uint32_t i = 0; i < SOURCES; i++) {
        content_fill(h.source[i], 7, i);
        *(volatile uint32_t *)page_va(h.source[i]) = i;
    }
    h.random = 1;
    h.entries = arg_num("entries", PPGTT_ENTRIES);
    if (h.entries < SOURCES || h.entries > PPGTT_ENTRIES) {
        return "entries=: 64 to 512";
    }
    for (uint32_t i = 0; i < PPGTT_ENTRIES; i++) {
        h.expected[i] = i % SOURCES;
        if (ppgtt_map(&h.work.pp, SRC_VA + i * PAGE_SIZE, &h.source[i % SOURCES], 1)) {
            return "out of page tables";
        }
    }
    if (ppgtt_map(&h.work.pp, RESULT_VA, h.result, RESULT_PAGES)) {
        return "out of page tables";
    }
    h.leaf = &ppgtt_table(&h.work.pp, SRC_VA, 1)->page;
    return NULL;
}

static void end(void)
{
    work_end(&h.work);
    frames_free(h.source, SOURCES);
    frames_free(h.result, RESULT_PAGES);
}

/* The GPU looks at each page of the table, and has to see the ones that are expected. */
static const char *look(void)
{
    const char *error;

    work_copy_columns(&h.work, RESULT_VA, SRC_VA, h.entries);
    error = work_run(&h.work);
    for (uint32_t i = 0; !error && i < h.entries; i++) {
        const volatile uint32_t *page = page_va(h.result[i * WORK_COLUMN_BYTES / PAGE_SIZE]);
        uint32_t got = page[i * COLUMN_WORDS % (PAGE_SIZE / 4)];

        if (got != h.expected[i]) {
            say("entry %u showed page %u, expected %u", i, got, h.expected[i]);
            error = "the GPU used another page than the table says";
        }
    }
    return error;
}

static void store_entry(uint32_t i, uint32_t source)
{
    table_write64(h.leaf, i, entry_of(h.source[source]));
    h.expected[i] = source;
}

/* --- hammer ------------------------------------------------------------------------------ */

static const char *hammer(uint32_t rounds, uint32_t stores)
{
    const char *error = NULL;

    for (uint32_t round = 0; !error && round < rounds; round++) {
        for (uint32_t i = 0; i < stores; i++) {
            store_entry(next_random() % h.entries, next_random() % SOURCES);
        }
        error = look();
    }
    return error;
}

const char *case_hammer(void)
{
    uint32_t rounds = arg_num("rounds", 8), stores = arg_num("stores", 300);
    uint32_t quiet = arg_num("quiet", 12);
    const char *error = begin();

    if (!error) {
        error = look();
    }
    for (uint32_t phase = 0; !error && phase < 3; phase++) {
        error = hammer(rounds, stores);
        if (error) {
            return error;
        }
        step("%u times %u stores into a leaf table", rounds, stores);
        for (uint32_t i = 0; !error && i < quiet; i++) {
            error = look();
        }
        if (!error) {
            step("%u submissions without a store", quiet);
        }
        /* One store into a table that is trapped by now: it stays trapped, and is seen. */
        store_entry(phase, SOURCES - 1 - phase);
        if (!error) {
            error = look();
        }
    }
    if (!error) {
        end();
    }
    return error;
}

/* --- halves ------------------------------------------------------------------------------ */

static void store_halves(const struct page *table, uint32_t i, uint64_t entry, bool high_first)
{
    if (high_first) {
        table_write32(table, 2 * i + 1, entry >> 32);
    }
    table_write32(table, 2 * i, (uint32_t)entry);
    if (!high_first) {
        table_write32(table, 2 * i + 1, entry >> 32);
    }
}

/* quiet: submissions before the stores, so that these are trapped. */
static const char *halves(uint32_t quiet)
{
    struct table *directory = ppgtt_table(&h.work.pp, SRC_VA, 2);
    uint32_t at = ppgtt_index(SRC_VA, 2);
    const char *error = NULL;

    for (uint32_t i = 0; !error && i < quiet; i++) {
        error = look();
    }
    for (uint32_t i = 0; i < 40; i++) {
        uint32_t source = next_random() % SOURCES;

        store_halves(h.leaf, i, entry_of(h.source[source]), i % 2);
        h.expected[i] = source;
    }
    if (!error) {
        error = look();
    }
    if (error) {
        return error;
    }
    step("entries in halves, after %u quiet submissions", quiet);

    /* Half an entry: what it points to is out of this world, and so scratch; its neighbours go on.
     */
    table_write32(h.leaf, 2 * 9 + 1, 0x3fff);
    work_store(&h.work, SRC_VA + 9 * PAGE_SIZE + 512, 0xbad);
    error = work_run(&h.work);
    if (error) {
        return error;
    }
    step("half an entry");
    table_write32(h.leaf, 2 * 9, 0);
    table_write32(h.leaf, 2 * 9 + 1, 0);
    store_halves(h.leaf, 9, entry_of(h.source[3]), true);
    h.expected[9] = 3;
    error = look();

    /* The same one level up: first the present half goes, then it comes back. */
    table_write32(&directory->page, 2 * at, 0);
    work_store(&h.work, SRC_VA + 512, 0xbad);
    if (!error) {
        error = work_run(&h.work);
    }
    table_write32(&directory->page, 2 * at, (uint32_t)entry_of(h.leaf->gfn));
    if (!error) {
        error = look();
    }
    if (!error) {
        step("half a directory entry");
    }
    return error;
}

static const char *sources_are_whole(void)
{
    for (uint32_t i = 0; i < SOURCES; i++) {
        const volatile uint32_t *word = page_va(h.source[i]);

        if (word[128] == 0xbad) {
            return "what was written by half an entry is in a page";
        }
    }
    return NULL;
}

const char *case_pphalves(void)
{
    const char *error = begin();

    if (!error) {
        error = look();
    }
    if (!error) {
        error = halves(0);
    }
    if (!error) {
        error = halves(12);
    }
    if (!error) {
        error = sources_are_whole();
    }
    if (!error) {
        end();
    }
    return error;
}

/* --- stores that no driver makes ---------------------------------------------------------------
 */

/* An entry byte for byte, by pairs of bytes, and across the border of two entries. */
static const char *odd_stores(uint32_t quiet)
{
    uint64_t a = entry_of(h.source[11]), b = entry_of(h.source[12]);
    const char *error = NULL;

    for (uint32_t i = 0; !error && i < quiet; i++) {
        error = look();
    }
    for (uint32_t byte = 0; byte < 8; byte++) {
        page_store(h.leaf, 20 * 8 + byte, a >> 8 * byte, 1);
    }
    for (uint32_t byte = 0; byte < 8; byte += 2) {
        page_store(h.leaf, 21 * 8 + byte, b >> 8 * byte, 2);
    }
    table_write32(h.leaf, 2 * 22, (uint32_t)a);
    page_store(h.leaf, 22 * 8 + 4, a >> 32 | b << 32, 8);
    table_write32(h.leaf, 2 * 23 + 1, b >> 32);
    h.expected[20] = h.expected[22] = 11;
    h.expected[21] = h.expected[23] = 12;
    if (!error) {
        error = look();
    }
    if (!error) {
        step("bytes, words, and a store across two entries, after %u quiet submissions", quiet);
    }
    return error;
}

const char *case_ppodd(void)
{
    const char *error = begin();

    if (!error) {
        error = look();
    }
    if (!error) {
        error = odd_stores(0);
    }
    store_entry(20, 1);
    store_entry(21, 2);
    store_entry(22, 3);
    store_entry(23, 4);
    if (!error) {
        error = odd_stores(12);
    }
    if (!error) {
        end();
    }
    return error;
}

/* --- stores that come late ----------------------------------------------------------------------
 */

static uint32_t source_of(uint64_t entry)
{
    uint32_t i;

    for (i = 0; i < SOURCES && entry != entry_of(h.source[i]); i++) {
        ;
    }
    return i;
}

/* What the table says now. Has it changed since? */
static bool read_table(void)
{
    bool changed = false;

    for (uint32_t i = 0; i < PPGTT_ENTRIES; i++) {
        uint32_t source = source_of(((const volatile uint64_t *)page_va(h.leaf->gfn))[i]);

        changed |= source != h.expected[i];
        h.expected[i] = source;
    }
    return changed;
}

/*
 * Somebody stores into the table while it is being looked at: another CPU, or on the simulator the
 * test itself, in the moment before stores are trapped. The submission in work may have seen it or
 * not; the next one has to.
 */
const char *case_pplate(void)
{
    uint32_t rounds = arg_num("rounds", 6), quiet = arg_num("quiet", 12), seen = 0;
    const char *error = begin();

    for (uint32_t i = 0; !error && i < rounds * quiet; i++) {
        for (uint32_t n = 0; i % quiet == 0 && n < 20; n++) {
            store_entry(next_random() % h.entries, next_random() % SOURCES);
        }
        look();
        seen += read_table();
        error = look();
        if (error && read_table()) {
            error = NULL;
            seen++;
        }
    }
    if (!error) {
        step("%u late stores were seen", seen);
        end();
    }
    return error;
}
