/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Claims of an ioreq server: the accesses that come to it, and the note of them. */
#include "host/xen/ioreq_state.h"

#include <errno.h>

#include "host/xen/pci_function.h"

/* --- the PCI function -------------------------------------------------------------------- */

/* As many as Xen gives a domain. */
#define SERVERS_MAX 8u

static int claim_for(const struct ioreq_server *server, ioservid_t id, uint8_t devfn)
{
    const struct ioreq_server_config *config = &server->config;

    if (xendevicemodel_map_pcidev_to_ioreq_server(config->dmod, (domid_t)config->domain.domid, id,
                                                  0, 0, devfn >> 3, devfn & 7)) {
        return -errno;
    }
    return 0;
}

static int claim_function(const struct ioreq_server *server, uint8_t devfn)
{
    return claim_for(server, server->id, devfn);
}

/*
 * Xen does not say what a server has claimed, but refuses to let it claim that again. What is free
 * is given back at once: for a moment the other server is asked about a function it does not know.
 */
static int is_taken(void *arg, uint8_t devfn)
{
    const struct ioreq_server *server = arg;
    const struct ioreq_server_config *config = &server->config;

    for (ioservid_t id = 0; id < SERVERS_MAX; id++) {
        int ret = id == server->id ? -ENOENT : claim_for(server, id, devfn);

        if (ret == -EEXIST) {
            return 1;
        }
        if (!ret) {
            xendevicemodel_unmap_pcidev_from_ioreq_server(
                config->dmod, (domid_t)config->domain.domid, id, 0, 0, devfn >> 3, devfn & 7);
        } else if (ret != -ENOENT) { /* there is no such server */
            return ret;
        }
    }
    return 0;
}

/*
 * Xen itself turns the ports into requests for a function. What it does not do is to read the
 * address port, by which a guest finds out whether there is PCI at all.
 */
static int claim_root(struct ioreq_server *server)
{
    const struct ioreq_server_config *config = &server->config;

    if (xendevicemodel_map_io_range_to_ioreq_server(config->dmod, (domid_t)config->domain.domid,
                                                    server->id, 0, 0xcf8, 0xcff) &&
        errno != EEXIST) {
        return -errno;
    }
    return claim_function(server, 0);
}

/* Noted before: whoever adopts the server claims again what is in the note. */
int ioreq_claim_pci(struct ioreq_server *server)
{
    struct ioreq_pci *pci = &server->device.pci;
    int ret = pci->root ? claim_root(server)
                        : pci_function_choose(pci->devfn, is_taken, server, &pci->function);

    if (ret) {
        return ret;
    }
    server->record.function = pci->function;
    ret = ioreq_record_save(server->config.state_dir, &server->record);
    return ret ? ret : claim_function(server, pci->function);
}

static int claim_range(const struct ioreq_server *server, const struct ioreq_range *range)
{
    const struct ioreq_server_config *config = &server->config;

    if (xendevicemodel_map_io_range_to_ioreq_server(config->dmod, (domid_t)config->domain.domid,
                                                    server->id, 1, range->base,
                                                    range->base + range->size - 1)) {
        return -errno;
    }
    return 0;
}

/* The predecessor may have been killed right before it had claimed what it noted. */
static int had_it(int ret)
{
    return ret == -EEXIST ? 0 : ret;
}

int ioreq_claim_again(struct ioreq_server *server)
{
    struct ioreq_pci *pci = &server->device.pci;
    int ret = pci->root ? had_it(claim_root(server)) : 0;

    pci->function = server->record.function;
    ret = ret ? ret : had_it(claim_function(server, pci->function));
    for (unsigned i = 0; !ret && i < HOST_RANGES; i++) {
        if (server->device.range[i].size) {
            ret = had_it(claim_range(server, &server->device.range[i]));
        }
    }
    return ret;
}

/* --- ranges and RAM ---------------------------------------------------------------------- */

/* Noted before it is claimed, and after it is not any more. */
static int note_range(struct ioreq_server *server, unsigned range, uint64_t base, uint64_t size)
{
    struct ioreq_range *noted = &server->record.range[range];

    if (noted->base == base && noted->size == size) {
        return 0;
    }
    *noted = (struct ioreq_range){.base = base, .size = size};
    return ioreq_record_save(server->config.state_dir, &server->record);
}

int ioreq_server_claim(struct ioreq_server *server, unsigned range, uint64_t base, uint64_t size)
{
    const struct ioreq_server_config *config = &server->config;
    struct ioreq_range *held = &server->device.range[range];
    const struct ioreq_range wanted = {.base = base, .size = size};

    if (held->base == base && held->size == size) {
        return 0;
    }
    if (held->size) {
        xendevicemodel_unmap_io_range_from_ioreq_server(config->dmod, (domid_t)config->domain.domid,
                                                        server->id, 1, held->base,
                                                        held->base + held->size - 1);
        note_range(server, range, held->base, 0); /* where it was is worth to be known */
        held->size = 0;
    }
    if (!size) {
        return 0;
    }
    if (guest_memory_is_ram(&server->memory, base)) {
        return -EBUSY;
    }
    int ret = note_range(server, range, base, size);
    ret = ret ? ret : claim_range(server, &wanted);
    if (!ret) {
        *held = wanted;
    }
    return ret;
}

uint64_t ioreq_server_placed(const struct ioreq_server *server, unsigned range)
{
    return server->record.range[range].base;
}

int ioreq_server_note_ram(struct ioreq_server *server, uint64_t first, uint32_t pages)
{
    server->record.ram_first = first;
    server->record.ram_pages = pages;
    return ioreq_record_save(server->config.state_dir, &server->record);
}

const struct ioreq_record *ioreq_server_note(const struct ioreq_server *server)
{
    return &server->record;
}
