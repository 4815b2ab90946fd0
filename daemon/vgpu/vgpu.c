/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vGPU as one thing: made, reset, looked at. */
#include "vgpu/vgpu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "vgpu/bars.h"
#include "vgpu/blocks/irq.h"
#include "vgpu/blocks/pvinfo.h"
#include "vgpu/device.h"
#include "vgpu/failsafe.h"
#include "vgpu/models.h"
#include "vgpu/registers.h"
#include "vgpu/submit/engine.h"
#include "vgpu/submit/workload.h"

size_t vgpu_kept_size(const struct vgpu_config *c)
{
    uint32_t entries = c->lazy_ggtt ? 0 : c->gtt.mappable.count + c->gtt.unmappable.count;
    return offsetof(struct vgpu_kept, gtt) + gtt_kept_size(entries);
}

/* Everything a guest can change, but for the GGTT. */
static void power_on(struct vgpu *vgpu)
{
    for (int e = 0; e < GPU_ENGINES; e++) {
        engine_init(vgpu, e);
    }
    reg_reset_all(vgpu);
    pvinfo_init(vgpu);
    irq_reset(vgpu);
    vgpu->kept->pv_aware = false;
    vgpu->failed = vgpu->stopped = false;
    vgpu->kept->failed = false;
    vgpu->kept->reason[0] = '\0';
}

/* Goes on where another left off. What is told to the guest of its vGPU is what this one is. */
static void take_up(struct vgpu *vgpu)
{
    struct vgpu_kept *kept = vgpu->kept;
    kept->reason[sizeof(kept->reason) - 1] = '\0';
    vgpu->failed = vgpu->stopped = kept->failed != 0;
    pvinfo_init(vgpu);
    for (int e = 0; e < GPU_ENGINES; e++) {
        engine_take_up(vgpu, e);
    }
    gtt_pause(vgpu->gtt, kept->paused);
    irq_take_up(vgpu);
    engines_stop_failed(vgpu);
}

static int find_kept(struct vgpu *vgpu)
{
    vgpu->own_kept = vgpu->cfg.kept ? NULL : calloc(1, vgpu_kept_size(&vgpu->cfg));
    vgpu->kept = vgpu->cfg.kept ? vgpu->cfg.kept : vgpu->own_kept;
    return vgpu->kept ? 0 : -ENOMEM;
}

static int create_gtt(struct vgpu *vgpu)
{
    const struct vgpu_config *c = &vgpu->cfg;
    struct gtt_config gtt = c->gtt;
    gtt.tracker = (struct gtt_tracker){.track = c->machine->track, .arg = c->machine_arg};
    if (c->lazy_ggtt) {
        int ret = bars_add_ggtt_ram(vgpu);
        if (ret) {
            return ret;
        }
        gtt.lazy = vgpu->ggtt_ram;
    }
    gtt.kept = &vgpu->kept->gtt;
    return gtt_create(&gtt, &vgpu->gtt);
}

int vgpu_create(const struct vgpu_config *config, struct vgpu **out)
{
    *out = NULL;
    const struct vgpu_model *model = vgpu_model(config->model);
    if (!model || config->fences > model->fences) {
        return -EINVAL;
    }
    struct vgpu *vgpu = calloc(1, sizeof(*vgpu));
    if (!vgpu) {
        return -ENOMEM;
    }
    vgpu->cfg = *config;
    vgpu->model = model;
    int ret = find_kept(vgpu);
    if (!ret) {
        bars_init(vgpu);
        ret = create_gtt(vgpu);
    }
    if (ret) {
        vgpu_destroy(vgpu);
        return ret;
    }
    reg_init(vgpu);
    if (config->take_up) {
        take_up(vgpu);
    } else {
        power_on(vgpu);
    }
    *out = vgpu;
    return 0;
}

int vgpu_plug_in(struct vgpu *vgpu)
{
    return bars_claim(vgpu);
}

void vgpu_destroy(struct vgpu *vgpu)
{
    if (!vgpu) {
        return;
    }
    gtt_verify_drop(vgpu->verify);
    for (int e = 0; e < GPU_ENGINES; e++) {
        workload_forget(&vgpu->engine[e]);
    }
    gtt_destroy(vgpu->gtt);
    free(vgpu->own_kept);
    free(vgpu);
}

void vgpu_reset(struct vgpu *vgpu)
{
    gtt_reset(vgpu->gtt);
    power_on(vgpu);
}

/* --- configuration space ----------------------------------------------------------------- */

uint32_t vgpu_config_read(const struct vgpu *vgpu, unsigned devfn, unsigned reg, unsigned size)
{
    return devfn == VGPU_PCI_DEVFN ? vgpu_pci_read(&vgpu->pci, reg, size)
                                   : vgpu_pci_bridge_read(reg, size);
}

/* Of gtt_spend(): to clear all registers; and to ask the host for both BARs. */
#define RESET_UNITS 1024u
#define CLAIM_UNITS 512u

/* A GPU takes its time for a reset: one that is asked for it all the time does nothing else. */
static void reset_function(struct vgpu *vgpu)
{
    static const struct budget_rate rate = {VGPU_RESETS_AT_ONCE, UINT64_C(1000000000)};
    vgpu_reset(vgpu);
    gtt_spend(vgpu->gtt, RESET_UNITS);
    if (!budget_take(&vgpu->resets, &rate, vgpu_now_ns(vgpu))) {
        vgpu_fail(vgpu, "it is reset more often than once a second");
        engines_stop_failed(vgpu);
    }
}

