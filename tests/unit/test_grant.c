/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The grant back end over a model of its hypercalls, and guests that rewrite their tables. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xengt/space.h>

#include "hv/xen/grant.h"
#include "hv/xen/grant_ops.h"
#include "hv/xen/grant_table.h"
#include "mapper.h"
#include "step.h"
#include "support/test.h"

#define GUESTS  3u /* domids 1 and 2 */
#define FRAMES  4u
#define HANDLES 2048u
#define PAGES   1024u
#define SLOTS   1024u

struct handle {
    uint32_t domid; /* 0: free */
    uint32_t ref;
    uint64_t mfn;
};

struct model {
    grant_entry_v1_t table[GUESTS][FRAMES][SEED_ENTRIES];
    unsigned mapped[GUESTS]; /* frames of the table that are mapped */
    bool claimed[GUESTS];    /* by another process */
    unsigned claims[GUESTS];
    unsigned version[GUESTS];
    struct handle handle[HANDLES];
    bool busy; /* in a hypercall, in which nobody is killed */
};

struct fixture {
    struct model model;
    uint64_t seen; /* of what a kill would leave behind */
    struct xengt *xg;
    char dir[32];
};

static grant_entry_v1_t *entry(struct model *m, uint32_t domid, uint32_t ref)
{
    return &m->table[domid][ref / SEED_ENTRIES][ref % SEED_ENTRIES];
}

static unsigned handles_of(const struct model *m, uint32_t domid)
{
    unsigned n = 0;
    for (unsigned h = 0; h < HANDLES; h++) {
        n += m->handle[h].domid == domid;
    }
    return n;
}

static int16_t map_grant(struct model *m, struct gnttab_map_grant_ref *op)
{
    grant_entry_v1_t *e = entry(m, op->dom, op->ref);
    unsigned h = 0;
    if (!(e->flags & GTF_permit_access) || e->frame >= PAGES) {
        return GNTST_bad_gntref;
    }
    while (m->handle[h].domid) {
        h++;
    }
    e->flags |= GTF_reading | GTF_writing;
    m->handle[h] = (struct handle){op->dom, op->ref, op->dom * 0x10000u + e->frame};
    op->handle = h;
    op->dev_bus_addr = m->handle[h].mfn << XENGT_PAGE_SHIFT;
    return GNTST_okay;
}

static int16_t unmap_grant(struct model *m, const struct gnttab_unmap_grant_ref *op)
{
    struct handle *h = &m->handle[op->handle % HANDLES];
    if (!h->domid || h->mfn != op->dev_bus_addr >> XENGT_PAGE_SHIFT) {
        return GNTST_bad_handle;
    }
    entry(m, h->domid, h->ref)->flags &= (uint16_t) ~(GTF_reading | GTF_writing);
    h->domid = 0;
    return GNTST_okay;
}

static int call(void *arg, unsigned op, uint64_t cmd, uint64_t array, uint64_t n)
{
    struct model *m = arg;
    void *p = (void *)(uintptr_t)array;
    assert_int_equal(op, __HYPERVISOR_grant_table_op);
    m->busy = true;
    for (uint64_t i = 0; i < n; i++) {
        if (cmd == GNTTABOP_map_grant_ref) {
            struct gnttab_map_grant_ref *map = (struct gnttab_map_grant_ref *)p + i;
            map->status = map_grant(m, map);
        } else if (cmd == GNTTABOP_unmap_grant_ref) {
            struct gnttab_unmap_grant_ref *unmap = (struct gnttab_unmap_grant_ref *)p + i;
            unmap->status = unmap_grant(m, unmap);
        } else if (cmd == GNTTABOP_get_version) {
            struct gnttab_get_version *version = p;
            version->version = m->version[version->dom];
        } else {
            struct gnttab_query_size *size = p;
            size->max_nr_frames = FRAMES;
            size->status = GNTST_okay;
        }
    }
    m->busy = false;
    return 0;
}

