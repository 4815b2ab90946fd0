/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of lib-test, and what they share. */
#ifndef LIB_TEST_H
#define LIB_TEST_H

#include <stdbool.h>
#include <stdint.h>

#include <xengt/map.h>

struct test {
    struct xengt *xg;
    const struct xengt_caps *caps;
    uint32_t domid;
    const char *edu; /* PCI folder of the DMA test device; NULL: none */
    bool confined;   /* the IOMMU stops DMA to what is not mapped */
    unsigned failed;
};

/* One test point: a line that begins with "ok" or "not ok". */
__attribute__((format(printf, 3, 4))) bool expect(struct test *t, bool good, const char *format,
                                                  ...);

#define EXPECT(call, want)                                                     \
    do {                                                                       \
        int _got = (call);                                                     \
        expect(t, _got == (want), "%s gives %d, got %d", #call, (want), _got); \
    } while (0)

/* The guest of 32 MiB uses its first few; these are its own, and it does not look at them. */
#define GFN_A      0x1800u
#define GFN_B      0x1801u
#define GFN_BEYOND 0x100000u
#define GFN_LAPIC  0xfee00u

/* One frame of the guest, all or nothing. */
int map1(struct test *t, uint64_t gfn, struct xengt_bfn *bfn, unsigned prot);
int unmap1(struct test *t, struct xengt_bfn bfn);

int open_library(struct test *t, const char *state_dir);

/* At the end of the window that would be chosen: for a second handle, which has one of its own. */
#define FAR_PAGES 512u

void test_api(struct test *t);
void test_offers(struct test *t);
void test_seeded(struct test *t); /* the grant back end only */
void test_host(struct test *t);   /* the physmap back end only */
void test_rights(struct test *t, uint32_t nested, uint32_t driver);
void test_adopt(struct test *t);
/* The shell command makes two guests come and go. */
void test_random(struct test *t, const uint32_t domid[2], unsigned operations, const char *again);
int run_load(struct test *t, const uint32_t *domids, unsigned n);
int run_kills(const char *dir, unsigned rounds, const uint32_t *domids, unsigned n);

/* Real DMA: copies len bytes between bus addresses. 0, or -errno if the device does not answer. */
int edu_copy(const char *edu, uint64_t from, uint64_t to, uint32_t len);

#endif
