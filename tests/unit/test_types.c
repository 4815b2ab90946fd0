/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attaching vGPUs of types: what a guest gets, and what its administrator is told who gets none. */
#include "guests/guest.h"
#include "support/guests_fixture.h"
#include "vgpu/models.h"

#define PVINFO_MAPPABLE (0x78000u + 0x40) /* base and size of both windows */
#define PVINFO_FENCES   (0x78000u + 0x50)
#define MIB             (UINT64_C(1) << 20)
#define RING_TAIL       0x22030u /* of the blitter */
#define RING_START      0x22038u
#define RING_CTL        0x2203cu
#define APERTURE_BAR    0x18u
#define VGPU_DEVFN      0x10u

/* 4 GiB of GPU addresses, as the daemon has them. */
static int setup_large(void **state)
{
    return setup_like(state, (struct stack_options){.gtt_entries = 1u << 20});
}

static void new_guest_of(struct stack *f, const char *domain, const char *type,
                         struct guest_info *info)
{
    new_domain(f, domain);
    attach_type(f, domain, type, info);
}

static void assert_refused(struct stack *f, const char *domain, const char *type, int ret,
                           const char *text)
{
    struct guest_info info;

    assert_int_equal(guests_attach(f->guests, domain, type, &info, f->error, sizeof(f->error)),
                     ret);
    assert_string_equal(f->error, text);
    assert_int_equal(guests_info(f->guests, domain, &info, f->error, sizeof(f->error)), -ENOENT);
}

static unsigned available(struct stack *f, const char *name)
{
    struct guests_type_info info;

    for (unsigned i = 0; guests_type(f->guests, i, &info); i++) {
        if (!strcmp(info.type->name, name)) {
            return info.available;
        }
    }
    fail_msg("no type %s", name);
    return 0;
}

#define TEST(name) TEST_WITH(name, setup_large, teardown)

/* What the guest's driver reads is what the type says; and the aperture is the same for all. */
TEST(guest_sees_its_type)
{
    struct stack *f = *state;
    struct guest_info first, second;
    uint32_t regs[4];

    new_guest_of(f, "first", "GVTg_V4_8", &first);
    new_guest_of(f, "second", "GVTg_V4_4", &second);
    assert_string_equal(second.type->name, "GVTg_V4_4");
    for (unsigned i = 0; i < 4; i++) {
        regs[i] = guest_reads(f, second.domid, MMIO_BASE, PVINFO_MAPPABLE + 4 * i);
    }
    assert_int_equal(regs[0], 64 * MIB);
    assert_int_equal(regs[1], 128 * MIB);
    assert_int_equal(regs[2], (512 + 384) * MIB);
    assert_int_equal(regs[3], 512 * MIB);
    assert_int_equal(guest_reads(f, second.domid, MMIO_BASE, PVINFO_FENCES), 4);
    assert_int_equal(host_sim_pci_read(f->host, second.domid, VGPU_DEVFN, APERTURE_BAR, 4) & ~15u,
                     MMIO_BASE - 512 * MIB);
    host_sim_pci_write(f->host, second.domid, VGPU_DEVFN, APERTURE_BAR, UINT32_MAX, 4);
    assert_int_equal(host_sim_pci_read(f->host, second.domid, VGPU_DEVFN, APERTURE_BAR, 4) & ~15u,
                     (uint32_t) - (512 * MIB));
}

TEST(a_type_says_which_model_its_vgpu_is)
{
    struct stack *f = *state;
    struct guest_info info;
    struct vgpu_type *type = &f->guests->types.type[0];

    new_domain(f, "web");
    type->model = "voodoo";
    assert_int_equal(guests_attach(f->guests, "web", type->name, NULL, f->error, sizeof(f->error)),
                     -EINVAL);
    type->model = vgpu_model(NULL)->name;
    attach_type(f, "web", type->name, &info);
    assert_int_equal(host_sim_pci_read(f->host, info.domid, VGPU_DEVFN, 0, 4),
                     vgpu_model(NULL)->pci_id);
}

TEST(default_type)
{
    struct stack *f = *state;
    struct guests_type_info type;
    struct guest_info info;
    unsigned presets = 0;

    new_guest_of(f, "web", NULL, &info);
    assert_string_equal(info.type->name, "custom");
    for (unsigned i = 0; guests_type(f->guests, i, &type); i++) {
        presets += type.preset;
        assert_true(!type.preset || type.type == info.type);
    }
    assert_int_equal(presets, 1);
}

TEST(unknown_type)
{
    struct stack *f = *state;
    uint32_t domid;

    new_domain(f, "web");
    assert_refused(f, "web", "GVTg_V5_4", -EINVAL,
                   "domain 'web' (1): there is no type 'GVTg_V5_4', only GVTg_V4_1, GVTg_V4_2, "
                   "GVTg_V4_4, GVTg_V4_8, custom");
    assert_refused(f, "web", "", -EINVAL,
                   "domain 'web' (1): there is no type '', only GVTg_V4_1, GVTg_V4_2, GVTg_V4_4, "
                   "GVTg_V4_8, custom");
    assert_int_equal(xengt_target_list(f->xengt, &domid, 1), 0);
}

