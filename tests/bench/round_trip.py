# SPDX-License-Identifier: LGPL-2.1-or-later
"""The round trip of a request in an HVM guest: xengtd's beside QEMU's.

The guest reads a register that QEMU answers without work, and one that xengtd does, by turns: both
processes are woken by an event channel, look at their pages and answer. Time is the guest's, on a
machine whose clock goes by the instructions executed (the boot is "counted").
"""

import statistics

import instructions

BOOT = "i915"
NEEDS = ["i915", "qemu"]
READS, READS_QUICK = 1000, 200

DOM0_SCRIPT = """\
# timeout: 900
insmod /opt/xengt/tun.ko
hvm_disk trip 64 2>/dev/null || exit 1
xengtd_start --dma cpu || exit 1
hvm_create trip round-trip:READS none || exit 1
guest_unpause trip
linux_passed trip round-trip:READS 600 || exit 1
linux_log trip | awk '/^# round trip/ { print "{\\"trip\\": \\"" $4 "\\", \\"ns\\": " $5 "}" }'
guest_destroy trip
xengtd_stop
"""


def dom0_script(quick):
    """What dom0 runs for it."""
    return DOM0_SCRIPT.replace("READS", str(READS_QUICK if quick else READS))


def add(results, lines):
    """Medians over the rounds; the ratio is that of each round's two, which ran side by side."""
    times = {who: [line["ns"] for line in lines if line.get("trip") == who]
             for who in ("xengt", "qemu")}
    if not times["xengt"] or len(times["xengt"]) != len(times["qemu"]):
        raise instructions.CountError(f"{BOOT}: no round trips in what the guest said")
    for who, values in times.items():
        results.add(f"ioreq.round_trip_us.{who}", statistics.median(values) / 1000, "us")
    ratios = [ours / theirs for ours, theirs in zip(times["xengt"], times["qemu"])]
    results.add("ioreq.round_trip_vs_qemu", statistics.median(ratios), "ratio")


def show(results):
    """The same for people."""
    print(f"\na guest waits for a register, on the boot {BOOT}")
    for who, text in (("xengt", "xengtd's, us"), ("qemu", "QEMU's, us")):
        print(f"  {text:44}{results.get(f'ioreq.round_trip_us.{who}'):12.1f}")
    print(f"  {'xengtd / QEMU':44}{results.get('ioreq.round_trip_vs_qemu'):12.2f}")
