#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Break rules on purpose, one at a time: a test must notice each.

Those of the shadow GTT are the model test's to notice; others name theirs.

A mutation replaces a piece of one source file, which must be there exactly once. The file is
compiled and linked as the build does it, beside the build. Speaks TAP.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
TARGET = "tests/model/test_gtt_model"
OPERATIONS = "30000"
TIMEOUT = 240


@dataclass
class Mutation:
    """What is broken, and how."""

    name: str
    file: str
    old: str
    new: str
    target: str = TARGET


WRITE = "    gpu->write_ptes(b->cfg.gpu, b->write, b->n);\n"
INVALIDATE = "    gpu->invalidate(b->cfg.gpu);\n"
RELEASE = "    xengt_space_put(b->cfg.space, b->old, b->frames);\n"
DROP = "    drop_tables(b);\n"
ORDER = WRITE + INVALIDATE + RELEASE + DROP
BATCH = "daemon/gtt/batch.c"
CHANGES = "daemon/gtt/changes.c"
GTT = "daemon/gtt/gtt.c"
SPACES = "daemon/gtt/spaces.c"
SPT = "daemon/gtt/spt.c"
STORES = "daemon/gtt/stores.c"
SYNC = "daemon/gtt/sync.c"
TRACK = "daemon/gtt/track.c"
COMMANDS = "tests/unit/test_commands"
TAKE_UP = "tests/unit/test_take_up"
OUTLIVE = "tests/unit/test_outlive"
CONTROL = "tests/unit/test_control"
SIEGE = "tests/attack/attack_control"
GUESTS = "tests/unit/test_guests"
FIRMWARE = "tests/unit/test_firmware"
CONFINE = "tests/attack/attack_confine"

