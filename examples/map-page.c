/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * map-page DOMID GFN: makes one page of a domain reachable for DMA, says by which address a device
 * would reach it, and undoes it. Run it as root in a backend domain, while no other program uses
 * /run/xengt.
 *
 *     cc -o map-page map-page.c $(pkg-config --cflags --libs libxengt)
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xengt/map.h>
#include <xengt/target.h>

static int map_page(struct xengt *xg, uint32_t domid, struct xengt_gfn gfn)
{
    struct xengt_bfn bfn;
    struct xengt_cookie cookie;
    int ret = xengt_map(xg, domid, &gfn, &bfn, &cookie, NULL, 1, XENGT_PROT_RW);
    if (ret) {
        return ret;
    }
    /* Here a device would be told the address, and used; then stopped, and its TLB invalidated. */
    printf("domain %" PRIu32 ": gfn 0x%" PRIx64 " is bfn 0x%" PRIx64 ", bus address 0x%" PRIx64
           "\n",
           domid, gfn.v, bfn.v, xengt_bfn_to_addr(bfn));
    return xengt_unmap(xg, &cookie, NULL, 1);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: map-page DOMID GFN\n");
        return 2;
    }
    uint32_t domid = (uint32_t)strtoul(argv[1], NULL, 0);
    struct xengt_gfn gfn = {strtoull(argv[2], NULL, 0)};

    struct xengt *xg;
    char error[256];
    int ret = xengt_open(&xg, NULL, error, sizeof(error));
    if (ret) {
        fprintf(stderr, "map-page: %s: %s\n", strerror(-ret), error);
        return 1;
    }
    printf("%s: %s\n", xengt_get_caps(xg)->backend_name, xengt_get_caps(xg)->explanation);

    ret = xengt_target_add(xg, domid);
    if (!ret) {
        ret = map_page(xg, domid, gfn);
    }
    if (ret) {
        fprintf(stderr, "map-page: %s: %s\n", strerror(-ret), xengt_last_error(xg));
    }
    xengt_close(xg);
    return ret != 0;
}
