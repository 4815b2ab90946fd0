/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Real work for i915, by its ioctls alone: what the GPU did is seen in memory, byte for byte.
 * Prints TAP. Arguments: names of cases, with a number where one makes sense ("requests=10000");
 * none: all of them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "drm.h"

#define PAGE         4096u
#define PITCH        4096u /* of the blits: a page a row */
#define WAIT_SECONDS 60u
#define CONTEXTS     8u
#define IN_FLIGHT    32u

static const struct {
    const char *name;
    uint64_t flag;
} engines[] = {
    {"RCS", I915_EXEC_RENDER},
    {"BCS", I915_EXEC_BLT},
    {"VCS", I915_EXEC_BSD},
    {"VECS", I915_EXEC_VEBOX},
};
#define ENGINES (sizeof(engines) / sizeof(engines[0]))

struct test {
    int fd;
    unsigned long n; /* the case's number */
};

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static uint32_t pattern(uint32_t i)
{
    return i * 0x9e3779b9u ^ 0x5a5a5a5au;
}

/* One request, and the wait for it. NULL, or what went wrong. */
static const char *run(int fd, uint32_t context, uint64_t engine, struct batch *batch,
                       const struct bo *const *used, unsigned n)
{
    const char *error = NULL;
    struct bo code;

    bo_create(fd, &code, PAGE);
    emit_end(batch);
    if (submit(fd, context, engine, batch, &code, used, n)) {
        error = "the request is refused";
    } else if (bo_wait(fd, &code, WAIT_SECONDS)) {
        error = "the request does not end";
    }
    bo_destroy(fd, &code);
    return error;
}

/* --- cases ------------------------------------------------------------------------------- */

static const char *test_identity(const struct test *test)
{
    char name[8] = "";
    struct drm_version version = {.name = name, .name_len = sizeof(name) - 1};

    if (ioctl(test->fd, DRM_IOCTL_VERSION, &version) || strcmp(name, "i915") != 0) {
        return "the driver is not i915";
    }
    if (drm_param(test->fd, I915_PARAM_CHIPSET_ID) != 0x1616) {
        return "the device is another";
    }
    return NULL;
}

static const char *store_on(const struct test *test, uint64_t engine, uint32_t value)
{
    struct batch batch = {0};
    struct bo bo;
    const struct bo *used[] = {&bo};
    const char *error;

    bo_create(test->fd, &bo, 4 * PAGE);
    emit_store(&batch, &bo, 0, value);
    emit_store(&batch, &bo, 3 * PAGE + 8, ~value);
    error = run(test->fd, 0, engine, &batch, used, 1);
    for (uint32_t i = 0; !error && i < bo.size / 4; i++) {
        uint32_t expected = i == 0 ? value : i == 3 * PAGE / 4 + 2 ? ~value : 0;

        if (((const uint32_t *)bo.map)[i] != expected) {
            error = "a word is not what was to be stored there";
        }
    }
    bo_destroy(test->fd, &bo);
    return error;
}

static const char *test_store(const struct test *test)
{
    for (unsigned i = 0; i < ENGINES; i++) {
        const char *error = store_on(test, engines[i].flag, pattern(i));

        if (error) {
            printf("# %s\n", engines[i].name);
            return error;
        }
    }
    return NULL;
}

/* At a fixed address far up: all four levels of the page tables. */
static const char *test_pinned(const struct test *test)
{
    struct batch batch = {0};
    struct bo bo;
    const struct bo *used[] = {&bo};
    const char *error;

    bo_create(test->fd, &bo, PAGE);
    bo.pinned = UINT64_C(0x123456789000);
    emit_store(&batch, &bo, 8, 0xfeed);
    error = run(test->fd, 0, I915_EXEC_RENDER, &batch, used, 1);
    if (!error && ((uint32_t *)bo.map)[2] != 0xfeed) {
        error = "the value is not where it was to be stored";
    }
    bo_destroy(test->fd, &bo);
    return error;
}

static const char *test_fill(const struct test *test)
{
    uint32_t rows = (uint32_t)test->n;
    struct batch batch = {0};
    struct bo bo;
    const struct bo *used[] = {&bo};
    const char *error;

    bo_create(test->fd, &bo, (size_t)rows * PITCH);
    emit_fill(&batch, &bo, PITCH, rows, 0xc01012ed);
    error = run(test->fd, 0, I915_EXEC_BLT, &batch, used, 1);
    for (size_t i = 0; !error && i < bo.size / 4; i++) {
        if (((uint32_t *)bo.map)[i] != 0xc01012ed) {
            error = "a pixel has another colour";
        }
    }
    bo_destroy(test->fd, &bo);
    return error;
}