MUTATIONS = [
    Mutation("the TLB is invalidated before the PTEs are written", BATCH, ORDER,
             INVALIDATE + WRITE + RELEASE + DROP),
    Mutation("the TLB is not invalidated", BATCH, ORDER, WRITE + RELEASE + DROP),
    Mutation("frames are released before the TLB is invalidated", BATCH, ORDER,
             WRITE + RELEASE + INVALIDATE + DROP),
    Mutation("frames are released before the PTEs are written", BATCH, ORDER,
             RELEASE + WRITE + INVALIDATE + DROP),
    Mutation("frames are never released", BATCH, ORDER, WRITE + INVALIDATE + DROP),
    Mutation("PTEs are made before the frames are mapped", BATCH,
             "    map_new_frames(b);\n    make_ptes(b);\n",
             "    make_ptes(b);\n    map_new_frames(b);\n"),
    Mutation("an entry whose map failed is used all the same", BATCH,
             "    if (err) {\n        c->error = (uint8_t)-err;\n",
             "    if (false) {\n        c->error = (uint8_t)-err;\n"),
    Mutation("tables are given up while entries still lead to them", CHANGES,
             "    batch_run(b);\n", "    take_losses(gtt);\n    b->losses = 0;\n    batch_run(b);\n"),
    Mutation("the roots of an address space are kept for ever", CHANGES,
             "    if (!b->n && !b->losses && !b->drops) {\n", "    if (!b->n && !b->drops) {\n"),
    Mutation("an address space goes while an engine uses it", SPACES,
             "mm->announced && !mm->refs && !is_in_use(gtt, mm)", "mm->announced && !mm->refs"),
    Mutation("an address space goes that is being made ready", SPACES,
             "    return next || is_running(gtt, mm);\n", "    return is_running(gtt, mm);\n"),
    Mutation("a table is tracked without a last comparison", TRACK,
             "        spt_compare(gtt, ready[i]);\n", ""),
    Mutation("the last comparison comes before the tracking", TRACK,
             "    if (!count || track(gtt, gfn, count, true)) {\n",
             "    for (size_t i = 0; i < count; i++) {\n        spt_compare(gtt, ready[i]);\n    }\n"
             "    if (!count || track(gtt, gfn, count, true)) {\n        return;\n    }\n"
             "    for (size_t i = 0; i < count; i++) {\n        become_tracked(gtt, ready[i]);\n"
             "    }\n    if (count) {\n"),
    Mutation("a page stays tracked after its table's end", TRACK,
             "        spt->loosening = false;\n    }\n    untrack_later(gtt, spt->gfn);\n",
             "        spt->loosening = false;\n    }\n"),
    Mutation("a page that is a table of two kinds is tracked", TRACK,
             "!spt->loose_links && first == spt &&\n           !spt_next_of_gfn(spt);",
             "!spt->loose_links && first;"),
    Mutation("a table is tracked below one that is not", TRACK, "!spt->loose_links && ", ""),
    Mutation("a store that takes a table away waits for the commit", STORES,
             "            take_links(gtt, spt, offset, size);\n", "            ;\n"),
    Mutation("a store is answered before what it set free is tracked no more", GTT,
             "    if (!reset_some(gtt) || !gtt_tidy(gtt) || !commit_until(gtt, gtt->access) || "
             "!gtt_tidy(gtt)) {\n",
             "    if (!reset_some(gtt) || !commit_until(gtt, gtt->access)) {\n"),
    Mutation("tables stay tracked below one that is not any more", TRACK,
             "    for_each_child(gtt, spt, spt_loosen_later);\n", ""),
    Mutation("a table stays tracked that only one out of sync leads to", SPT,
             "            spt_loosen_later(gtt, spt); /* of what", "            (void)0; /* of what"),
    Mutation("tables of different kinds share a shadow", SPT,
             "    while (spt && spt->kind != kind) {\n", "    while (false) {\n"),
    Mutation("the guest's store into a tracked page is not done", STORES,
             "        store((uint8_t *)(uintptr_t)spt->guest + offset, value, size);\n", "        ;\n"),
    Mutation("tables out of sync are not compared", SYNC,
             "        [SWEEP_LOOSE] = sweep_loose,\n", "        [SWEEP_LOOSE] = sweep_pending,\n"),
    Mutation("half an entry is used as an entry", SYNC,
             "    bool whole = !(gtt->flags[entry] & GTT_HALF);\n", "    bool whole = true;\n"),
    Mutation("a changed layout is not a point of comparison", GTT,
             "    gtt->layout_changed = true;\n    gtt_commit(gtt);\n",
             "    xengt_space_invalidate(gtt->cfg.space);\n"),
    Mutation("old mappings are used after the layout changed", GTT,
             "        xengt_space_invalidate(gtt->cfg.space);\n", ""),
    Mutation("stores outside the windows are kept", GTT,
             "    return GTT_NO_ENTRY;\n", "    return (uint32_t)(index % gtt->entries);\n"),
    Mutation("a reset keeps the address spaces", GTT,
             "    if (!mm_drop_all(gtt) || !gtt_tidy(gtt)) {\n", "    if (!gtt_tidy(gtt)) {\n"),
    Mutation("pages of 64 KiB are taken for those of 4 KiB", SYNC,
             "entry & f->pages_64k ? SPT_PT_64K : SPT_PT", "SPT_PT"),
    Mutation("a commit is said to be done in the middle", GTT,
             "        if (!gtt_sweep(gtt)) {\n            return false;\n        }\n",
             "        gtt_sweep(gtt);\n"),
    Mutation("a commit that began before an access is enough for it", GTT,
             "    gtt->wanted = gtt->begun + 1;\n",
             "    gtt->wanted = gtt->begun > gtt->done ? gtt->begun : gtt->begun + 1;\n"),
    Mutation("what a guest has changed is taken all at once", SYNC,
             "            if (!gtt_may_work(gtt)) {\n                return false;\n            }\n", ""),
    Mutation("a submission with many tables is one piece of work", SYNC,
             "            if (!gtt_may_work(gtt)) {\n                return false;\n            }\n", "",
             target="tests/attack/attack_tables"),
    Mutation("what a reset sets free is taken apart at once", CHANGES,
             "TAILQ_EMPTY(&gtt->dead)) && gtt_may_work(gtt)) {\n", "TAILQ_EMPTY(&gtt->dead))) {\n"
             "        gtt->left = GTT_PORTION;\n",
             target="tests/attack/attack_reset"),
    Mutation("clients share a scratch page", "daemon/gpu/soft/mem.c",
             "? client->scratch + bus % DMA_PAGE_SIZE : NULL",
             "? client->gpu->clients->scratch + bus % DMA_PAGE_SIZE : NULL",
             target="tests/attack/attack_scratch"),
    Mutation("a command is executed by another length than it is checked by",
             "daemon/gpu/soft/cs.c", "engine->length = command_length(engine->command, header);",
             "engine->length = engine->command->length_bits ? (header & 0xff) + 2 : 1;", COMMANDS),
    Mutation("bits that must be zero are not looked at", "daemon/vgpu/audit/audit.c",
             "if (stray < c->length) {", "if (false) {", COMMANDS),
    Mutation("a command's form is not looked at", "daemon/vgpu/audit/audit.c",
             "return !fault ||", "return true ||", COMMANDS),
    Mutation("every engine has every command", "daemon/gen/commands.c",
             "return command && command->engines & 1u << engine ? command : NULL;",
             "return command && command->name ? command : NULL;", COMMANDS),
    # daemon/confine.c, daemon/vgpu/pci.c
    Mutation("threads that ran before are not confined", "daemon/confine.c",
             "SCMP_FLTATR_CTL_TSYNC, 1", "SCMP_FLTATR_CTL_TSYNC, 0", CONFINE),
    Mutation("the network may be called", "daemon/confine.c",
             "SCMP_A0(SCMP_CMP_EQ, AF_UNIX)", "SCMP_A0(SCMP_CMP_GE, 0)", CONFINE),
    Mutation("programs may be started", "daemon/confine.c",
             '"clone clone3 exit', '"execve clone clone3 exit', CONFINE),
    Mutation("a BAR without a place is not told of", "daemon/vgpu/pci.c",
             "PCI_COMMAND_MEMORY && !base;", "PCI_COMMAND_MEMORY && base;", FIRMWARE),
]