static int domain_info(void *arg, uint32_t domid, struct xengt_target_info *info)
{
    (void)arg;
    *info = (struct xengt_target_info){.domid = domid, .hvm = true, .hap = true};
    return domid && domid < GUESTS ? 0 : -ESRCH;
}

static int table_map(void *arg, uint32_t domid, uint32_t frame, void **page, void **cookie)
{
    struct model *m = arg;
    assert_true(m->claims[domid] == 1);
    m->mapped[domid]++;
    *page = m->table[domid][frame];
    *cookie = &m->mapped[domid];
    return 0;
}

static void table_unmap(void *arg, void *cookie)
{
    (void)arg;
    --*(unsigned *)cookie;
}

static int claim(void *arg, uint32_t domid)
{
    struct model *m = arg;
    if (m->claimed[domid]) {
        return -EBUSY;
    }
    m->claims[domid]++;
    return 0;
}

static void unclaim(void *arg, uint32_t domid)
{
    ((struct model *)arg)->claims[domid]--;
}

static void open_it(struct fixture *f, bool adopt)
{
    char text[256];
    struct hv_error error = {text, sizeof(text)};
    const struct grant_env env = {
        .calls = {&f->model, call, NULL, NULL},
        .arg = &f->model,
        .domain_info = domain_info,
        .table_map = table_map,
        .table_unmap = table_unmap,
        .claim = claim,
        .unclaim = unclaim,
    };
    const struct xengt_options options = {.state_dir = f->dir, .adopt = adopt};
    assert_int_equal(handle_open(&f->xg, &options, grant_new(&env, SLOTS, 2), &error), 0);
}

static void kill_it(struct fixture *f)
{
    for (uint32_t p = 0; p < f->xg->slots.pools; p++) { /* it unmaps nothing any more */
        f->xg->slots.pool[p].fresh = f->xg->slots.pool[p].first;
    }
    f->xg->slots.leaked = 1;
    xengt_close(f->xg);
}

/* What a child process does to it is seen. */
static struct fixture *new_fixture(void)
{
    void *f = mmap(NULL, sizeof(struct fixture), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                   -1, 0);
    assert_ptr_not_equal(f, MAP_FAILED);
    return f;
}

static int set_up(void **state)
{
    struct fixture *f = new_fixture();
    strcpy(f->dir, "/tmp/xengt-test-XXXXXX");
    f->model.version[1] = f->model.version[2] = 1;
    *state = f;
    if (!mkdtemp(f->dir)) {
        return -1;
    }
    open_it(f, false);
    return xengt_target_add(f->xg, 1);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    static const char *const files[] = {"journal", "lock"};
    char path[64];
    xengt_close(f->xg);
    int bad = 0;
    for (uint32_t d = 1; d < GUESTS; d++) {
        bad |= f->model.mapped[d] || f->model.claims[d] || handles_of(&f->model, d);
    }
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", f->dir, files[i]);
        unlink(path);
    }
    rmdir(f->dir);
    munmap(f, sizeof(*f));
    return bad;
}

#define TEST(name) TEST_WITH(name, set_up, tear_down)

static int map_some(struct fixture *f, uint64_t first, struct xengt_bfn *bfn,
                    struct xengt_cookie *cookie, unsigned n)
{
    struct xengt_gfn gfn[PAGES];
    for (unsigned i = 0; i < n; i++) {
        gfn[i].v = first + i;
    }
    return xengt_map(f->xg, 1, gfn, bfn, cookie, NULL, n, XENGT_PROT_RW);
}

static uint16_t flags_of(struct fixture *f, unsigned place)
{
    return entry(&f->model, 1, (FRAMES - 1) * SEED_ENTRIES + place)->flags;
}