static const char *copy_and_check(const struct test *test, struct bo *to, struct bo *from,
                                  uint32_t rows)
{
    const struct bo *used[] = {to, from};
    struct batch batch = {0};
    const char *error;
    double start;

    for (uint32_t i = 0; i < rows * PITCH / 4; i++) {
        ((uint32_t *)from->map)[i] = pattern(i);
    }
    emit_copy(&batch, to, from, PITCH, rows);
    start = now();
    error = run(test->fd, 0, I915_EXEC_BLT, &batch, used, 2);
    printf("# %u KiB copied in %.3f s\n", rows * PITCH / 1024, now() - start);
    if (!error && memcmp(to->map, from->map, (size_t)rows * PITCH) != 0) {
        error = "the copy differs";
    }
    return error;
}

static const char *test_copy(const struct test *test)
{
    uint32_t rows = (uint32_t)test->n;
    struct bo to, from;
    const char *error;

    bo_create(test->fd, &to, (size_t)rows * PITCH);
    bo_create(test->fd, &from, (size_t)rows * PITCH);
    error = copy_and_check(test, &to, &from, rows);
    bo_destroy(test->fd, &to);
    bo_destroy(test->fd, &from);
    return error;
}

/* The program's own memory as a buffer object. */
static const char *test_userptr(const struct test *test)
{
    struct bo from, to = {.size = 16 * PAGE};
    struct drm_i915_gem_userptr userptr = {.user_size = to.size};
    const char *error;

    to.map = mmap(NULL, to.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (to.map == MAP_FAILED) {
        return "out of memory";
    }
    memset(to.map, 0, to.size);
    userptr.user_ptr = (uintptr_t)to.map;
    if (ioctl(test->fd, DRM_IOCTL_I915_GEM_USERPTR, &userptr)) {
        return "the memory is refused";
    }
    to.handle = userptr.handle;
    bo_create(test->fd, &from, to.size);
    error = copy_and_check(test, &to, &from, 16);
    bo_destroy(test->fd, &from);
    bo_destroy(test->fd, &to);
    return error;
}

/* Many requests in flight, from all contexts to all engines; each leaves its mark. */
struct crowd {
    struct bo result;
    struct bo code[IN_FLIGHT];
    uint32_t context[CONTEXTS];
};

static const char *submit_mark(const struct test *test, struct crowd *crowd, uint32_t i)
{
    const struct bo *used[] = {&crowd->result}, *code = &crowd->code[i % IN_FLIGHT];
    struct batch batch = {0};

    if (bo_wait(test->fd, code, WAIT_SECONDS)) {
        return "a request does not end";
    }
    emit_store(&batch, &crowd->result, 4 * i, pattern(i));
    emit_end(&batch);
    if (submit(test->fd, crowd->context[i / ENGINES % CONTEXTS], engines[i % ENGINES].flag, &batch,
               code, used, 1)) {
        return "a request is refused";
    }
    return NULL;
}

static const char *check_marks(const struct test *test, const struct crowd *crowd)
{
    if (bo_wait(test->fd, &crowd->result, WAIT_SECONDS)) {
        return "the last requests do not end";
    }
    for (uint32_t i = 0; i < test->n; i++) {
        uint32_t value = ((const uint32_t *)crowd->result.map)[i];

        if (value != pattern(i)) {
            printf("# request %u, %s: %x, not %x\n", i, engines[i % ENGINES].name, value,
                   pattern(i));
            return "a request has not left its mark";
        }
    }
    return NULL;
}

static const char *test_requests(const struct test *test)
{
    struct crowd crowd;
    const char *error = NULL;
    double start;

    bo_create(test->fd, &crowd.result, (4 * test->n + PAGE - 1) / PAGE * PAGE);
    for (unsigned i = 0; i < IN_FLIGHT; i++) {
        bo_create(test->fd, &crowd.code[i], PAGE);
    }
    for (unsigned i = 0; i < CONTEXTS; i++) {
        crowd.context[i] = context_create(test->fd);
    }
    start = now();
    for (uint32_t i = 0; i < test->n && !error; i++) {
        error = submit_mark(test, &crowd, i);
    }
    error = error ? error : check_marks(test, &crowd);
    printf("# %lu requests, %u contexts, %zu engines: %.3f s\n", test->n, CONTEXTS, ENGINES,
           now() - start);
    for (unsigned i = 0; i < CONTEXTS; i++) {
        context_destroy(test->fd, crowd.context[i]);
    }
    for (unsigned i = 0; i < IN_FLIGHT; i++) {
        bo_destroy(test->fd, &crowd.code[i]);
    }
    bo_destroy(test->fd, &crowd.result);
    return error;
}

/* Requests that do nothing: what is left is the way there and back. */
static const char *nops(const struct test *test, bool each_waited)
{
    struct batch batch = {0};
    const char *error = NULL;
    struct bo code;
    double start;

    emit_end(&batch);
    bo_create(test->fd, &code, PAGE);
    start = now();
    for (unsigned long i = 0; i < test->n && !error; i++) {
        if (submit(test->fd, 0, I915_EXEC_RENDER, &batch, &code, NULL, 0)) {
            error = "a request is refused";
        } else if (each_waited && bo_wait(test->fd, &code, WAIT_SECONDS)) {
            error = "a request does not end";
        }
    }
    if (!error && bo_wait(test->fd, &code, WAIT_SECONDS)) {
        error = "the last request does not end";
    }
    printf("# %lu empty requests%s: %.3f s\n", test->n, each_waited ? ", each waited for" : "",
           now() - start);
    bo_destroy(test->fd, &code);
    return error;
}

static const char *test_nop(const struct test *test)
{
    return nops(test, true);
}

static const char *test_stream(const struct test *test)
{
    return nops(test, false);
}

/* A batch without an end: i915 notices and resets the engine, and others go on. */
static const char *test_hang(const struct test *test)
{
    uint32_t context = context_create(test->fd);
    struct batch batch = {0};
    const char *error = NULL;
    double start = now();
    struct bo code;

    bo_create(test->fd, &code, PAGE);
    emit_loop(&batch, &code);
    if (submit(test->fd, context, I915_EXEC_RENDER, &batch, &code, NULL, 0)) {
        error = "the request is refused";
    } else if (bo_wait(test->fd, &code, 2 * WAIT_SECONDS)) {
        error = "i915 lets it hang";
    } else if (context_resets(test->fd, context) != 1) {
        error = "it ended, but not by a reset";
    }
    printf("# reset after %.1f s\n", now() - start);
    bo_destroy(test->fd, &code);
    context_destroy(test->fd, context);
    return error ? error : test_store(test);
}

/* So many rounds, each with buffers of its own; none: until it is killed. */
static const char *test_load(const struct test *test)
{
    const struct test round = {.fd = test->fd, .n = 256};
    const char *error = NULL;

    for (unsigned long i = 0; !error && (!test->n || i < test->n); i++) {
        error = test_copy(&round);
        if (i == 0) {
            printf("# under load\n");
        }
    }
    return error;
}

/*
 * Copies for so many seconds, while xengtd is replaced and killed: each result is right, or i915
 * has said of its context that it was reset; it is copied once more then, as a driver in user space
 * does.
 */
static const char *test_outlive(const struct test *test)
{
    double until = now() + (double)test->n;
    unsigned long copies = 0, resets = 0;
    const char *error = NULL;

    while (!error && now() < until) {
        const struct test round = {.fd = drm_open(), .n = 256};

        error = test_copy(&round);
        if (error && context_resets(round.fd, 0)) {
            resets++;
            error = NULL;
        } else {
            copies++;
        }
        close(round.fd);
    }
    printf("# %lu copies, %lu done again after a reset\n", copies, resets);
    return error;
}

/* --- all --------------------------------------------------------------------------------- */

static const struct test_case {
    const char *name;
    unsigned long n;
    const char *(*run)(const struct test *test);
    const char *what;
    bool only_asked; /* not one of "all" */
} cases[] = {
    {"identity", 0, test_identity, "i915 drives a Broadwell GT2", false},
    {"store", 0, test_store, "each engine stores into a buffer by relocations", false},
    {"pinned", 0, test_pinned, "a store at a fixed 47-bit address", false},
    {"fill", 256, test_fill, "XY_COLOR_BLT, every pixel", false},
    {"copy", 256, test_copy, "XY_SRC_COPY_BLT, every byte", false},
    {"userptr", 0, test_userptr, "a copy into the program's own memory", false},
    {"requests", 1000, test_requests, "each of many requests has left its mark", false},
    {"nop", 100, test_nop, "empty requests, one after the other", false},
    {"stream", 100, test_stream, "empty requests, submitted at once", false},
    {"hang", 0, test_hang, "a hanging request is reset, and work goes on", false},
    {"load", 0, test_load, "copies, again and again", true},
    {"outlive", 60, test_outlive, "copies for some time, each right in the end", true},
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

struct report {
    unsigned count;
    unsigned failed;
};

static void run_case(struct report *report, const struct test_case *c, unsigned long n)
{
    const struct test test = {.fd = drm_open(), .n = n};
    const char *error = c->run(&test);

    close(test.fd);
    report->count++;
    report->failed += error != NULL;
    printf("%s %u - %s\n", error ? "not ok" : "ok", report->count, c->what);
    if (error) {
        printf("# %s: %s\n", c->name, error);
    }
}

static bool run_named(struct report *report, const char *name)
{
    size_t length = strcspn(name, "=");

    for (size_t i = 0; i < CASES; i++) {
        if (strlen(cases[i].name) == length && strncmp(cases[i].name, name, length) == 0) {
            run_case(report, &cases[i],
                     name[length] ? strtoul(name + length + 1, NULL, 0) : cases[i].n);
            return true;
        }
    }
    printf("Bail out! there is no case %s\n", name);
    return false;
}

int main(int argc, char **argv)
{
    struct report report = {0};

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc; i++) {
        if (!run_named(&report, argv[i])) {
            return 1;
        }
    }
    for (size_t i = 0; argc == 1 && i < CASES; i++) {
        if (!cases[i].only_asked) {
            run_case(&report, &cases[i], cases[i].n);
        }
    }
    printf("1..%u\n", report.count);
    return report.failed ? 1 : 0;
}
