/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bytes are accesses to ports and configuration space, of every size, at every place, and
 * whole stories: base addresses that move, interrupts, sleep, resets. Beside it there is a model of
 * what may be written where: what is read is what it says, the registers answer where the base
 * address is and nowhere else, and an interrupt comes to the address that was programmed, or not.
 */
#include "gen/registers.h"
#include "host/xen/ioreq_decode.h"
#include "input.h"
#include "support/stack.h"
#include "vgpu/pci.h"

#define OPS_MAX  200u
#define PAGES    4u
#define WINDOW   16u
#define SPACE    256u
#define BCS      0x22000u
#define USER_IRQ (0x02u << 23)
#define BCS_USER (1u << 16) /* its bit of bank 0 */
#define PORT     0xcf8u

#define COMMAND     0x04u
#define BAR(n)      (0x10u + 8 * (n))
#define MSI_CONTROL 0x92u
#define MSI_ADDRESS 0x94u
#define MSI_DATA    0x98u
#define AF_CONTROL  0xa8u
#define PM_STATUS   0xd4u

struct fuzz {
    struct stack stack;
    uint32_t domid;
    uint32_t low; /* first entry of its window of the GTT */
    struct ioreq_device device;
    struct host_guest_stats stats;
    uint32_t port;
    uint8_t space[SPACE];
    uint8_t writable[SPACE];
    uint64_t size[VGPU_BARS];
};

/* --- the model --------------------------------------------------------------------------- */

static uint32_t get(const uint8_t *bytes, unsigned offset, unsigned size)
{
    uint32_t value = 0;
    memcpy(&value, bytes + offset, size);
    return value;
}

static void may_write(struct fuzz *f, unsigned reg, uint32_t mask, unsigned size)
{
    memcpy(f->writable + reg, &mask, size);
}

static void model_init(struct fuzz *f)
{
    may_write(f, COMMAND, 0x07ff, 2);
    may_write(f, 0x0c, 0xff, 1);
    may_write(f, 0x3c, 0xff, 1);
    may_write(f, MSI_CONTROL, 1, 2);
    may_write(f, MSI_ADDRESS, 0xfffffffc, 4);
    may_write(f, MSI_DATA, 0xffff, 2);
    may_write(f, PM_STATUS, 3, 1);
    for (unsigned bar = 0; bar < VGPU_BARS; bar++) {
        may_write(f, BAR(bar), (uint32_t) ~(f->size[bar] - 1), 4);
        may_write(f, BAR(bar) + 4, UINT32_MAX, 4);
    }
}

static bool in_dword(uint64_t reg, unsigned size)
{
    return (size == 1 || size == 2 || size == 4) && reg % 4 + size <= 4;
}

static void model_write(struct fuzz *f, unsigned reg, uint32_t value, unsigned size)
{
    uint8_t power = f->space[PM_STATUS];
    if (reg >= SPACE) {
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        uint8_t mask = f->writable[reg + i];
        f->space[reg + i] = (uint8_t)((f->space[reg + i] & ~mask) | (value >> 8 * i & mask));
    }
    if ((f->space[PM_STATUS] & 3) == 1 || (f->space[PM_STATUS] & 3) == 2) {
        f->space[PM_STATUS] = power;
    }
    if (reg <= AF_CONTROL && AF_CONTROL < reg + size && value >> 8 * (AF_CONTROL - reg) & 1) {
        for (unsigned i = 0; i < SPACE; i++) {
            f->space[i] &= (uint8_t)~f->writable[i];
        }
    }
}

/* Where a base address answers; 0: nowhere. */
static uint64_t model_bar(const struct fuzz *f, unsigned bar)
{
    uint64_t mask = ~(f->size[bar] - 1);
    uint64_t base = ((uint64_t)get(f->space, BAR(bar) + 4, 4) << 32 | get(f->space, BAR(bar), 4));
    bool on = f->space[COMMAND] & 2 && !(f->space[PM_STATUS] & 3);
    base &= mask;
    return on && base != mask ? base : 0;
}

static bool model_msi(const struct fuzz *f)
{
    return f->space[MSI_CONTROL] & 1 && f->space[COMMAND] & 4;
}

/* --- accesses ---------------------------------------------------------------------------- */

static uint64_t perform(struct fuzz *f, const struct ioreq *req)
{
    uint64_t answered = f->stats.ioreqs;
    uint64_t data = ioreq_perform(&f->device, req);
    REQUIRE(f->stats.ioreqs == answered + 1, "a request that is not counted");
    return data;
}

