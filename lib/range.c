/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ranges: frames that follow each other, named by the first, in pieces that fit on the stack. */
#include <errno.h>

#include "space.h"

#define PIECE 256u

struct range {
    struct xengt_gfn first;
    struct xengt_bfn *bfn;
    int *err;
    size_t n;
};

/* A piece of a range, as if its frames had been named one by one: n entries from done on. */
typedef int piece_fn(const void *arg, const struct range *r, size_t done,
                     const struct xengt_gfn *gfn, size_t n);

static int *errors_of(const struct range *r, size_t done)
{
    return r->err ? r->err + done : NULL;
}

/* Frame numbers do not wrap around: what is beyond all of them is one that is refused. */
static void name_frames(const struct range *r, size_t done, struct xengt_gfn *gfn, size_t n)
{
    uint64_t left = UINT64_MAX - r->first.v;
    for (size_t i = 0; i < n; i++) {
        gfn[i].v = done + i <= left ? r->first.v + done + i : UINT64_MAX;
    }
}

/* Stops at the piece that fails, or goes on to the end; done is where it stopped. */
static int in_pieces(const struct range *r, piece_fn *fn, const void *arg, size_t *done)
{
    struct xengt_gfn gfn[PIECE];
    *done = 0;
    do {
        size_t n = r->n - *done < PIECE ? r->n - *done : PIECE;
        name_frames(r, *done, gfn, n);
        int ret = fn(arg, r, *done, gfn, n);
        if (ret) {
            return ret;
        }
        *done += n;
    } while (*done < r->n);
    return 0;
}

/* --- plain mappings ---------------------------------------------------------------------- */

struct map_range {
    struct xengt *xg;
    uint32_t domid;
    unsigned prot;
    struct xengt_cookie *cookie;
};

static int map_piece(const void *arg, const struct range *r, size_t done,
                     const struct xengt_gfn *gfn, size_t n)
{
    const struct map_range *m = arg;
    return xengt_map(m->xg, m->domid, gfn, r->bfn + done, m->cookie + done, errors_of(r, done), n,
                     m->prot);
}

int xengt_map_range(struct xengt *xg, uint32_t domid, struct xengt_gfn first, struct xengt_bfn *bfn,
                    /* NOLINTNEXTLINE(readability-non-const-parameter): written by xengt_map() */
                    struct xengt_cookie *cookie, int *err, size_t n, unsigned prot)
{
    const struct map_range m = {xg, domid, prot, cookie};
    const struct range r = {first, bfn, err, n};
    size_t done;
    if (n && (!bfn || !cookie)) {
        return handle_fail(xg, -EINVAL, "no array");
    }
    int ret = in_pieces(&r, map_piece, &m, &done);
    if (!ret) {
        return 0;
    }
    xengt_unmap(xg, cookie, NULL, done);
    for (size_t i = 0; i < n; i++) {
        bfn[i] = XENGT_BFN_INVALID;
        cookie[i] = XENGT_COOKIE_NONE;
    }
    return ret;
}

/* --- spaces ------------------------------------------------------------------------------ */

struct get_range {
    struct xengt_space *space;
};

static int get_piece(const void *arg, const struct range *r, size_t done,
                     const struct xengt_gfn *gfn, size_t n)
{
    const struct get_range *g = arg;
    return xengt_space_get(g->space, gfn, r->bfn + done, errors_of(r, done), n);
}

int xengt_space_get_range(struct xengt_space *space, struct xengt_gfn first, struct xengt_bfn *bfn,
                          /* NOLINTNEXTLINE(readability-non-const-parameter): written likewise */
                          int *err, size_t n)
{
    const struct get_range g = {space};
    const struct range r = {first, bfn, err, n};
    size_t done;
    if (n && !bfn) {
        return handle_fail(space->xg, -EINVAL, "no array");
    }
    int ret = in_pieces(&r, get_piece, &g, &done);
    if (!ret) {
        return 0;
    }
    xengt_space_put(space, bfn, done);
    for (size_t i = 0; i < n; i++) {
        bfn[i] = XENGT_BFN_INVALID;
    }
    return ret;
}
