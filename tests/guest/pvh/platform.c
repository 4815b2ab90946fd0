/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* platform.h for a bare 64-bit PVH guest of Xen. */

#include "../platform.h"

#include "hypercall.h"
#include "text.h"

/* Without it Xen's headers speak the dialect of Xen 3. */
#define __XEN_INTERFACE_VERSION__ 0x00040e00
#include <xen/arch-x86/cpuid.h>
#include <xen/arch-x86/hvm/start_info.h>
#include <xen/errno.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/xen.h>

#define GTTMMADR_BASE 0xe0000000u

int main(void);
void platform_start(const struct hvm_start_info *info) __attribute__((noreturn));

extern char image_end[];            /* from guest.lds */
extern volatile uint32_t nmi_count; /* from boot.S */

static _Alignas(PAGE_SIZE) uint8_t hypercall_page[PAGE_SIZE];
static uint64_t ram_end_gfn;
static uint64_t next_fresh_gfn;
static void *free_pages; /* a list linked through the pages' first words */
static uint32_t tsc_khz;

/* --- Xen --------------------------------------------------------------------------------- */

static void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
    asm volatile("cpuid"
                 : "=a"(regs[0]), "=b"(regs[1]), "=c"(regs[2]), "=d"(regs[3])
                 : "a"(leaf), "c"(subleaf));
}

/* The base moves up by 0x100 for each other hypervisor interface shown beside Xen's. */
static uint32_t xen_cpuid_base(void)
{
    uint32_t regs[4], base;

    for (base = XEN_CPUID_FIRST_LEAF; base < XEN_CPUID_FIRST_LEAF + 0x10000; base += 0x100) {
        cpuid(base, 0, regs);
        if (regs[1] == XEN_CPUID_SIGNATURE_EBX && regs[2] == XEN_CPUID_SIGNATURE_ECX &&
            regs[3] == XEN_CPUID_SIGNATURE_EDX) {
            break;
        }
    }
    return base;
}

static void xen_init(void)
{
    uint32_t base = xen_cpuid_base(), regs[4];
    uint64_t page = (uintptr_t)hypercall_page;

    /* Leaf 2: the MSR that fills a page with this CPU's way (vmcall, vmmcall) into Xen. */
    cpuid(base + 2, 0, regs);
    asm volatile("wrmsr"
                 :
                 : "c"(regs[1]), "a"((uint32_t)page), "d"((uint32_t)(page >> 32))
                 : "memory");
    /* Leaf 3, sub-leaf 0: ecx is the guest's TSC frequency. */
    cpuid(base + 3, 0, regs);
    tsc_khz = regs[2] ? regs[2] : 1000000;
}

long hypercall3(unsigned int number, unsigned long arg1, void *arg2, void *arg3)
{
    register unsigned long rdi asm("rdi") = arg1;
    register void *rsi asm("rsi") = arg2;
    register void *rdx asm("rdx") = arg3;
    long result;

    asm volatile("call *%[entry]"
                 : "=a"(result), "+r"(rdi), "+r"(rsi), "+r"(rdx)
                 : [entry] "r"(hypercall_page + 32 * number)
                 : "memory", "rcx", "r8", "r9", "r10", "r11");
    return result;
}

static long hypercall2(unsigned int number, unsigned long arg1, void *arg2)
{
    return hypercall3(number, arg1, arg2, NULL);
}

static unsigned int end_reason(bool passed)
{
    const char *end = passed ? arg("end", "poweroff") : "poweroff";

    return *end == 'r' ? SHUTDOWN_reboot : *end == 'c' ? SHUTDOWN_crash : SHUTDOWN_poweroff;
}

/* "end=reboot" and "end=crash": as a kernel that wants to begin again, or that has panicked. */
static __attribute__((noreturn)) void end_guest(bool passed)
{
    struct sched_shutdown shutdown = {.reason = end_reason(passed)};

    for (;;) {
        hypercall2(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &shutdown);
    }
}

/* --- time -------------------------------------------------------------------------------- */

#define NAP_NS 20000000u

/* Xen keeps its clock for this vCPU here, as a TSC value and how to go on from it. */
static const volatile struct vcpu_time_info *xen_clock;

static uint64_t read_tsc(void)
{
    uint32_t low, high;

    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return ((uint64_t)high << 32) | low;
}

uint64_t now_us(void)
{
    return read_tsc() * 1000 / tsc_khz;
}

/* Puts the shared info page where a page of RAM was. */
static void clock_init(void)
{
    struct page page;
    struct xen_add_to_physmap shared = {.domid = DOMID_SELF, .space = XENMAPSPACE_shared_info};

    if (page_alloc(&page)) {
        return;
    }
    shared.gpfn = page.gfn;
    if (hypercall2(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, &shared) == 0) {
        xen_clock = &((struct shared_info *)page.va)->vcpu_info[0].time;
    }
}

/* Xen's system time. An odd version means that Xen is writing. */
static uint64_t system_ns(void)
{
    uint32_t version;
    uint64_t ns, delta;

    do {
        version = xen_clock->version;
        delta = read_tsc() - xen_clock->tsc_timestamp;
        delta = xen_clock->tsc_shift < 0 ? delta >> -xen_clock->tsc_shift
                                         : delta << xen_clock->tsc_shift;
        ns = xen_clock->system_time +
             (uint64_t)((unsigned __int128)delta * xen_clock->tsc_to_system_mul >> 32);
    } while (version != xen_clock->version || version & 1);
    return ns;
}