static uint64_t low_bytes(uint64_t value, unsigned size)
{
    return value & ((UINT64_C(1) << size * 8) - 1);
}

/* What the vGPU, the bridge, or nobody says. */
static uint32_t expected_config(const struct fuzz *f, unsigned devfn, uint32_t reg, unsigned size)
{
    uint32_t bridge = vgpu_pci_bridge_read(reg, size);
    if (devfn == VGPU_PCI_DEVFN && reg < SPACE) {
        return get(f->space, reg, size);
    }
    return devfn == VGPU_PCI_BRIDGE ? bridge : UINT32_MAX;
}

static void check_answer(const struct ioreq *req, uint64_t got, uint64_t expected)
{
    REQUIRE(got == expected, "%s of %u bytes at 0x%llx: 0x%llx, expected 0x%llx",
            req->dir == IOREQ_READ ? "read" : "write", req->size, (unsigned long long)req->addr,
            (unsigned long long)got, (unsigned long long)expected);
}

static void serve_config(struct fuzz *f, const struct ioreq *req)
{
    unsigned sbdf = (unsigned)(req->addr >> 32);
    uint32_t reg = (uint32_t)req->addr;
    uint64_t got = perform(f, req);
    bool ours = sbdf == VGPU_PCI_DEVFN || sbdf == VGPU_PCI_BRIDGE;
    if (!in_dword(reg, req->size) || req->count != 1 || req->data_is_ptr || !ours) {
        check_answer(req, got, UINT64_MAX);
    } else if (req->dir == IOREQ_READ) {
        uint32_t expected = expected_config(f, sbdf, reg, req->size);
        check_answer(req, got, low_bytes(expected, req->size));
    } else {
        check_answer(req, got, req->data);
        if (sbdf == VGPU_PCI_DEVFN) {
            model_write(f, reg, (uint32_t)low_bytes(req->data, req->size), req->size);
        }
    }
}

static void serve_port(struct fuzz *f, const struct ioreq *req)
{
    bool address = req->addr >= PORT && req->addr < PORT + 4;
    uint64_t got = perform(f, req);
    if (!in_dword(req->addr, req->size) || req->count != 1 || req->data_is_ptr) {
        check_answer(req, got, UINT64_MAX);
    } else if (req->dir == IOREQ_READ) {
        uint64_t value = address ? f->port >> req->addr % 4 * 8 : UINT64_MAX;
        check_answer(req, got, low_bytes(value, req->size));
    } else if (address && req->size == 4) {
        f->port = (uint32_t)req->data;
    }
}

static struct ioreq config_request(unsigned reg, unsigned size, bool read, uint32_t value)
{
    return (struct ioreq){
        .type = IOREQ_TYPE_PCI_CONFIG,
        .addr = (uint64_t)VGPU_PCI_DEVFN << 32 | reg,
        .size = size,
        .count = 1,
        .dir = read ? IOREQ_READ : IOREQ_WRITE,
        .data = value,
    };
}

static void config_write(struct fuzz *f, unsigned reg, uint32_t value, unsigned size)
{
    const struct ioreq req = config_request(reg, size, false, value);
    serve_config(f, &req);
}

static uint64_t mmio_read(struct fuzz *f, unsigned bar, uint64_t offset, unsigned size)
{
    return host_sim_mmio_read(f->stack.host, f->domid, model_bar(f, bar) + offset, size);
}

static void mmio_write(struct fuzz *f, uint64_t offset, uint64_t value, unsigned size)
{
    host_sim_mmio_write(f->stack.host, f->domid, model_bar(f, 0) + offset, value, size);
}

/* --- what must hold ---------------------------------------------------------------------- */

static void check_space(struct fuzz *f)
{
    for (unsigned reg = 0; reg < SPACE; reg += 4) {
        const struct ioreq req = config_request(reg, 4, true, 0);
        check_answer(&req, perform(f, &req), get(f->space, reg, 4));
    }
}

/* The registers answer where they should, and not where they were. */
static void check_place(struct fuzz *f, uint64_t before)
{
    uint64_t now = model_bar(f, VGPU_BAR_MMIO), other = model_bar(f, VGPU_BAR_APERTURE);
    uint64_t page = before + PVINFO_BASE;
    if (now) {
        REQUIRE(mmio_read(f, 0, PVINFO_BASE, 8) == PVINFO_MAGIC_VALUE, "nothing answers at 0x%llx",
                (unsigned long long)now);
    }
    if (before && before != now && (!other || page - other >= f->size[VGPU_BAR_APERTURE])) {
        REQUIRE(host_sim_mmio_read(f->stack.host, f->domid, page, 8) == UINT64_MAX,
                "something still answers at 0x%llx", (unsigned long long)before);
    }
}

