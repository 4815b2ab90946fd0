/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The platform of a test case: all that it may use. Cases are written against this header only, so
 * that the same case runs in a bare PVH guest on real Xen and hosted against the simulator.
 */
#ifndef TESTS_GUEST_PLATFORM_H
#define TESTS_GUEST_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096u

/* One page of guest memory: where the case sees it, and its guest frame number. */
struct page {
    void *va;
    uint64_t gfn;
};

/*
 * What a case or driver keeps between calls is marked so: where several guests run in one process,
 * each has its own.
 */
#if __STDC_HOSTED__
#define GUEST_STATE __attribute__((section("guest_state")))
#else
#define GUEST_STATE
#endif

/* One zeroed page; -1 when out of memory. */
int page_alloc(struct page *p);
void page_free(struct page *p);

/* Where the case sees a frame that page_alloc() gave. */
void *page_va(uint64_t gfn);

/*
 * A store by the CPU of 1, 2, 4 or 8 bytes at an offset of a page, as one access. All stores into
 * pages that the vGPU may take for page tables, or took for such, are made this way.
 */
void page_store(const struct page *p, uint32_t offset, uint64_t value, unsigned size);

/* The same value into all of a page, by one instruction that repeats itself where there is one. */
void page_fill(const struct page *p, uint64_t value);

/*
 * The vGPU's 16 MiB GTTMMADR BAR; @off is an offset within it. Each call is exactly one access of
 * that width.
 */
uint32_t mmio_read32(uint32_t off);
uint64_t mmio_read64(uint32_t off);
void mmio_write32(uint32_t off, uint32_t v);
void mmio_write64(uint32_t off, uint64_t v);

/*
 * Give the frame at @gfn back to Xen, and ask Xen for a (new) frame at @gfn. 0, or a negative
 * errno value of Xen. The content is lost. Between the two the page must not be touched.
 */
int balloon_out(uint64_t gfn);
int balloon_in(uint64_t gfn);

/* The guest's RAM frames are the gfns 0 .. ram_pages() - 1. */
uint64_t ram_pages(void);

/* One line on the console; takes %s %c %d %u %x %lu %lx %llu %llx and %%. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* To be called in polling loops. */
void relax(void);

/* Microseconds since an arbitrary moment; never goes back. */
uint64_t now_us(void);

/*
 * A place at which the guest is content and does nothing: says "step" and the line. With "steps=1"
 * on the command line it goes on when somebody outside says so, else at once.
 */
void step(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Has somebody outside said that since the last step, or the last time this was true? */
bool told_to_go_on(void);

/* The command line's "key=value"; @dflt when it has no such key. Numbers are decimal or 0x hex. */
const char *arg(const char *key, const char *dflt);
unsigned long arg_num(const char *key, unsigned long dflt);

/* The command line's first word: the cases to run. */
const char *case_name(void);

/* NULL when passed, else the reason it failed. */
struct test_case {
    const char *name;
    const char *(*run)(void);
};

/* Ends with an entry whose name is NULL. */
extern const struct test_case test_cases[];

/*
 * Runs "case" or "case+case+...", up to the first that fails: NULL, or its reason. The list ends at
 * a space.
 */
const char *run_cases(const char *list);

#endif
