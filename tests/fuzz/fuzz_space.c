/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The library's calls in any order, on two guests of the simulator, against an oracle: each page a
 * guest ever owns carries a number, and whoever holds a mapping sees the page he was given, until
 * he gives it back. Hypercalls fail, guests balloon and die, the process is killed and succeeded.
 */
#include <errno.h>

#include <xengt/sim.h>
#include <xengt/space.h>
#include <xengt/target.h>

#include "fault/victim.h"
#include "input.h"

#define GUESTS    2u
#define PAGES     24u
#define WINDOW    44u
#define QUOTA     20u
#define RESERVE   10u
#define HOLDS_MAX 96u
#define BATCH_MAX 12u
#define OPS_MAX   300u
#define INJECTED  (-EXFULL) /* an error that the library does not know, and says -EIO to */

struct hold {
    unsigned guest;
    bool plain; /* of xengt_map() */
    struct xengt_bfn bfn;
    struct xengt_cookie cookie; /* of a plain one */
    uint64_t number;
};

struct guest {
    uint32_t domid;
    struct xengt_space *space;
    uint64_t number[PAGES]; /* 0: ballooned out */
};

struct world {
    struct input in;
    struct xengt_options options;
    struct xengt_sim *sim;
    struct xengt *xg;
    struct guest guest[GUESTS];
    struct hold hold[HOLDS_MAX];
    unsigned holds;
    uint64_t next_number;
    bool may_fail;
    bool over;
};

static char dir[64]; /* one a process: libFuzzer calls with nothing but the input */

static void remove_dir(void)
{
    victim_remove_dir(dir);
}

/* --- the guests -------------------------------------------------------------------------- */

static void stamp(struct world *w, struct guest *g, uint64_t gfn)
{
    uint64_t *page = xengt_sim_guest_page(w->sim, g->domid, (struct xengt_gfn){gfn});
    REQUIRE(page, "no page");
    g->number[gfn] = *page = ++w->next_number;
}

static void be_target(struct world *w, struct guest *g)
{
    struct xengt_space_options options = {.quota = QUOTA, .reserve = RESERVE, .defer_pages = 4};
    REQUIRE(!xengt_target_add(w->xg, g->domid), "%s", xengt_last_error(w->xg));
    int ret = xengt_space_open(w->xg, g->domid, &options, &g->space);
    if (ret == -ENOSPC) {
        options.reserve = 0; /* too much is leaked, or in use by the other */
        ret = xengt_space_open(w->xg, g->domid, &options, &g->space);
    }
    REQUIRE(!ret, "no space: %d", ret);
}

static void be_born(struct world *w, struct guest *g)
{
    const struct xengt_sim_domain cfg = {.name = "guest", .pages = PAGES};
    g->space = NULL;
    if (xengt_sim_domain_create(w->sim, &cfg, &g->domid)) {
        w->over = true; /* zombies of mappings that are leaked take all places */
        return;
    }
    for (uint64_t gfn = 0; gfn < PAGES; gfn++) {
        stamp(w, g, gfn);
    }
    be_target(w, g);
}

static void on_invalidate(void *arg, uint32_t domid)
{
    struct world *w = arg;
    for (unsigned i = 0; i < GUESTS; i++) {
        if (w->guest[i].domid == domid && w->guest[i].space) {
            xengt_space_invalidate(w->guest[i].space);
        }
    }
}

static bool is_held(void *arg, struct xengt_bfn bfn)
{
    const struct world *w = arg;
    for (unsigned i = 0; i < w->holds; i++) {
        if (w->hold[i].bfn.v == bfn.v) {
            return true;
        }
    }
    return false;
}

/* --- operations -------------------------------------------------------------------------- */

static unsigned read_gfns(struct world *w, struct xengt_gfn *gfn)
{
    unsigned n = input_u8(&w->in) % (BATCH_MAX + 1);
    for (unsigned i = 0; i < n; i++) {
        uint8_t v = input_u8(&w->in);
        gfn[i].v = v == 255 ? ~UINT64_C(0) : v == 254 ? XENGT_GFN_MAX : v % (PAGES + 3);
    }
    return n;
}