static void check_no_interrupt(struct fuzz *f)
{
    uint64_t address;
    uint32_t data;
    REQUIRE(!host_sim_interrupt(f->stack.host, f->domid, &address, &data),
            "an interrupt without a reason");
}

/* Page 0 by way of the aperture, unless the registers are in its place. */
static void check_aperture(struct fuzz *f, uint32_t expected)
{
    uint64_t base = model_bar(f, VGPU_BAR_APERTURE), mmio = model_bar(f, VGPU_BAR_MMIO);
    uint64_t offset = (uint64_t)f->low * XENGT_PAGE_SIZE;
    if (base && base + offset - mmio >= f->size[VGPU_BAR_MMIO]) {
        REQUIRE(mmio_read(f, 1, offset, 4) == expected, "another page in the aperture");
    }
}

/* --- stories ----------------------------------------------------------------------------- */

/* A command on the blitter that ends in an interrupt; the registers have to be there for it. */
static void raise_interrupt(struct fuzz *f)
{
    const uint32_t commands[] = {USER_IRQ, 0};
    uint64_t address = 0;
    uint32_t data = 0;
    if (!model_bar(f, VGPU_BAR_MMIO)) {
        return;
    }
    void *page = xengt_sim_guest_page(f->stack.sim, f->domid, (struct xengt_gfn){0});
    memcpy(page, commands, sizeof(commands));
    mmio_write(f, GDRST, 1, 4);
    mmio_write(f, VGPU_GTT_OFFSET + f->low * 8, 1, 8);
    mmio_write(f, BCS + RING_IMR, 0, 4);
    mmio_write(f, GT_IRQ(0) + 0x4, ~BCS_USER, 4);
    mmio_write(f, GT_IRQ(0) + 0xc, BCS_USER, 4);
    mmio_write(f, MASTER_IRQ, 0, 4);
    mmio_write(f, GT_IRQ(0) + 0x8, BCS_USER, 4);
    mmio_write(f, GT_IRQ(0) + 0x8, BCS_USER, 4); /* it may be set once more */
    mmio_write(f, MASTER_IRQ, MASTER_IRQ_ENABLE, 4);
    mmio_write(f, BCS + RING_START, f->low * XENGT_PAGE_SIZE, 4);
    mmio_write(f, BCS + RING_CTL, RING_CTL_VALID, 4);
    check_no_interrupt(f);
    mmio_write(f, BCS + RING_TAIL, sizeof(commands), 4);
    stack_run(&f->stack);
    bool came = host_sim_interrupt(f->stack.host, f->domid, &address, &data);
    REQUIRE(came == model_msi(f), "%s", came ? "an interrupt nobody wants" : "no interrupt");
    REQUIRE(!came ||
                (address == get(f->space, MSI_ADDRESS, 4) && data == get(f->space, MSI_DATA, 2)),
            "an interrupt to 0x%llx", (unsigned long long)address);
    check_aperture(f, USER_IRQ);
}

/* As a driver finds out a size: and then it goes where the driver likes. */
static void move_bar(struct fuzz *f, struct input *in)
{
    uint8_t kind = input_u8(in);
    unsigned bar = kind & 1, reg = BAR(bar);
    uint32_t low, high = kind & 2 ? input_u32(in) : 0;
    config_write(f, reg, UINT32_MAX, 4);
    low = get(f->space, reg, 4) & ~15u;
    if (kind & 4) {
        config_write(f, reg + 4, UINT32_MAX, 4);
        check_space(f);
    }
    REQUIRE(~low + 1 == f->size[bar], "a base address of 0x%x bytes", ~low + 1);
    config_write(f, reg + 4, high, 4);
    config_write(f, reg, input_u32(in), 4);
}

/* A reset of the function leaves nothing of the guest's. */
static void reset(struct fuzz *f)
{
    config_write(f, AF_CONTROL, 1, 1);
    REQUIRE(!model_bar(f, 0), "the model");
    check_space(f);
    config_write(f, BAR(0), STACK_MMIO_BASE, 4);
    config_write(f, COMMAND, 2, 2);
    REQUIRE(mmio_read(f, 0, VGPU_GTT_OFFSET + f->low * 8, 8) == 0, "the GTT outlives a reset");
    REQUIRE(mmio_read(f, 0, BCS + RING_START, 4) == 0, "a ring outlives a reset");
}