# What one guest can use up is its own.
SCHEDULE = "daemon/gpu/soft/schedule.c"
MUTATIONS += [
    Mutation("the GPU's turns are of steps, not of time", SCHEDULE,
             "    client->credit -= (int64_t)took;\n", "    client->credit -= 1;\n",
             "tests/unit/test_gpu_clients"),
    Mutation("what was too much of a turn is forgotten", SCHEDULE,
             "turn_of(client) + (client->credit < 0 ? client->credit : 0)", "turn_of(client)",
             "tests/unit/test_gpu_clients"),
    Mutation("no guest is promised a share of the window", "daemon/guests/guest.c",
             "    space.reserve = guest->share.reserve;\n", "",
             "tests/attack/attack_window"),
    Mutation("a guest may have all of the window", "daemon/guests/guest.c",
             "    space.quota = guest->share.quota;\n", "", "tests/attack/attack_window"),
    Mutation("a guest that asks puts off what others' timers are for", "daemon/guests/guest.c",
             "    guest_settle_at(guest, wake_now_ms() + SETTLE_MS);\n",
             "    for (unsigned i = 0; i < guest->guests->attached_n; i++) {\n"
             "        guest_settle_at(guest->guests->attached[i], wake_now_ms() + SETTLE_MS);\n    }\n",
             "tests/attack/attack_settle"),
    Mutation("a request wakes nobody", "daemon/guests/access.c",
             "    guest_wake(guest);\n    return vgpu_ready", "    return vgpu_ready",
             "tests/unit/test_guests"),
    Mutation("no guest ever sleeps", "daemon/guests/turns.c",
             "if (!guest->asks && vgpu_is_quiet(guest->vgpu))", "if (false)",
             "tests/unit/test_guests"),
    Mutation("a guest sleeps while its work goes on", "daemon/vgpu/vgpu.c",
             "    bool quiet = gtt_is_quiet(vgpu->gtt);\n", "    bool quiet = true;\n",
             "tests/unit/test_guests"),
    Mutation("the first date counts for all guests", "daemon/guests/turns.c",
             "    guests->turns.settle_at_ms = next;\n", "    guests->turns.settle_at_ms = 0;\n",
             "tests/unit/test_guests"),
    Mutation("a round does all that a guest has begun", "daemon/guests/turns.c",
             "        more |= vgpu_work(guest->vgpu, units);\n",
             "        more |= vgpu_work(guest->vgpu, VGPU_WORK_ALL);\n",
             "tests/attack/attack_huge"),
    Mutation("a guest that leaves is taken apart at once", "daemon/guests/guest.c",
             "vgpu_work(guest->vgpu, units)", "vgpu_work(guest->vgpu, VGPU_WORK_ALL)",
             "tests/attack/attack_reset"),
    Mutation("all mappings of a guest that leaves go at once", "daemon/guests/guest.c",
             "xengt_space_drain(guest->space, DRAIN_PAGES)",
             "xengt_space_drain(guest->space, UINT32_MAX)", "tests/attack/attack_reset"),
]