/* A nap: a guest that polls in a loop would take the CPU from those it waits for. */
void relax(void)
{
    struct sched_poll poll = {.nr_ports = 0};

    if (xen_clock) {
        poll.timeout = system_ns() + NAP_NS;
    }
    if (!xen_clock || hypercall2(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll)) {
        hypercall2(__HYPERVISOR_sched_op, SCHEDOP_yield, NULL);
    }
}

/* Both operations answer with the number of extents done: 1 is success. */
static int one_page_op(unsigned int op, uint64_t gfn)
{
    xen_pfn_t frame = gfn;
    struct xen_memory_reservation reservation = {
        .nr_extents = 1,
        .domid = DOMID_SELF,
    };
    long result;

    set_xen_guest_handle(reservation.extent_start, &frame);
    result = hypercall2(__HYPERVISOR_memory_op, op, &reservation);
    if (result == 1) {
        return 0;
    }
    return result < 0 ? (int)result : -XEN_ENOMEM;
}

int balloon_out(uint64_t gfn)
{
    return one_page_op(XENMEM_decrease_reservation, gfn);
}

int balloon_in(uint64_t gfn)
{
    return one_page_op(XENMEM_populate_physmap, gfn);
}

/* --- memory ------------------------------------------------------------------------------ */

static void memory_init(const struct hvm_start_info *info)
{
    const struct hvm_memmap_table_entry *map = (void *)(uintptr_t)info->memmap_paddr;

    for (uint32_t i = 0; i < info->memmap_entries; i++) {
        uint64_t end = map[i].addr + map[i].size;

        /* Above the BAR nothing is RAM that this guest uses: only 4 GiB are mapped. */
        if (map[i].type == XEN_HVM_MEMMAP_TYPE_RAM && end <= GTTMMADR_BASE &&
            end >> PAGE_SHIFT > ram_end_gfn) {
            ram_end_gfn = end >> PAGE_SHIFT;
        }
    }
    next_fresh_gfn = ((uintptr_t)image_end + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

int page_alloc(struct page *p)
{
    if (free_pages) {
        p->va = free_pages;
        free_pages = *(void **)free_pages;
    } else if (next_fresh_gfn < ram_end_gfn) {
        p->va = (void *)(uintptr_t)(next_fresh_gfn++ << PAGE_SHIFT);
    } else {
        return -1;
    }
    p->gfn = (uintptr_t)p->va >> PAGE_SHIFT;
    for (uint32_t i = 0; i < PAGE_SIZE / sizeof(uint64_t); i++) {
        ((volatile uint64_t *)p->va)[i] = 0; /* it may have been a table, and still be trapped */
    }
    return 0;
}

void *page_va(uint64_t gfn)
{
    return (void *)(uintptr_t)(gfn << PAGE_SHIFT);
}

void page_store(const struct page *p, uint32_t offset, uint64_t value, unsigned size)
{
    void *at = (uint8_t *)page_va(p->gfn) + offset;

    if (size == 8) {
        *(volatile uint64_t *)at = value;
    } else if (size == 4) {
        *(volatile uint32_t *)at = (uint32_t)value;
    } else if (size == 2) {
        *(volatile uint16_t *)at = (uint16_t)value;
    } else {
        *(volatile uint8_t *)at = (uint8_t)value;
    }
}

void page_fill(const struct page *p, uint64_t value)
{
    void *at = page_va(p->gfn);
    uint64_t n = PAGE_SIZE / sizeof(value);

    __asm__ volatile("rep stosq" : "+D"(at), "+c"(n) : "a"(value) : "memory");
}

void page_free(struct page *p)
{
    *(void **)p->va = free_pages;
    free_pages = p->va;
}

uint64_t ram_pages(void)
{
    return ram_end_gfn;
}

/* gcc calls these for copies and loops it recognises, also without a libc. */
void *memset(void *to, int value, size_t size);
void *memcpy(void *to, const void *from, size_t size);

void *memset(void *to, int value, size_t size)
{
    void *at = to;

    asm volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(value) : "memory");
    return to;
}

void *memcpy(void *to, const void *from, size_t size)
{
    void *at = to;

    asm volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(size) : : "memory");
    return to;
}

/* --- the GPU's registers ----------------------------------------------------------------- */

uint32_t mmio_read32(uint32_t off)
{
    return *(volatile uint32_t *)(uintptr_t)(GTTMMADR_BASE + off);
}

uint64_t mmio_read64(uint32_t off)
{
    return *(volatile uint64_t *)(uintptr_t)(GTTMMADR_BASE + off);
}

void mmio_write32(uint32_t off, uint32_t v)
{
    *(volatile uint32_t *)(uintptr_t)(GTTMMADR_BASE + off) = v;
}

void mmio_write64(uint32_t off, uint64_t v)
{
    *(volatile uint64_t *)(uintptr_t)(GTTMMADR_BASE + off) = v;
}

/* Each NMI is one step. One that came early counts. */
static uint32_t steps;

void wait_for_go(void)
{
    steps++;
    while ((int32_t)(nmi_count - steps) < 0) {
        relax();
    }
}

bool told_to_go_on(void)
{
    bool told = nmi_count != steps;

    steps += told;
    return told;
}

void platform_start(const struct hvm_start_info *info)
{
    xen_init();
    if (info->cmdline_paddr) {
        command_line_init((const char *)(uintptr_t)info->cmdline_paddr);
    }
    memory_init(info);
    clock_init();
    end_guest(main() == 0);
}