/* Any request, close to one that makes sense. */
static void any_request(struct fuzz *f, struct input *in)
{
    static const uint8_t sizes[] = {1, 2, 4, 4, 8, 3, 0, 4};
    uint8_t kind = input_u8(in);
    struct ioreq req = {
        .count = kind & 0x80 && input_u8(in) < 64 ? input_u16(in) : 1,
        .size = sizes[kind & 7],
        .dir = kind >> 3 & 1,
        .data = input_u32(in),
    };
    if (kind & 0x10) {
        req.type = IOREQ_TYPE_PIO;
        req.addr = PORT + input_u8(in) % 8;
        req.data_is_ptr = kind >> 6 & 1;
        serve_port(f, &req);
        return;
    }
    req.type = IOREQ_TYPE_PCI_CONFIG;
    req.addr = (uint64_t)VGPU_PCI_DEVFN << 32 | input_u8(in);
    if (kind & 0x20) {
        req.addr = (uint64_t)(input_u16(in) % 0x102) << 32 | input_u16(in) % 0x104;
    }
    if (kind & 0x40) {
        req.addr = (input_u64(in) & UINT64_C(0xffffffffffff));
    }
    serve_config(f, &req);
}

static void operate(struct fuzz *f, struct input *in)
{
    uint8_t op = input_u8(in);
    switch (op % 8) {
    case 0:
    case 1:
    case 2:
        any_request(f, in);
        break;
    case 3:
        move_bar(f, in);
        break;
    case 4:
        raise_interrupt(f);
        break;
    case 5:
        config_write(f, COMMAND, op >> 3 & 7, 2);
        break;
    case 6:
        if (op & 8) {
            config_write(f, PM_STATUS, op >> 4, 2);
        } else {
            config_write(f, MSI_ADDRESS, input_u32(in), 4);
            config_write(f, MSI_DATA, input_u16(in), 2);
            config_write(f, MSI_CONTROL, op >> 4, 2);
        }
        break;
    default:
        if (op & 8) {
            reset(f);
        }
        break;
    }
}

/* --- the stack --------------------------------------------------------------------------- */

static uint32_t on_pci_read(void *arg, unsigned devfn, unsigned reg, unsigned size)
{
    struct fuzz *f = arg;
    return host_sim_pci_read(f->stack.host, f->domid, devfn, reg, size);
}

static void on_pci_write(void *arg, unsigned devfn, unsigned reg, uint32_t value, unsigned size)
{
    struct fuzz *f = arg;
    host_sim_pci_write(f->stack.host, f->domid, devfn, reg, value, size);
}

static const struct host_guest_ops ops = {.pci_read = on_pci_read, .pci_write = on_pci_write};

static void open_stack(struct fuzz *f)
{
    const struct stack_options options = {
        .mappable_pages = WINDOW,
        .unmappable_pages = WINDOW,
        .gtt_entries = 1024,
    };
    REQUIRE(!stack_open(&f->stack, &options) && !stack_guest(&f->stack, "guest", PAGES, &f->domid),
            "no stack");
    f->device = (struct ioreq_device){
        .pci = {.function = VGPU_PCI_DEVFN, .devfn = VGPU_PCI_DEVFN, .root = true},
        .ops = &ops,
        .arg = f,
        .stats = &f->stats,
    };
    for (unsigned reg = 0; reg < SPACE; reg++) {
        f->space[reg] = (uint8_t)host_sim_pci_read(f->stack.host, f->domid, VGPU_PCI_DEVFN, reg, 1);
    }
    f->size[VGPU_BAR_MMIO] = VGPU_MMIO_SIZE;
    f->size[VGPU_BAR_APERTURE] = STACK_MMIO_BASE - (get(f->space, BAR(1), 4) & ~15u);
    model_init(f);
    f->low = (uint32_t)mmio_read(f, 0, PVINFO_BASE + PVINFO_MAPPABLE_BASE, 4) / XENGT_PAGE_SIZE;
}

/* From then on it is another vGPU than the model. */
static bool was_reset_too_often(const struct fuzz *f)
{
    struct guest_info info;
    return guests_list(f->stack.guests, 0, &info) && info.failsafe &&
           strstr(info.failsafe, "reset more often");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct fuzz f = {0};
    open_stack(&f);
    for (unsigned n = 0; n < OPS_MAX && in.left && !was_reset_too_often(&f); n++) {
        uint64_t before = model_bar(&f, VGPU_BAR_MMIO);
        operate(&f, &in);
        check_place(&f, before);
        check_no_interrupt(&f);
        if (n % 16 == 0) {
            check_space(&f);
        }
    }
    check_space(&f);
    stack_close(&f.stack);
    return 0;
}