TEST(a_page_is_mapped_and_its_entry_cleared_with_the_target)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn[3];
    struct xengt_cookie cookie[3];
    assert_int_equal(map_some(f, 5, bfn, cookie, 3), 0);
    assert_int_equal(bfn[2].v, 0x10007);
    assert_int_equal(handles_of(&f->model, 1), 3);
    assert_int_equal(xengt_unmap(f->xg, cookie, NULL, 3), 0);
    assert_int_equal(flags_of(f, 0), GTF_permit_access);
    assert_int_equal(xengt_target_remove(f->xg, 1), 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(flags_of(f, i), 0);
    }
}

/* The guest sees no store to its table, nor can it make another page of it. */
TEST(an_entry_is_used_again_for_its_page)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn[3];
    struct xengt_cookie cookie[3];
    for (int round = 0; round < 3; round++) {
        assert_int_equal(map_some(f, 5, bfn, cookie, 3), 0);
        assert_true(bfn[0].v == 0x10005 && bfn[2].v == 0x10007);
        assert_int_equal(xengt_unmap(f->xg, cookie, NULL, 3), 0);
    }
    assert_int_equal(map_some(f, 9, bfn, cookie, 3), 0); /* the same entries, other pages */
    assert_true(bfn[0].v == 0x10009 && flags_of(f, 3) == 0);
    assert_int_equal(xengt_unmap(f->xg, cookie, NULL, 3), 0);
    entry(&f->model, 1, (FRAMES - 1) * SEED_ENTRIES)->frame = 99;
    assert_int_equal(map_some(f, 20, bfn, cookie, 3), 0); /* not by the guest's */
    assert_int_equal(entry(&f->model, 1, (FRAMES - 1) * SEED_ENTRIES)->frame, 99);
    assert_int_equal(bfn[0].v, 0x10014);
}

/* Though it is that of the page that is asked for: the guest may have another use for it now. */
TEST(an_entry_that_was_taken_away_is_not_used)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    struct xengt_cookie cookie;
    assert_int_equal(map_some(f, 5, &bfn, &cookie, 1), 0);
    assert_int_equal(xengt_unmap(f->xg, &cookie, NULL, 1), 0);
    entry(&f->model, 1, (FRAMES - 1) * SEED_ENTRIES)->frame = 6;
    assert_int_equal(map_some(f, 5, &bfn, &cookie, 1), 0);
    assert_int_equal(bfn.v, 0x10005);
    assert_int_equal(entry(&f->model, 1, (FRAMES - 1) * SEED_ENTRIES)->flags, GTF_permit_access);
    *entry(&f->model, 1, (FRAMES - 1) * SEED_ENTRIES) = (grant_entry_v1_t){0};
}

/* One of another process, or of another mapping here, makes the page writeable all the same. */
TEST(read_only_is_not_claimed)
{
    struct fixture *f = *state;
    const struct xengt_gfn gfn = {5};
    struct xengt_bfn bfn;
    struct xengt_cookie cookie;
    assert_false(xengt_get_caps(f->xg)->read_only);
    assert_int_equal(xengt_map(f->xg, 1, &gfn, &bfn, &cookie, NULL, 1, XENGT_PROT_READ),
                     -EOPNOTSUPP);
}

TEST(another_process_may_have_the_table)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    struct xengt_cookie cookie;
    f->model.claimed[1] = true;
    assert_int_equal(map_some(f, 5, &bfn, &cookie, 1), -EBUSY);
    f->model.claimed[1] = false;
    assert_int_equal(map_some(f, 5, &bfn, &cookie, 1), 0);
}

TEST(a_table_that_changes_its_version_is_not_used)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    struct xengt_cookie cookie;
    assert_int_equal(map_some(f, 5, &bfn, &cookie, 1), 0);
    assert_int_equal(xengt_unmap(f->xg, &cookie, NULL, 1), 0);
    f->model.version[1] = 2;
    assert_int_equal(map_some(f, 5, &bfn, &cookie, 1), -EOPNOTSUPP);
}