static void check_entry(struct world *w, unsigned guest, uint64_t gfn, bool plain,
                        struct xengt_bfn bfn, struct xengt_cookie cookie, int err)
{
    bool exists = gfn < PAGES && w->guest[guest].number[gfn];
    REQUIRE((err != 0) == (bfn.v == XENGT_BFN_INVALID.v), "a BFN with an error, or neither");
    if (err == -ENOSPC || (err == -EDQUOT && !plain) || (err == -EIO && w->may_fail) ||
        (err == -EIO && victim_is_dead())) {
        return;
    }
    REQUIRE(err == (exists ? 0 : -EINVAL), "gfn %llu gives %d", (unsigned long long)gfn, err);
    if (!err) {
        w->hold[w->holds++] =
            (struct hold){guest, plain, bfn, cookie, gfn < PAGES ? w->guest[guest].number[gfn] : 0};
    }
}

static void map_some(struct world *w, unsigned guest, bool plain, bool all_or_nothing)
{
    struct xengt_gfn gfn[BATCH_MAX];
    struct xengt_bfn bfn[BATCH_MAX];
    struct xengt_cookie cookie[BATCH_MAX] = {{0}};
    int errors[BATCH_MAX];
    int *err = all_or_nothing ? NULL : errors;
    const struct guest *g = &w->guest[guest];
    unsigned n = read_gfns(w, gfn);
    if (w->holds + n > HOLDS_MAX) {
        return;
    }
    int ret = plain ? xengt_map(w->xg, g->domid, gfn, bfn, cookie, err, n, XENGT_PROT_RW)
                    : xengt_space_get(g->space, gfn, bfn, err, n);
    REQUIRE(all_or_nothing || !ret, "the call fails: %d", ret);
    for (unsigned i = 0; i < n; i++) {
        if (ret) {
            REQUIRE(bfn[i].v == XENGT_BFN_INVALID.v, "all or nothing, and something");
        } else {
            check_entry(w, guest, gfn[i].v, plain, bfn[i], cookie[i],
                        all_or_nothing ? 0 : errors[i]);
        }
    }
}

static void let_go(struct world *w, unsigned i)
{
    struct hold h = w->hold[i];
    w->hold[i] = w->hold[--w->holds];
    int ret = h.plain ? xengt_unmap(w->xg, &h.cookie, NULL, 1)
                      : xengt_space_put(w->guest[h.guest].space, &h.bfn, 1);
    REQUIRE(!ret || (h.plain && (w->may_fail || victim_is_dead())), "cannot be given back: %d",
            ret);
}

static void unmap_some(struct world *w)
{
    for (unsigned n = input_u8(&w->in) % 16; n && w->holds; n--) {
        let_go(w, input_u8(&w->in) % w->holds);
    }
}

/* BFNs that are nobody's, or somebody else's. */
static void unmap_wrong(struct world *w, unsigned guest)
{
    struct xengt_bfn bfn = {input_u64(&w->in)};
    if (input_u8(&w->in) & 1) {
        bfn.v = xengt_get_caps(w->xg)->window_base + bfn.v % (WINDOW + 2);
    }
    const struct xengt_cookie cookie = {input_u64(&w->in) & UINT64_C(0xffffffff000000ff)};
    bool plain = false;
    bool own = false;
    for (unsigned i = 0; i < w->holds; i++) {
        plain |= w->hold[i].cookie.v == cookie.v && w->hold[i].plain;
        own |= w->hold[i].bfn.v == bfn.v && !w->hold[i].plain && w->hold[i].guest == guest;
    }
    REQUIRE(plain || xengt_unmap(w->xg, &cookie, NULL, 1) == -ENOENT, "unmapped");
    REQUIRE(own || xengt_space_put(w->guest[guest].space, &bfn, 1) == -ENOENT, "put");
    REQUIRE(own || !xengt_space_users(w->guest[guest].space, bfn), "users");
}

static void balloon(struct world *w, unsigned guest)
{
    struct guest *g = &w->guest[guest];
    struct xengt_gfn gfn = {input_u8(&w->in) % PAGES};
    if (g->number[gfn.v]) {
        REQUIRE(!xengt_sim_balloon_out(w->sim, g->domid, gfn), "out");
        g->number[gfn.v] = 0;
    } else {
        REQUIRE(!xengt_sim_balloon_in(w->sim, g->domid, gfn), "in");
        stamp(w, g, gfn.v);
    }
}

/* Plain mappings go one by one; those of the space with it. */
static void forget_holds(struct world *w, unsigned guest)
{
    for (unsigned i = w->holds; i-- > 0;) {
        if (w->hold[i].guest == guest && w->hold[i].plain) {
            let_go(w, i);
        }
    }
    for (unsigned i = w->holds; i-- > 0;) {
        if (w->hold[i].guest == guest) {
            w->hold[i] = w->hold[--w->holds];
        }
    }
}