TEST(no_room)
{
    struct stack *f = *state;
    struct guest_info info;
    uint32_t domid;

    new_guest_of(f, "a", "GVTg_V4_2", &info);
    new_domain(f, "b");
    assert_refused(f, "b", "GVTg_V4_1", -ENOSPC,
                   "domain 'b' (2): no room for GVTg_V4_1, which wants 512 MiB mappable (256 free "
                   "in one piece); there is room for GVTg_V4_2, GVTg_V4_4, GVTg_V4_8, custom");
    new_guest_of(f, "c", "GVTg_V4_2", &info);
    assert_refused(f, "b", "GVTg_V4_1", -ENOSPC,
                   "domain 'b' (2): no room for GVTg_V4_1, which wants 512 MiB mappable (0 free in "
                   "one piece), 2048 MiB unmappable (1536 free in one piece); detach a guest "
                   "first");
    assert_int_equal(xengt_target_list(f->xengt, &domid, 1), 2);
    assert_int_equal(guests_detach(f->guests, "a", f->error, sizeof(f->error)), 0);
    assert_int_equal(guests_attach(f->guests, "b", "GVTg_V4_4", &info, f->error, sizeof(f->error)),
                     0);
    assert_int_equal(info.mappable.first, 0);
}

/* Small ones until there are no more fences for a type that has four. */
TEST(no_fences)
{
    struct stack *f = *state;
    struct guest_info info;
    char name[16];

    for (unsigned i = 0; i < 15; i++) {
        snprintf(name, sizeof(name), "vm%u", i);
        new_guest_of(f, name, "custom", &info);
    }
    new_domain(f, "more");
    assert_refused(
        f, "more", "GVTg_V4_8", -ENOSPC,
        "domain 'more' (16): no room for GVTg_V4_8, which wants 4 fences (2 free); there "
        "is room for custom");
    assert_int_equal(available(f, "GVTg_V4_8"), 0);
    assert_int_equal(available(f, "custom"), 1);
    assert_int_equal(guests_detach(f->guests, "vm7", f->error, sizeof(f->error)), 0);
    assert_int_equal(available(f, "GVTg_V4_8"), 1);
    assert_int_equal(
        guests_attach(f->guests, "more", "GVTg_V4_8", &info, f->error, sizeof(f->error)), 0);
    assert_int_equal(info.id, 8); /* the number of the one that went */
}

/* Windows that a guest had are another's now: nothing of the first one is in them. */
TEST(next_owner_finds_scratch)
{
    struct stack *f = *state;
    struct guest_info first, second;

    new_guest_of(f, "first", "GVTg_V4_4", &first);
    guest_maps(f, &first, 16, 8);
    assert_int_equal(guests_detach(f->guests, "first", f->error, sizeof(f->error)), 0);
    new_guest_of(f, "second", "GVTg_V4_8", &second);
    assert_int_equal(second.mappable.first, first.mappable.first);
    assert_int_equal(guests_verify(f->guests, "second", f->error, sizeof(f->error)), 0);
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(gpu_read_pte(f->gpu, GPU_GGTT, second.mappable.first + i),
                         gpu_read_pte(f->gpu, GPU_GGTT, f->gpu->gtt_entries - 1));
    }
}

/* A batch in the second page that goes to its own start. */
static void hang(struct stack *f, const struct guest_info *info)
{
    uint32_t batch = (info->mappable.first + 1) << 12;
    const uint32_t start[] = {0x18800001, batch, 0, 0};

    memcpy(xengt_sim_guest_page(f->sim, info->domid, (struct xengt_gfn){16}), start, sizeof(start));
    memcpy(xengt_sim_guest_page(f->sim, info->domid, (struct xengt_gfn){17}), start, sizeof(start));
    guest_maps(f, info, 16, 2);
    guest_writes(f, info->domid, RING_START, info->mappable.first << 12);
    guest_writes(f, info->domid, RING_CTL, 1);
    guest_writes(f, info->domid, RING_TAIL, sizeof(start));
}

static uint64_t commands_of(struct stack *f, const char *domain)
{
    struct guest_info info;

    refresh(f, domain, &info);
    assert_null(info.failsafe);
    return info.gpu.commands;
}

/* Two that never end share the GPU as their types say: 8 to 2. */
TEST(weights_reach_the_gpu)
{
    struct stack *f = *state;
    struct guest_info heavy, light;
    uint64_t before[2];

    new_guest_of(f, "heavy", "GVTg_V4_2", &heavy);
    new_guest_of(f, "light", "GVTg_V4_8", &light);
    hang(f, &heavy);
    hang(f, &light);
    before[0] = commands_of(f, "heavy");
    before[1] = commands_of(f, "light");
    assert_true(f->gpu->ops->run(f->gpu, 1000));
    assert_in_range(commands_of(f, "heavy") - before[0], 792, 808);
    assert_in_range(commands_of(f, "light") - before[1], 198, 202);
}

/* Of a guests: a default type that is none, or that the GPU is too small for. */
TEST_WITH(bad_defaults, setup, teardown)
{
    struct stack *f = *state;
    struct guests_config config = {
        .xengt = f->xengt,
        .gpu = f->gpu,
        .host = f->host,
        .mmio_base = MMIO_BASE,
        .type = "GVTg_V4_16",
    };
    struct guests *guests;

    assert_int_equal(guests_create(&config, &guests), -ENOENT);
    assert_null(guests);
    config.type = "GVTg_V4_8"; /* of 256 MiB */
    assert_int_equal(guests_create(&config, &guests), -ENOSPC);
    config.type = NULL;
    config.mappable_pages = GTT_ENTRIES / 8 + 1;
    assert_int_equal(guests_create(&config, &guests), -ENOSPC);
    assert_null(guests);
}
