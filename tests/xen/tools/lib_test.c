/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib-test: the library's whole interface against a real guest, in dom0.
 *
 *   lib-test api DIR DOMID [EDU]    every call and every documented error
 *   lib-test load DIR DOMID...      maps and unmaps until it is killed
 *   lib-test random DIR OPERATIONS DOMID DOMID COMMAND
 *                                   against a model; COMMAND destroys the first, half-way
 *   lib-test reclaim DIR            opens and closes; says what a predecessor had left
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xengt/target.h>

#include "lib_test.h"

bool expect(struct test *t, bool good, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    printf(good ? "ok " : "not ok ");
    vprintf(format, ap);
    printf("\n");
    va_end(ap);
    t->failed += !good;
    if (!good && t->xg) {
        printf("# last error: %s\n", xengt_last_error(t->xg));
    }
    return good;
}

static void log_line(void *arg, int level, const char *line)
{
    (void)arg;
    printf("# <%d> %s\n", level, line);
}

int open_library(struct test *t, const char *state_dir)
{
    char error[256];
    const struct xengt_options options = {.state_dir = state_dir, .log = log_line};
    int ret = xengt_open(&t->xg, &options, error, sizeof(error));
    if (ret) {
        printf("# cannot open the library: %s: %s\n", strerror(-ret), error);
        return ret;
    }
    t->caps = xengt_get_caps(t->xg);
    t->confined =
        !strstr(t->caps->explanation, "not stopped") && !strstr(t->caps->explanation, "no IOMMU");
    return 0;
}

static int usage(void)
{
    fprintf(stderr, "usage: lib-test api DIR DOMID [EDU] | load DIR DOMID... | "
                    "random DIR OPERATIONS DOMID DOMID COMMAND | reclaim DIR\n");
    return 2;
}

static int finish(struct test *t)
{
    struct xengt_stats stats;
    xengt_get_stats(t->xg, &stats);
    expect(t, stats.mapped == 0 && stats.leaked == 0, "nothing stays mapped or leaked");
    xengt_close(t->xg);
    return t->failed != 0;
}

static int api(const char *dir, int argc, char **argv)
{
    struct test t = {.domid = strtoul(argv[0], NULL, 0), .edu = argc > 1 ? argv[1] : NULL};
    if (!expect(&t, !open_library(&t, dir), "the library opens")) {
        return 1;
    }
    test_api(&t);
    test_offers(&t);
    if (t.caps->backend == XENGT_BACKEND_GRANT) {
        test_seeded(&t);
    }
    return finish(&t);
}

static int random_operations(const char *dir, char **argv)
{
    struct test t = {0};
    const uint32_t domids[2] = {strtoul(argv[1], NULL, 0), strtoul(argv[2], NULL, 0)};
    if (!expect(&t, !open_library(&t, dir), "the library opens")) {
        return 1;
    }
    test_random(&t, domids, (unsigned)strtoul(argv[0], NULL, 0), argv[3]);
    return finish(&t);
}

static int load(const char *dir, int argc, char **argv)
{
    struct test t = {0};
    uint32_t domids[8];
    unsigned n = 0;
    for (; n < 8 && (int)n < argc; n++) {
        domids[n] = strtoul(argv[n], NULL, 0);
    }
    return open_library(&t, dir) ? 1 : run_load(&t, domids, n);
}

static int reclaim(const char *dir)
{
    struct test t = {0};
    struct xengt_stats stats;
    if (open_library(&t, dir)) {
        return 1;
    }
    xengt_get_stats(t.xg, &stats);
    printf("reclaimed %llu\n", (unsigned long long)stats.reclaimed);
    xengt_close(t.xg);
    return 0;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc >= 4 && !strcmp(argv[1], "api")) {
        return api(argv[2], argc - 3, argv + 3);
    }
    if (argc >= 4 && !strcmp(argv[1], "load")) {
        return load(argv[2], argc - 3, argv + 3);
    }
    if (argc == 7 && !strcmp(argv[1], "random")) {
        return random_operations(argv[2], argv + 3);
    }
    if (argc == 3 && !strcmp(argv[1], "reclaim")) {
        return reclaim(argv[2]);
    }
    return usage();
}