static void destroy(struct world *w, unsigned guest)
{
    struct guest *g = &w->guest[guest];
    struct xengt_stats stats;
    REQUIRE(!xengt_sim_domain_destroy(w->sim, g->domid), "destroy");
    memset(g->number, 0, sizeof(g->number));
    forget_holds(w, guest);
    for (uint32_t left = UINT32_MAX; input_u8(&w->in) % 4 && left;) {
        uint32_t now = xengt_space_drain(g->space, 3);
        REQUIRE(now < left || !now, "%u mappings, then %u", left, now);
        left = now;
    }
    xengt_space_close(g->space);
    REQUIRE(!xengt_target_remove(w->xg, g->domid), "%s", xengt_last_error(w->xg));
    xengt_get_stats(w->xg, &stats);
    REQUIRE(!xengt_sim_domain_exists(w->sim, g->domid) || stats.leaked || victim_is_dead(),
            "a zombie, and nothing is leaked");
    be_born(w, g);
}

static void check_end(const struct world *w)
{
    struct xengt_sim_stats sim;
    xengt_sim_get_stats(w->sim, &sim);
    REQUIRE(!sim.violations, "%s", xengt_sim_violation(w->sim));
    REQUIRE(!sim.mapped, "%llu pages are still mapped", (unsigned long long)sim.mapped);
    for (unsigned i = 0; i < GUESTS; i++) {
        REQUIRE(!xengt_sim_domain_is_zombie(w->sim, w->guest[i].domid), "a zombie");
    }
}

/* What a hypercall that fails keeps a successor from releasing is leaked, and the next one's. */
static void open_again(struct world *w)
{
    struct xengt_stats stats;
    int ret = victim_open(&w->xg, &w->options, 0, false);
    REQUIRE(!ret, "cannot be opened again: %d", ret);
    xengt_sim_fail_hypercall(w->sim, 0, 0);
    xengt_get_stats(w->xg, &stats);
    if (stats.leaked && !w->options.adopt) {
        REQUIRE(w->may_fail, "%llu leaked", (unsigned long long)stats.leaked);
        xengt_close(w->xg);
        ret = victim_open(&w->xg, &w->options, 0, false);
        REQUIRE(!ret, "cannot be opened again: %d", ret);
    }
}

/* Keeps what it is given: each is a page of the guest that it is said to be of. */
static void check_adopted(struct world *w)
{
    struct xengt_mapping list[WINDOW];
    struct xengt_sim_stats sim;
    struct xengt_stats stats;
    size_t n = xengt_mappings(w->xg, list, WINDOW);
    xengt_sim_get_stats(w->sim, &sim);
    xengt_get_stats(w->xg, &stats);
    REQUIRE(n == stats.adopted && (w->may_fail || !stats.leaked), "%zu adopted", n);
    REQUIRE(sim.mapped >= n && sim.mapped <= n + stats.leaked,
            "%llu are mapped, %zu are said to be", (unsigned long long)sim.mapped, n);
    for (size_t i = 0; i < n; i++) {
        uint64_t number = 0;
        REQUIRE(!xengt_sim_dma_read(w->sim, xengt_bfn_to_addr(list[i].bfn), &number, 8) && number,
                "the device does not reach what was kept");
        unsigned guest = list[i].domid != w->guest[0].domid;
        int err;
        if (list[i].domid != w->guest[guest].domid) {
            REQUIRE(xengt_sim_domain_is_zombie(w->sim, list[i].domid), "of nobody");
            REQUIRE(!xengt_unmap(w->xg, &list[i].cookie, NULL, 1) || w->may_fail, "not unmapped");
            continue;
        }
        REQUIRE(!xengt_space_adopt(w->guest[guest].space, &list[i].cookie, &err, 1) &&
                    (!err || err == -EDQUOT),
                "not adopted: %d", err);
        if (w->holds < HOLDS_MAX) {
            w->hold[w->holds++] =
                (struct hold){guest, err != 0, list[i].bfn, list[i].cookie, number};
        }
    }
}

/* The process ends, by a kill or not, and another one releases or keeps what was left. */
static void succeed(struct world *w, bool kill, bool adopt)
{
    w->holds = 0;
    if (kill) {
        victim_bury(w->xg);
    } else {
        xengt_close(w->xg);
    }
    w->options.adopt = adopt;
    open_again(w);
    for (unsigned i = 0; i < GUESTS; i++) {
        be_target(w, &w->guest[i]);
    }
    if (adopt) {
        check_adopted(w);
    } else {
        check_end(w);
    }
}

