/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hypercalls of the simulator, as its back end makes them. */
#ifndef XENGT_SIM_MODEL_H
#define XENGT_SIM_MODEL_H

#include <xengt/sim.h>
#include <xengt/target.h>

#define SIM_WINDOW_BASE  UINT64_C(0x100000) /* 4 GiB: above all RAM of the model */
#define SIM_WINDOW_PAGES (1u << 20)

/* 0, or the error the hypercall fails with as a whole, before it did anything. */
int sim_hypercall(struct xengt_sim *sim, bool maps);

/* One entry of XENMEM_add_to_physmap_batch, XENMAPSPACE_gmfn_foreign. */
int sim_add_to_physmap(struct xengt_sim *sim, uint32_t domid, struct xengt_gfn gfn,
                       uint64_t window_gfn);

/* XENMEM_remove_from_physmap. */
int sim_remove_from_physmap(struct xengt_sim *sim, uint64_t window_gfn);

int sim_domain_info(const struct xengt_sim *sim, uint32_t domid, struct xengt_target_info *info);

/* The page behind a frame of the window, as the backend's CPU sees it; NULL when empty. */
void *sim_window_page(struct xengt_sim *sim, uint64_t window_gfn);

#endif