/* Maps some, and dies. */
static void kill_with(struct fixture *f, unsigned n)
{
    struct xengt_bfn bfn[PAGES];
    struct xengt_cookie cookie[PAGES];
    assert_int_equal(map_some(f, 0, bfn, cookie, n), 0);
    kill_it(f);
    /* the kernel unmaps what a process had mapped, and drops its locks */
    f->model.mapped[1] = f->model.claims[1] = 0;
}

/* The names of what was kept. */
static void list_kept(struct fixture *f, struct xengt_cookie *cookie, unsigned n)
{
    struct xengt_mapping list[PAGES];
    assert_int_equal(xengt_mappings(f->xg, list, PAGES), n);
    for (unsigned i = 0; i < n; i++) {
        cookie[i] = list[i].cookie;
    }
}

/* The guest zeroes what is in use, and writes it again when it has been handed out once more. */
TEST(a_guest_cannot_have_an_entry_used_twice)
{
    struct fixture *f = *state;
    struct xengt_cookie kept[600];
    struct xengt_bfn bfn[424];
    struct xengt_cookie cookie[424];
    grant_entry_v1_t saved[FRAMES][SEED_ENTRIES];
    kill_with(f, 600);
    open_it(f, true);
    list_kept(f, kept, 600);
    assert_int_equal(xengt_target_add(f->xg, 1), 0);
    memcpy(saved, f->model.table[1], sizeof(saved));
    memset(f->model.table[1], 0, sizeof(saved));
    assert_int_equal(map_some(f, 700, bfn, cookie, 300), 0);
    for (unsigned i = 0; i < FRAMES * SEED_ENTRIES; i++) {
        if (saved[i / SEED_ENTRIES][i % SEED_ENTRIES].flags) {
            assert_int_equal(entry(&f->model, 1, i)->flags, 0);
            *entry(&f->model, 1, i) = saved[i / SEED_ENTRIES][i % SEED_ENTRIES];
        }
    }
    assert_int_equal(xengt_unmap(f->xg, kept, NULL, 600), 0);
    assert_int_equal(xengt_unmap(f->xg, cookie, NULL, 300), 0);
    assert_int_equal(map_some(f, 0, bfn, cookie, 424), 0);
}

/* What was left in a table for another time is cleared by whoever comes after a kill. */
TEST(entries_that_were_left_are_cleared_by_a_successor)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn[8];
    struct xengt_cookie cookie[8];
    for (int adopt = 0; adopt < 2; adopt++) {
        assert_int_equal(map_some(f, 0, bfn, cookie, 8), 0);
        assert_int_equal(xengt_unmap(f->xg, &cookie[2], NULL, 6), 0);
        kill_it(f);
        f->model.mapped[1] = f->model.claims[1] = 0;
        open_it(f, adopt);
        for (unsigned i = 0; i < 8; i++) {
            assert_true((flags_of(f, i) != 0) == (adopt && i < 2));
        }
        assert_int_equal(xengt_target_add(f->xg, 1), 0);
    }
}

/* Nor does a clean close leave anything. */
TEST(a_close_clears_the_table)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn[8];
    struct xengt_cookie cookie[8];
    assert_int_equal(map_some(f, 0, bfn, cookie, 8), 0);
    assert_int_equal(xengt_unmap(f->xg, &cookie[2], NULL, 3), 0);
    xengt_close(f->xg);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(flags_of(f, i), 0);
    }
    open_it(f, false);
}

/* Whoever it was need not be a target any more, and may be dying: nothing of it is held on to. */
TEST(the_table_of_what_is_no_target_is_let_go)
{
    struct fixture *f = *state;
    struct xengt_cookie cookie[8];
    for (int adopt = 0; adopt < 2; adopt++) {
        kill_with(f, 8);
        open_it(f, adopt);
        list_kept(f, cookie, adopt ? 8 : 0);
        assert_int_equal(handles_of(&f->model, 1), adopt ? 8 : 0);
        assert_int_equal(adopt ? xengt_unmap(f->xg, cookie, NULL, 8) : 0, 0);
        assert_int_equal(f->model.mapped[1], 0);
        for (unsigned i = 0; i < 8; i++) {
            assert_int_equal(entry(&f->model, 1, (FRAMES - 1) * SEED_ENTRIES + i)->flags, 0);
        }
        assert_int_equal(xengt_target_add(f->xg, 1), 0);
    }
}

