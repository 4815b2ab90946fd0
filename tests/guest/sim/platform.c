/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guest is a call: it runs on the daemon's own stack, its accesses become calls into the
 * guests, and the daemon gets its turns in relax(). The platform.h interface has no handle, so
 * the guest that runs is the one piece of state here that no argument carries (turns.c).
 */
#include "platform.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../platform.h"

#define guest (*guest_now())

/* --- memory ------------------------------------------------------------------------------ */

void *page_va(uint64_t gfn)
{
    return xengt_sim_guest_page(guest.run->stack->sim, guest.run->domid, (struct xengt_gfn){gfn});
}

/* Pages that were freed come again first; with what was in them, so that this is stored over. */
int page_alloc(struct page *p)
{
    bool used = guest.free_count > 0;

    if (!used && guest.next_gfn >= guest.run->pages) {
        return -1;
    }
    p->gfn = used ? guest.free[--guest.free_count] : guest.next_gfn++;
    p->va = page_va(p->gfn);
    if (p->va && used) {
        page_fill(p, 0);
    }
    return p->va ? 0 : -1;
}

void page_free(struct page *p)
{
    if (guest.free_count < GUEST_FREE_MAX) {
        guest.free[guest.free_count++] = (uint32_t)p->gfn;
    }
    p->va = NULL;
}

void page_store(const struct page *p, uint32_t offset, uint64_t value, unsigned size)
{
    guest_may_turn();
    host_sim_guest_store(guest.run->stack->host, guest.run->domid, p->gfn * PAGE_SIZE + offset,
                         value, size);
}

void page_fill(const struct page *p, uint64_t value)
{
    for (uint32_t offset = 0; offset < PAGE_SIZE; offset += sizeof(value)) {
        page_store(p, offset, value, sizeof(value));
    }
}

int balloon_out(uint64_t gfn)
{
    return xengt_sim_balloon_out(guest.run->stack->sim, guest.run->domid, (struct xengt_gfn){gfn});
}

int balloon_in(uint64_t gfn)
{
    return xengt_sim_balloon_in(guest.run->stack->sim, guest.run->domid, (struct xengt_gfn){gfn});
}

uint64_t ram_pages(void)
{
    return guest.run->pages;
}

/* --- registers --------------------------------------------------------------------------- */

static uint64_t mmio_read(uint32_t off, unsigned size)
{
    struct host *host = guest.run->stack->host;
    uint64_t v;

    guest_may_turn();
    v = host_sim_mmio_read(host, guest.run->domid, STACK_MMIO_BASE + off, size);
    host_sim_end_of_turn(host, guest.run->domid);
    return v;
}

static void mmio_write(uint32_t off, uint64_t v, unsigned size)
{
    struct host *host = guest.run->stack->host;

    guest_may_turn();
    host_sim_mmio_write(host, guest.run->domid, STACK_MMIO_BASE + off, v, size);
    host_sim_end_of_turn(host, guest.run->domid);
}

uint32_t mmio_read32(uint32_t off)
{
    return mmio_read(off, 4);
}

uint64_t mmio_read64(uint32_t off)
{
    return mmio_read(off, 8);
}

void mmio_write32(uint32_t off, uint32_t v)
{
    mmio_write(off, v, 4);
}

void mmio_write64(uint32_t off, uint64_t v)
{
    mmio_write(off, v, 8);
}

/* --- text -------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 0))) static void put_line(const char *start, const char *fmt,
                                                           va_list ap)
{
    char line[200];
    int length = snprintf(line, sizeof(line), "%s", start);

    vsnprintf(line + length, sizeof(line) - (size_t)length, fmt, ap);
    if (!guest.run->stack->options.mute) {
        printf("# (d%u) %s\n", guest.run->domid, line);
    }
    if (guest.run->on_line) {
        guest.run->on_line(guest.run->on_line_arg, line);
    }
}

void say(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    put_line("", fmt, ap);
    va_end(ap);
}

void step(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    put_line("step ", fmt, ap);
    va_end(ap);
}

/* Nobody is outside. */
bool told_to_go_on(void)
{
    return true;
}

/* The text behind "key=" on the command line, or NULL. */
static const char *find_value(const char *key)
{
    size_t length = strlen(key);

    for (const char *word = guest.run->command_line; word; word = strchr(word, ' ')) {
        word += *word == ' ';
        if (strncmp(word, key, length) == 0 && word[length] == '=') {
            return word + length + 1;
        }
    }
    return NULL;
}

unsigned long arg_num(const char *key, unsigned long dflt)
{
    const char *value = find_value(key);

    return value ? strtoul(value, NULL, 0) : dflt;
}

/* --- time -------------------------------------------------------------------------------- */

/* The guest's clock: a turn of the daemon is a tenth of a millisecond, however long it took. */
#define TURN_US 100u

void relax(void)
{
    guest.now_us += TURN_US;
    host_sim_notice_deaths(guest.run->stack->host);
    if (guest.run->on_wait) {
        guest.run->on_wait(guest.run->on_line_arg);
    }
    guests_turn(guest.run->stack->guests);
    guest_turn();
}

/* Looking at the clock takes time, too: a loop until it says so comes to an end. */
uint64_t now_us(void)
{
    return guest.now_us++;
}
