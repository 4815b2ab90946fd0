/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory map of this domain's kernel, read. */
#include "hv/xen/iomem.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xengt/types.h>

#define ROOM  64u /* entries; grows by as many */
#define BLANK " \t\n"

/* "100000000-13fffffff : Unusable memory", indented by two for each level. */
static bool parse_entry(char *line, struct iomem_entry *e)
{
    unsigned long long start;
    unsigned long long end;
    int name;
    if (sscanf(line, " %llx-%llx : %n", &start, &end, &name) != 2) {
        return false;
    }
    line[strcspn(line, "\n")] = '\0';
    *e = (struct iomem_entry){
        .range = {start >> XENGT_PAGE_SHIFT, end >> XENGT_PAGE_SHIFT},
        .nested = line[0] == ' ',
    };
    snprintf(e->name, sizeof(e->name), "%.63s", line + name);
    return true;
}

static int add_entry(struct iomem *map, const struct iomem_entry *e)
{
    if (map->n % ROOM == 0) {
        struct iomem_entry *more = realloc(map->entry, (map->n + ROOM) * sizeof(*more));
        if (!more) {
            return -ENOMEM;
        }
        map->entry = more;
    }
    map->entry[map->n] = *e;
    map->n++;
    return 0;
}

int iomem_read(FILE *file, struct iomem *map)
{
    char line[256];
    struct iomem_entry e;
    bool visible = false;
    size_t parent = 0;
    *map = (struct iomem){0};
    while (fgets(line, sizeof(line), file)) {
        if (!parse_entry(line, &e)) {
            continue;
        }
        if (add_entry(map, &e)) {
            iomem_free(map);
            return -ENOMEM;
        }
        visible = visible || e.range.last;
        parent = e.nested ? parent : map->n - 1;
        map->entry[parent].holds |= e.nested;
    }
    int ret = !map->n ? -ENODATA : !visible ? -EPERM : 0;
    if (ret) {
        iomem_free(map);
    }
    return ret;
}

void iomem_free(struct iomem *map)
{
    free(map->entry);
    *map = (struct iomem){0};
}

/* A number as the kernel reads it: decimal, 0x, 0; and K, M, G, T, P or E behind it. */
static bool parse_size(const char **at, uint64_t *value)
{
    static const char units[] = "KMGTPE";
    char *end;
    if (!isdigit((unsigned char)**at)) {
        return false;
    }
    errno = 0;
    *value = strtoull(*at, &end, 0);
    const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
    unsigned shift = unit ? 10u * (unsigned)(unit - units + 1) : 0;
    if (errno || *value > UINT64_MAX >> shift) {
        return false;
    }
    *value <<= shift;
    *at = end + (unit != NULL);
    return true;
}

/* SIZE$ADDRESS, whole frames only. The other forms of memmap= reserve nothing. */
static bool parse_memmap(const char *at, struct iomem_range *range)
{
    uint64_t size;
    uint64_t address;
    if (!parse_size(&at, &size) || *at++ != '$' || !parse_size(&at, &address) ||
        !strchr("," BLANK, *at) || address > UINT64_MAX - size) {
        return false;
    }
    uint64_t first = (address + XENGT_PAGE_SIZE - 1) >> XENGT_PAGE_SHIFT;
    uint64_t end = (address + size) >> XENGT_PAGE_SHIFT;
    *range = (struct iomem_range){first, end - 1};
    return end > first;
}

size_t iomem_reserved(const char *cmdline, struct iomem_range *range, size_t max)
{
    static const char option[] = "memmap=";
    size_t n = 0;
    for (const char *word = cmdline; *word && n < max; word += strspn(word, BLANK)) {
        size_t length = strcspn(word, BLANK);
        if (length == 2 && strncmp(word, "--", 2) == 0) {
            break;
        }
        const char *end = word + length;
        const char *at = strncmp(word, option, strlen(option)) == 0 ? word + strlen(option) : end;
        while (at < end && n < max) {
            n += parse_memmap(at, &range[n]);
            at += strcspn(at, "," BLANK);
            at += *at == ',';
        }
        word = end;
    }
    return n;
}