/* --- killed at any instruction ----------------------------------------------------------- */

static uint64_t hash_of(uint64_t hash, const void *bytes, size_t n)
{
    const uint64_t *word = bytes;
    for (size_t i = 0; i < n / sizeof(*word); i++) {
        hash = (hash ^ word[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

#define FIRST_ENTRIES 16u /* all that are used here */
#define FIRST_BYTES   256u

/* Also of each page of the journal, which begin with what changes. */
static bool has_changed(void *arg)
{
    struct fixture *f = arg;
    const struct slots *slots = &f->xg->slots;
    if (f->model.busy) {
        return false;
    }
    uint64_t hash = hash_of(1, entry(&f->model, 1, (FRAMES - 1) * SEED_ENTRIES),
                            FIRST_ENTRIES * sizeof(grant_entry_v1_t));
    hash = hash_of(hash, f->model.handle, FIRST_ENTRIES * sizeof(struct handle));
    for (size_t at = 0; at < slots->file_size; at += XENGT_PAGE_SIZE) {
        size_t left = slots->file_size - at;
        hash = hash_of(hash, (char *)slots->file + at, left < FIRST_BYTES ? left : FIRST_BYTES);
    }
    bool changed = hash != f->seen;
    f->seen = hash;
    return changed;
}

static void write_copy(const struct fixture *f, const char *dir)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/journal", dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(f->xg->slots.file, f->xg->slots.file_size, 1, file), 1);
    fclose(file);
}

/* A successor with a copy of all that is left: it finds each handle and each entry. */
static void succeed(void *arg)
{
    struct fixture *f = arg;
    struct fixture *next = new_fixture();
    strcpy(next->dir, "/tmp/xengt-test-XXXXXX");
    assert_non_null(mkdtemp(next->dir));
    write_copy(f, next->dir);
    next->model = f->model;
    next->model.mapped[1] = next->model.claims[1] = 0;
    open_it(next, false);
    assert_int_equal(handles_of(&next->model, 1), 0);
    for (unsigned i = 0; i < FRAMES * SEED_ENTRIES; i++) {
        assert_int_equal(entry(&next->model, 1, i)->flags, 0);
    }
    assert_int_equal(tear_down((void *[]){next}), 0);
}

/* Some of them cannot be mapped, which leaves entries to be cleared. */
static void map_and_unmap(void *arg)
{
    struct fixture *f = arg;
    const struct xengt_gfn gfn[4] = {{3}, {PAGES + 1}, {4}, {PAGES + 2}};
    struct xengt_cookie cookie[4];
    struct xengt_bfn bfn[4];
    int err[4];
    bool good = !xengt_map(f->xg, 1, gfn, bfn, cookie, err, 4, XENGT_PROT_RW) && !err[0] && err[1];
    good &= !xengt_unmap(f->xg, cookie, err, 1);
    _exit(good && !xengt_unmap(f->xg, &cookie[2], err, 1) ? 0 : 1);
}

TEST(a_successor_finds_what_any_instruction_leaves)
{
    struct fixture *f = *state;
    const struct step_watch watch = {map_and_unmap, has_changed, succeed, f};
    unsigned looks = step_through(&watch);
    f->model.mapped[1] = f->model.claims[1] = 0; /* the kernel has seen to it */
    print_message("# %u states were succeeded to\n", looks);
    assert_true(looks > 50);
}

/* --- a guest that writes between any two instructions ------------------------------------ */

#define HOSTILE_RUNS  5u
#define HOSTILE_PAGES 6u

struct hostile {
    struct fixture *f;
    uint64_t seed;
    unsigned writes;
    grant_entry_v1_t kept; /* an entry as it once was, to be put back somewhere */
};

static uint32_t rnd(struct hostile *h)
{
    h->seed = h->seed * UINT64_C(6364136223846793005) + 1;
    return (uint32_t)(h->seed >> 33);
}

/* Zeroes, grants something else, marks as in use or not, puts back what was; changes the version.
 */
static void write_something(struct hostile *h)
{
    struct model *m = &h->f->model;
    grant_entry_v1_t *e = entry(m, 1, (FRAMES - 1) * SEED_ENTRIES + rnd(h) % FIRST_ENTRIES);
    h->writes++;
    switch (rnd(h) % 8) {
    case 0:
        *e = (grant_entry_v1_t){0};
        break;
    case 1:
        *e = (grant_entry_v1_t){GTF_permit_access, 0, rnd(h) % (2 * PAGES)};
        break;
    case 2:
        e->flags ^= GTF_reading | GTF_writing;
        break;
    case 3:
        e->frame = rnd(h) % (2 * PAGES);
        break;
    case 4:
        h->kept = *e;
        break;
    case 5:
        *e = h->kept;
        break;
    case 6:
        e->domid = (domid_t)rnd(h);
        break;
    default:
        m->version[1] = 1 + rnd(h) % 2;
    }
}

/* The child has stopped between two instructions; what Xen does is not interrupted. */
static bool interfere(void *arg)
{
    struct hostile *h = arg;
    if (!h->f->model.busy && rnd(h) % 16 == 0) {
        write_something(h);
    }
    return false;
}

static bool is_an_answer(int err)
{
    return !err || err == -EACCES || err == -EINVAL || err == -ENOSPC || err == -EOPNOTSUPP;
}

/* Whatever it gets is the guest's, and all of it can be given back. */
static void map_in_between(void *arg)
{
    const struct hostile *h = arg;
    const struct xengt_gfn gfn[HOSTILE_PAGES] = {{3}, {PAGES + 1}, {4}, {5}, {3}, {6}};
    struct xengt_cookie cookie[HOSTILE_PAGES];
    struct xengt_bfn bfn[HOSTILE_PAGES];
    int err[HOSTILE_PAGES];
    bool good = true;
    for (int round = 0; round < 3; round++) {
        good &= !xengt_map(h->f->xg, 1, gfn, bfn, cookie, err, HOSTILE_PAGES, XENGT_PROT_RW);
        for (size_t i = 0; i < HOSTILE_PAGES; i++) {
            good &= is_an_answer(err[i]) && (err[i] || bfn[i].v >> 16 == 1);
        }
        xengt_unmap(h->f->xg, cookie, err, HOSTILE_PAGES);
        for (size_t i = 0; i < HOSTILE_PAGES; i++) {
            good &= cookie[i].v ? !err[i] : err[i] == -ENOENT;
        }
    }
    struct xengt_stats stats;
    xengt_get_stats(h->f->xg, &stats);
    _exit(good && !stats.mapped && !stats.leaked ? 0 : 1);
}

static void nothing_is_held(void *arg)
{
    const struct hostile *h = arg;
    assert_int_equal(handles_of(&h->f->model, 1), 0);
}

TEST(a_guest_may_rewrite_its_table_between_any_two_instructions)
{
    struct fixture *f = *state;
    for (unsigned run = 0; run < HOSTILE_RUNS; run++) {
        struct hostile h = {.f = f, .seed = run};
        const struct step_watch watch = {map_in_between, interfere, nothing_is_held, &h};
        memset(f->model.table[1], 0, sizeof(f->model.table[1]));
        f->model.version[1] = 1;
        step_through(&watch);
        f->model.mapped[1] = f->model.claims[1] = 0; /* the kernel has seen to it */
        assert_true(h.writes > 100);
    }
}
