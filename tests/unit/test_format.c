/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GTT entry formats against values put together by hand from Intel's descriptions. */
#include "support/test.h"

#include "gen/pte.h"

struct example {
    const struct gtt_entry_format *format;
    uint64_t entry;
    uint64_t frame;
    uint64_t flags;
};

static const struct example examples[] = {
    /* Address in place, write permission bit 1, PWT bit 3, PCD bit 4, PAT bit 7 */
    {&gtt_formats[GTT_GGTT_PTE], 0x0000000012345001, 0x12345, 0},
    {&gtt_formats[GTT_GGTT_PTE], 0x00003ffffffff001, 0x3ffffffff, 0},
    {&gtt_formats[GTT_PTE_4K], 0x0000000012345003, 0x12345, 0x2},
    {&gtt_formats[GTT_PTE_4K], 0x000020000000009b, 0x200000000, 0x9a},
    {&gtt_formats[GTT_PTE_64K], 0x0000000012340083, 0x12340, 0x82},
    {&gtt_formats[GTT_PDE], 0x000000007ffff01b, 0x7ffff, 0x1a},
    {&gtt_formats[GTT_PDE_2M], 0x0000000040201003, 0x40200, 0x1002},
    {&gtt_formats[GTT_PDPE], 0x0000000000001003, 0x1, 0x2},
    {&gtt_formats[GTT_PML4E], 0x0000000000abc013, 0xabc, 0x12},
};

PLAIN_TEST(decode)
{
    (void)state;
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        const struct example *e = &examples[i];
        assert_true(gtt_entry_present(e->format, e->entry));
        assert_false(gtt_entry_present(e->format, e->entry & ~UINT64_C(1)));
        assert_int_equal(gtt_entry_frame(e->format, e->entry), e->frame);
        assert_int_equal(e->entry & e->format->flags, e->flags);
    }
}

PLAIN_TEST(encode)
{
    (void)state;
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        const struct example *e = &examples[i];
        assert_int_equal(gtt_entry_make(e->format, e->frame, e->flags), e->entry);
        /* Bits that are not carried do not come through. */
        assert_int_equal(gtt_entry_make(e->format, e->frame, e->flags | ~e->format->flags),
                         e->entry);
    }
}

PLAIN_TEST(no_bit_twice)
{
    (void)state;
    for (unsigned t = 0; t < GTT_ENTRY_TYPES; t++) {
        const struct gtt_entry_format *f = &gtt_formats[t];
        const uint64_t bits[] = {f->present, f->address, f->flags, f->huge, f->pages_64k};
        uint64_t seen = 0;
        for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
            assert_int_equal(seen & bits[i], 0);
            seen |= bits[i];
        }
    }
}

PLAIN_TEST(an_entry_stands_for_as_many_frames_as_its_type_says)
{
    (void)state;
    assert_int_equal(gtt_formats[GTT_PTE_64K].frames, 4);
    assert_int_equal(gtt_formats[GTT_PDE_2M].frames, 9);
}
