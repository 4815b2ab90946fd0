/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guests' fixture: the stack of a test, and accesses that its guests make. */
#include "support/guests_fixture.h"

int setup_like(void **state, struct stack_options like)
{
    struct stack *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    like.gtt_entries = like.gtt_entries ? like.gtt_entries : GTT_ENTRIES;
    like.mappable_pages = like.mappable_pages ? like.mappable_pages : 256;
    like.unmappable_pages = like.unmappable_pages ? like.unmappable_pages : 512;
    like.space.defer_ms = like.space.defer_ms ? like.space.defer_ms : DEFER_MS;
    assert_int_equal(stack_open(f, &like), 0);
    *state = f;
    return 0;
}

int setup(void **state)
{
    return setup_like(state, (struct stack_options){.gtt_entries = 0});
}

int teardown(void **state)
{
    struct stack *f = *state;
    struct xengt_sim_stats stats;
    uint32_t domid;

    guests_destroy(f->guests);
    f->guests = NULL;
    assert_int_equal(xengt_target_list(f->xengt, &domid, 1), 0);
    xengt_sim_get_stats(f->sim, &stats);
    assert_int_equal(stats.mapped, 0);
    assert_string_equal(xengt_sim_violation(f->sim), "");
    assert_int_equal(stats.violations, 0);
    stack_close(f);
    free(f);
    return 0;
}

uint32_t new_domain(struct stack *f, const char *name)
{
    uint32_t domid = 0;

    assert_int_equal(stack_domain(f, name, 1024, 0, &domid), 0);
    return domid;
}

void attach_type(struct stack *f, const char *domain, const char *type, struct guest_info *info)
{
    int ret = guests_attach(f->guests, domain, type, info, f->error, sizeof(f->error));

    if (ret) {
        fail_msg("%s", f->error);
    }
}

void attach(struct stack *f, const char *domain, struct guest_info *info)
{
    attach_type(f, domain, NULL, info);
}

void new_guest(struct stack *f, const char *name, struct guest_info *info)
{
    new_domain(f, name);
    attach(f, name, info);
}

void assert_attach_fails(struct stack *f, const char *domain, int ret, const char *part)
{
    struct guest_info info;

    assert_int_equal(guests_attach(f->guests, domain, NULL, &info, f->error, sizeof(f->error)),
                     ret);
    if (!strstr(f->error, part) || strchr(f->error, '\n')) {
        fail_msg("\"%s\" does not say \"%s\"", f->error, part);
    }
}

void refresh(struct stack *f, const char *domain, struct guest_info *info)
{
    assert_int_equal(guests_info(f->guests, domain, info, f->error, sizeof(f->error)), 0);
}

void settle(struct stack *f, const char *domain)
{
    struct guest_info info;

    for (int i = 0; i < 200; i++) {
        guests_turn(f->guests);
        refresh(f, domain, &info);
        if (!info.gtt.pending) {
            return;
        }
        usleep(5000);
    }
    fail_msg("%u stores are still pending after a second", info.gtt.pending);
}

void guest_stores(struct stack *f, const struct guest_info *info, uint64_t first, uint64_t step,
                  unsigned n)
{
    uint64_t table = MMIO_BASE + VGPU_GTT_OFFSET + 8 * info->mappable.first;

    for (unsigned i = 0; i < n; i++) {
        host_sim_mmio_write(f->host, info->domid, table + 8 * i, first + i * step, 8);
    }
    host_sim_end_of_turn(f->host, info->domid);
}

void guest_maps(struct stack *f, const struct guest_info *info, uint64_t gfn, unsigned n)
{
    guest_stores(f, info, gfn << 12 | PTE_FLAGS, 1u << 12, n);
    settle(f, info->name);
}

void guest_clears(struct stack *f, const struct guest_info *info, unsigned n)
{
    guest_stores(f, info, 0, 0, n);
    settle(f, info->name);
}

uint32_t guest_reads(struct stack *f, uint32_t domid, uint64_t base, uint32_t reg)
{
    return (uint32_t)host_sim_mmio_read(f->host, domid, base + reg, 4);
}

void guest_writes(struct stack *f, uint32_t domid, uint32_t reg, uint32_t value)
{
    host_sim_mmio_write(f->host, domid, MMIO_BASE + reg, value, 4);
}