# A guest with firmware of its own.
FIRMWARE = "tests/unit/test_firmware"
MUTATIONS += [
    Mutation("another's function is answered for", "daemon/host/xen/ioreq_decode.c",
             "|| (sbdf == 0 && pci->root);", "|| sbdf == 0;", "tests/unit/test_ioreq"),
    Mutation("BARs are decoded before firmware has placed them", "daemon/vgpu/pci.c",
             "    if (config->base[VGPU_BAR_MMIO]) {\n", "    if (true) {\n", FIRMWARE),
    Mutation("a BAR is claimed while another is still there", "daemon/vgpu/bars.c",
             "        vgpu->cfg.machine->claim(vgpu->cfg.machine_arg, bar, 0, 0);\n",
             "        uint64_t base, size;\n"
             "        if (!vgpu_pci_bar(&vgpu->pci, bar, &base, &size)) {\n"
             "            vgpu->cfg.machine->claim(vgpu->cfg.machine_arg, bar, 0, 0);\n        }\n",
             FIRMWARE),
    Mutation("what firmware has chosen is forgotten", "daemon/guests/guest.c",
             "host->placed(guest->host, VGPU_BAR_APERTURE)", "0", FIRMWARE),
    Mutation("work that the GPU had is taken for done", "daemon/vgpu/submit/engine.c",
             "if (kept->busy || kept->moving || kept->unsure) {", "if (kept->moving) {", TAKE_UP),
    Mutation("a submission made twice runs twice", "daemon/vgpu/blocks/elsp.c",
             " || engine_is_lost(at->engine)", "", TAKE_UP),
    Mutation("another domain is taken for the one of that number", "daemon/guests/take_up.c",
             " && memcmp(info.handle, note->identity, sizeof(note->identity)) == 0", "", OUTLIVE),
    Mutation("the end of a vGPU is left as its state", "daemon/guests/keep.c",
             "    if (keep->fd < 0) {\n        return 0;\n    }\n    return mmap(",
             "    return keep ? 0 : mmap(", OUTLIVE),
    Mutation("a guest that ends each xengtd is taken up for ever", "daemon/guests/keep.c",
             "header->ends >= KEEP_ENDS_MAX ? -ECANCELED : 0", "0", OUTLIVE),
    Mutation("a guest is blamed for ends that are long ago", "daemon/guests/guest.c",
             "        keep_trust(&guest->keep);\n", "", OUTLIVE),
    Mutation("a file that others may write is believed", "daemon/guests/keep.c",
             " || st.st_mode & (S_IWGRP | S_IWOTH)", "", OUTLIVE),
]

# Orders of the toolstack's.
STORE = "tests/unit/test_store"
MUTATIONS += [
    Mutation("what a guest has written is an order", "daemon/host/xen/vdispl_nodes.c",
             "    if (ret || writable) {\n", "    if (ret) {\n", STORE),
    Mutation("a device is another domain's", "daemon/host/xen/vdispl_nodes.c",
             "    if (!same) {\n", "    if (false) {\n", STORE),
    Mutation("a xenstored without memory takes vGPUs away", "daemon/host/xen/store_thread.c",
             "    forget_all(store);\n", "", STORE),
    Mutation("a device takes another's vGPU", "daemon/guests/orders.c",
             "guest->device == order->device : order->known", "true : order->known",
             "tests/unit/test_orders"),
    Mutation("a device takes a vGPU that is by hand", "daemon/guests/orders.c",
             "guest->device == order->device : order->known", "guest->device == order->device : true",
             "tests/unit/test_orders"),
]


# What one client of the control socket can do to others, and to guests.
CLIENT, PLACES = "daemon/control/client.c", "daemon/control/control.c"
MUTATIONS += [
    Mutation("a client's requests are carried out all at once", PLACES,
             "        if (client_turn(client)) {\n",
             "        bool any = false;\n        while (client->clients && client_turn(client)) {\n"
             "            any = true;\n        }\n        if (any) {\n", CONTROL),
    Mutation("the same client has the next turn, too", PLACES,
             "            control->next = at + 1;\n", "            control->next = at;\n", CONTROL),
    Mutation("bytes that come put the turn off", CLIENT,
             "    if (!event_pending(clients->turn, EV_TIMEOUT, NULL)) {\n", "    {\n", SIEGE),
    Mutation("readers take every place", PLACES,
             "reader && readers(control) >= CONTROL_READERS_MAX", "false", CONTROL),
    Mutation("readers make way for none but root", PLACES,
             "silent_client(control, full)", "full ? NULL : silent_client(control, full)", CONTROL),
    Mutation("a client loses its place while it waits for an answer", PLACES,
             "!client_is_busy(client) && ", "", CONTROL),
    Mutation("a subscriber loses its place", PLACES, " && !client_listens(client)", "", CONTROL),
    Mutation("there may be any number of subscribers", PLACES,
             "all >= CONTROL_LISTENERS_MAX || (reader && among_readers >= CONTROL_LISTENERS_MAX / 2)",
             "false", CONTROL),
    Mutation("bytes are taken for speech", CLIENT,
             "        bufferevent_disable(bev, EV_READ);\n    }\n",
             "        bufferevent_disable(bev, EV_READ);\n    }\n    note_speech(client);\n", CONTROL),
    Mutation("events are written to who does not read", CLIENT,
             "unread(client) <= EVENTS_UNREAD_MAX", "true", SIEGE),
    Mutation("answers are written to who does not read", CLIENT,
             "!client->closing && unread(client) <= UNREAD_MAX", "!client->closing", SIEGE),
    Mutation("readers change things", "daemon/control/protocol.c",
             "session->verb->changes && session->may_not_change", "false", CONTROL),
    Mutation("a notification is answered", "daemon/control/protocol.c",
             "if (!json_object_object_get_ex(session->request, \"id\", &id)) {", "if (false) {",
             CONTROL),
    Mutation("all mappings are in one answer", "daemon/guests/query.c",
             "        if (!max--) {\n            return 1;\n        }\n", "", GUESTS),
    Mutation("the first of two domains of a name is taken", "daemon/guests/query.c",
             "found && !found->dead && !guest->dead", "false", GUESTS),
    Mutation("the first of two domains of a name is attached", "daemon/host/sim.c",
             "name && alive(host, other) && !strcmp(name, wanted)", "false", GUESTS),
    Mutation("a line is cut within a character", "daemon/text.c",
             "            drop_cut_end(text);\n", "            ;\n", "tests/unit/test_text"),
]