static void step(struct world *w)
{
    uint8_t op = input_u8(&w->in);
    unsigned guest = op >> 7;
    w->may_fail = op & 0x40;
    if (w->may_fail) {
        xengt_sim_fail_hypercall(w->sim, 1 + input_u8(&w->in) % 4, INJECTED);
    }
    switch (op & 0xf) {
    case 0:
    case 1:
    case 2:
        map_some(w, guest, false, op & 0x20);
        break;
    case 3:
    case 4:
        map_some(w, guest, true, op & 0x20);
        break;
    case 5:
    case 6:
    case 7:
        unmap_some(w);
        break;
    case 8:
        unmap_wrong(w, guest);
        break;
    case 9:
        balloon(w, guest);
        break;
    case 10:
        xengt_space_expire(w->guest[guest].space);
        break;
    case 11:
        if (op & 0x20) {
            xengt_space_flush(w->guest[guest].space);
        } else {
            xengt_space_shrink(w->guest[guest].space, input_u8(&w->in) % 8);
        }
        break;
    case 12:
        destroy(w, guest);
        break;
    case 13:
        victim_will_die(1 + input_u8(&w->in) % 8);
        break;
    case 14:
        succeed(w, true, op & 0x20);
        break;
    default:
        if (op & 0x20) {
            succeed(w, false, false);
        }
    }
    xengt_sim_fail_hypercall(w->sim, 0, 0);
    if (victim_is_dead() && !w->over) {
        succeed(w, true, op & 0x10);
    }
}

/* --- what must be true after each -------------------------------------------------------- */

static void check(struct world *w)
{
    struct xengt_sim_stats sim;
    struct xengt_stats stats;
    xengt_sim_get_stats(w->sim, &sim);
    xengt_get_stats(w->xg, &stats);
    REQUIRE(!sim.violations, "%s", xengt_sim_violation(w->sim));
    REQUIRE(sim.mapped <= stats.mapped + stats.leaked && sim.mapped >= stats.mapped,
            "%llu are mapped, %llu and %llu leaked are said to be", (unsigned long long)sim.mapped,
            (unsigned long long)stats.mapped, (unsigned long long)stats.leaked);
    for (unsigned i = 0; i < w->holds; i++) {
        const struct hold *h = &w->hold[i];
        uint64_t number = 0;
        REQUIRE(!xengt_sim_dma_read(w->sim, xengt_bfn_to_addr(h->bfn), &number, sizeof(number)),
                "the device does not reach what is held");
        REQUIRE(number == h->number, "the page of another");
    }
    for (unsigned i = 0; i < GUESTS; i++) {
        struct xengt_space_stats space;
        xengt_space_get_stats(w->guest[i].space, &space);
        REQUIRE(space.mapped <= QUOTA && space.in_use + space.deferred == space.mapped &&
                    space.deferred <= QUOTA,
                "%u mapped, %u used, %u deferred", space.mapped, space.in_use, space.deferred);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w = {.in = {data, size}, .sim = xengt_sim_new()};
    if (!dir[0]) {
        victim_make_dir(dir, sizeof(dir));
        atexit(remove_dir);
    }
    w.options = (struct xengt_options){
        .backend = XENGT_BACKEND_SIM,
        .sim = w.sim,
        .window_pages = WINDOW,
        .batch = 1 + input_u8(&w.in) % 8,
        .state_dir = dir,
    };
    REQUIRE(w.sim && !victim_open(&w.xg, &w.options, 0, false), "cannot be opened");
    xengt_sim_on_invalidate(w.sim, on_invalidate, &w);
    xengt_sim_on_unmap(w.sim, is_held, &w);
    for (unsigned i = 0; i < GUESTS; i++) {
        be_born(&w, &w.guest[i]);
    }
    for (unsigned i = 0; i < OPS_MAX && w.in.left && !w.over; i++) {
        step(&w);
        if (!w.over) {
            check(&w);
        }
    }
    w.holds = 0;
    xengt_close(w.xg);
    /* A last one, which finds what was leaked. */
    w.options.adopt = false;
    if (!xengt_open(&w.xg, &w.options, NULL, 0)) {
        xengt_close(w.xg);
    }
    check_end(&w);
    xengt_sim_free(w.sim);
    return 0;
}
