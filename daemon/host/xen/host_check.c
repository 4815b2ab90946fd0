/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The check of the machine, device by device, with a remedy for what is missing. */
#include "host/xen/host_check.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool under_xen(void)
{
    char type[16] = "";
    FILE *file = fopen("/sys/hypervisor/type", "re");

    if (file) {
        if (!fgets(type, sizeof(type), file)) {
            type[0] = '\0';
        }
        fclose(file);
    }
    return !strncmp(type, "xen", 3) || !access("/proc/xen/capabilities", F_OK);
}

int host_check(char *error, size_t error_size)
{
    static const struct {
        const char *path;
        const char *module;
    } devices[] = {
        {"/dev/xen/privcmd", "xen-privcmd"},
        {"/dev/xen/evtchn", "xen-evtchn"},
    };

    if (!under_xen()) {
        snprintf(error, error_size,
                 "this system does not run under Xen: boot the host with Xen, "
                 "or try --backend sim");
        return -ENODEV;
    }
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        if (access(devices[i].path, F_OK)) {
            snprintf(error, error_size, "%s is missing: modprobe %s", devices[i].path,
                     devices[i].module);
            return -ENODEV;
        }
        if (access(devices[i].path, R_OK | W_OK)) {
            snprintf(error, error_size, "%s cannot be opened: run as root", devices[i].path);
            return -EACCES;
        }
    }
    return 0;
}