def build_commands(builddir: Path, target: str):
    """Every command that makes a test, in order."""
    out = subprocess.run(["ninja", "-C", str(builddir), "-t", "commands", target], check=True,
                         capture_output=True, text=True).stdout
    return [line for line in out.splitlines() if line.strip()]


def run_mutation(mutation, builddir, commands):
    """An empty string: it was noticed; otherwise what went wrong."""
    text = (SOURCE / mutation.file).read_text()
    if text.count(mutation.old) != 1:
        return f"its text is {text.count(mutation.old)} times in {mutation.file}"
    original = os.path.relpath(SOURCE / mutation.file, builddir)
    compile_line = next((c for c in commands if f"-c {original}" in c), None)
    if not compile_line:
        return f"no command compiles {original}"
    obj = compile_line.split(" -o ")[1].split()[0]
    with tempfile.TemporaryDirectory() as folder:
        source, mutated = Path(folder) / Path(mutation.file).name, f"{folder}/mutated.o"
        source.write_text(text.replace(mutation.old, mutation.new))
        include = f"-iquote {(SOURCE / mutation.file).parent}"
        command = compile_line.replace(f"-c {original}", f"-w {include} -c {source}")
        command = command.replace(f" -o {obj}", f" -o {mutated}").replace(
            f"-MF {obj}.d", f"-MF {mutated}.d")
        # An object that is in a library there comes before it here.
        first = "" if f" {obj} " in commands[-1] else f" {mutated}"
        link = commands[-1].replace(f" {obj} ", f" {mutated} ").replace(
            f"-o {mutation.target}", f"-o {folder}/test{first}")
        for step in (command, link):
            result = subprocess.run(step, shell=True, cwd=builddir, capture_output=True, text=True,
                                    check=False)
            if result.returncode:
                return "does not compile: " + result.stderr.strip().splitlines()[:2].__str__()
        try:
            result = subprocess.run([f"{folder}/test"], capture_output=True, timeout=TIMEOUT,
                                    check=False, cwd=folder,
                                    env={**os.environ, "XENGT_MODEL_OPERATIONS": OPERATIONS,
                                         "XENGT_MODEL_FAIL_FAST": "1"})
        except subprocess.TimeoutExpired:
            return ""  # it does not even end
    return "" if result.returncode else "nobody noticed"


def main():
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--builddir", type=Path, default=Path("build"))
    parser.add_argument("filter", nargs="?", default="", help="mutations whose names contain this")
    args = parser.parse_args()
    builddir = args.builddir.resolve()
    chosen = [m for m in MUTATIONS if args.filter in m.name]
    commands = {t: build_commands(builddir, t) for t in {m.target for m in chosen}}
    failed = 0
    print(f"1..{len(chosen)}", flush=True)
    with ThreadPoolExecutor(max_workers=1) as pool:
        for n, (mutation, problem) in enumerate(zip(chosen, pool.map(
                lambda m: run_mutation(m, builddir, commands[m.target]), chosen)), 1):
            failed += bool(problem)
            print(f"{'not ok' if problem else 'ok'} {n} - noticed: {mutation.name}")
            if problem:
                print(f"# {problem}")
            sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
