/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib-test: the library's whole interface against a real guest, in dom0.
 *
 *   lib-test api DIR DOMID [EDU]    every call and every documented error
 *   lib-test load DIR DOMID...      maps and unmaps until it is killed
 *   lib-test random DIR OPERATIONS DOMID DOMID COMMAND [EDU]
 *                                   against a model; "COMMAND destroy N" destroys guest 0 or 1,
 *                                   "COMMAND create N" makes it anew and prints its domid
 *   lib-test kill DIR ROUNDS DOMID...
 *                                   kills that load ROUNDS times and looks what is left
 *   lib-test rights DIR DOMID NESTED DRIVER
 *                                   which domains are refused (NESTED 0: there is none); a driver
 *                                   domain's rights over DOMID
 *   lib-test adopt DIR DOMID        keeps what a predecessor had left, some of it of DOMID
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

static int open_with(struct test *t, const struct xengt_options *options)
{
    char error[256];
    int ret = xengt_open(&t->xg, options, error, sizeof(error));
    if (ret) {
        printf("# cannot open the library: %s: %s\n", strerror(-ret), error);
        return ret;
    }
    t->caps = xengt_get_caps(t->xg);
    t->confined =
        !strstr(t->caps->explanation, "not stopped") && !strstr(t->caps->explanation, "no IOMMU");
    return 0;
}

int open_library(struct test *t, const char *state_dir)
{
    const struct xengt_options options = {.state_dir = state_dir, .log = log_line};
    return open_with(t, &options);
}

/* Leaves FAR_PAGES of the window to others. */
static int open_smaller(struct test *t, const char *state_dir)
{
    struct xengt_options options = {.state_dir = state_dir, .log = log_line};
    int ret = open_with(t, &options);
    if (ret || !t->caps->window_base) {
        return ret;
    }
    options.window_base = t->caps->window_base;
    options.window_pages = t->caps->window_pages - FAR_PAGES;
    xengt_close(t->xg);
    return open_with(t, &options);
}

static int usage(void)
{
    fprintf(stderr, "usage: lib-test api DIR DOMID [EDU] | load DIR DOMID... | "
                    "random DIR OPERATIONS DOMID DOMID COMMAND [EDU] | "
                    "kill DIR ROUNDS DOMID... | rights DIR DOMID NESTED DRIVER | "
                    "adopt DIR DOMID | reclaim DIR\n");
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
    if (!expect(&t, !open_smaller(&t, dir), "the library opens")) {
        return 1;
    }
    test_api(&t);
    test_offers(&t);
    if (t.caps->backend == XENGT_BACKEND_GRANT) {
        test_seeded(&t);
    } else {
        test_host(&t);
    }
    return finish(&t);
}

static int random_operations(const char *dir, char **argv)
{
    struct test t = {.edu = argv[4]};
    const uint32_t domids[2] = {strtoul(argv[1], NULL, 0), strtoul(argv[2], NULL, 0)};
    if (!expect(&t, !open_library(&t, dir), "the library opens")) {
        return 1;
    }
    test_random(&t, domids, (unsigned)strtoul(argv[0], NULL, 0), argv[3]);
    return finish(&t);
}

#define DOMIDS_MAX 8

static unsigned read_domids(uint32_t domids[DOMIDS_MAX], int argc, char **argv)
{
    unsigned n = 0;
    for (; n < DOMIDS_MAX && (int)n < argc; n++) {
        domids[n] = strtoul(argv[n], NULL, 0);
    }
    return n;
}

static int load(const char *dir, int argc, char **argv)
{
    struct test t = {0};
    uint32_t domids[DOMIDS_MAX];
    unsigned n = read_domids(domids, argc, argv);
    return open_library(&t, dir) ? 1 : run_load(&t, domids, n);
}

static int kills(const char *dir, int argc, char **argv)
{
    uint32_t domids[DOMIDS_MAX];
    unsigned n = read_domids(domids, argc - 1, argv + 1);
    return run_kills(dir, (unsigned)strtoul(argv[0], NULL, 0), domids, n);
}

static int rights(const char *dir, char **argv)
{
    struct test t = {.domid = strtoul(argv[0], NULL, 0)};
    if (!expect(&t, !open_library(&t, dir), "the library opens")) {
        return 1;
    }
    test_rights(&t, strtoul(argv[1], NULL, 0), strtoul(argv[2], NULL, 0));
    return finish(&t);
}

static int adopt(const char *dir, const char *domid)
{
    struct test t = {.domid = strtoul(domid, NULL, 0)};
    const struct xengt_options options = {.state_dir = dir, .adopt = true, .log = log_line};
    if (!expect(&t, !open_with(&t, &options), "the library opens")) {
        return 1;
    }
    test_adopt(&t);
    return finish(&t);
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
    if (argc >= 5 && !strcmp(argv[1], "kill")) {
        return kills(argv[2], argc - 3, argv + 3);
    }
    if ((argc == 7 || argc == 8) && !strcmp(argv[1], "random")) {
        return random_operations(argv[2], argv + 3);
    }
    if (argc == 6 && !strcmp(argv[1], "rights")) {
        return rights(argv[2], argv + 3);
    }
    if (argc == 4 && !strcmp(argv[1], "adopt")) {
        return adopt(argv[2], argv[3]);
    }
    if (argc == 3 && !strcmp(argv[1], "reclaim")) {
        return reclaim(argv[2]);
    }
    return usage();
}