/* What firmware finds no room for it leaves where it was, at no address. */
static void tell_homeless(struct vgpu *vgpu)
{
    for (enum vgpu_bar bar = 0; bar < VGPU_BARS; bar++) {
        if (vgpu_pci_homeless(&vgpu->pci, bar)) {
            vgpu_log(vgpu, LOG_WARNING,
                     "the firmware had no room for BAR %u of its vGPU; mmio_hole=2048 in its "
                     "configuration makes some",
                     bar == VGPU_BAR_MMIO ? 0u : 2u);
        }
    }
}

void vgpu_config_write(struct vgpu *vgpu, unsigned devfn, unsigned reg, uint32_t value,
                       unsigned size)
{
    if (devfn != VGPU_PCI_DEVFN) {
        return;
    }
    unsigned result = vgpu_pci_write(&vgpu->pci, reg, value, size);
    memcpy(vgpu->kept->config, vgpu->pci.space, sizeof(vgpu->kept->config));
    if (result & VGPU_PCI_RESET) {
        reset_function(vgpu);
    }
    irq_deliver(vgpu); /* by another way, or not at all */
    if (result & VGPU_PCI_ON && vgpu->cfg.firmware) {
        tell_homeless(vgpu);
    }
    if (!(result & VGPU_PCI_MOVED)) {
        return;
    }
    gtt_spend(vgpu->gtt, CLAIM_UNITS);
    int ret = bars_claim(vgpu);
    if (ret) {
        vgpu_log(vgpu, LOG_NOTICE, "its vGPU does not answer where it was put: %s", strerror(-ret));
    }
}

/* --- the guest, besides its accesses ----------------------------------------------------- */

void vgpu_tracked_write(struct vgpu *vgpu, uint64_t gpa, uint64_t value, unsigned size)
{
    gtt_table_write(vgpu->gtt, gpa, value, size);
}

void vgpu_guest_layout_changed(struct vgpu *vgpu)
{
    gtt_guest_layout_changed(vgpu->gtt);
}

void vgpu_check(struct vgpu *vgpu)
{
    for (int e = 0; e < GPU_ENGINES; e++) {
        engine_check(vgpu, &vgpu->engine[e]);
    }
    engines_stop_failed(vgpu);
    irq_deliver(vgpu);
}

void vgpu_settle(struct vgpu *vgpu)
{
    gtt_settle(vgpu->gtt);
}

bool vgpu_ready(struct vgpu *vgpu)
{
    return gtt_ready(vgpu->gtt);
}

bool vgpu_work(struct vgpu *vgpu, uint32_t units)
{
    bool more = false;
    gtt_allow(vgpu->gtt, units);
    for (int e = 0; e < GPU_ENGINES; e++) {
        if (vgpu->engine[e].waiting) {
            engine_run(vgpu, &vgpu->engine[e]);
        }
        more |= vgpu->engine[e].waiting && !vgpu->engine[e].starved;
    }
    engines_stop_failed(vgpu);
    return gtt_work(vgpu->gtt) || more;
}

bool vgpu_is_quiet(const struct vgpu *vgpu)
{
    bool quiet = gtt_is_quiet(vgpu->gtt);
    for (int e = 0; e < GPU_ENGINES && quiet; e++) {
        quiet = engine_is_quiet(&vgpu->engine[e]);
    }
    return quiet;
}

bool vgpu_is_starved(const struct vgpu *vgpu)
{
    bool starved = false;
    for (int e = 0; e < GPU_ENGINES; e++) {
        starved |= vgpu->engine[e].starved;
    }
    return starved;
}

void vgpu_end(struct vgpu *vgpu)
{
    for (int e = 0; e < GPU_ENGINES; e++) {
        engine_init(vgpu, e);
    }
    vgpu->failed = vgpu->stopped = true;
    irq_deliver(vgpu);
    gtt_verify_drop(vgpu->verify);
    vgpu->verify = NULL;
    gtt_end(vgpu->gtt);
}

void vgpu_pause(struct vgpu *vgpu, bool paused)
{
    vgpu->kept->paused = paused;
    gtt_pause(vgpu->gtt, paused);
}

bool vgpu_paused(const struct vgpu *vgpu)
{
    return vgpu->kept->paused;
}

const char *vgpu_failsafe(const struct vgpu *vgpu)
{
    return vgpu->failed ? vgpu->kept->reason : NULL;
}

void vgpu_refuse(struct vgpu *vgpu, const char *reason)
{
    vgpu_fail(vgpu, "%s", reason);
    engines_stop_failed(vgpu);
}

void vgpu_answered(struct vgpu *vgpu)
{
    for (int e = 0; e < GPU_ENGINES; e++) {
        engine_answered(&vgpu->engine[e]);
    }
}

bool vgpu_hold(struct vgpu *vgpu)
{
    bool busy = false;
    vgpu->held = true;
    for (int e = 0; e < GPU_ENGINES; e++) {
        busy |= vgpu->engine[e].state == ENGINE_BUSY;
    }
    return !busy;
}
