# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long a guest waits for its first answer when xengtd is replaced, or killed and started again.

The guest reads a register all the time, so one of its reads is always caught: that wait is from the last
answer of the one xengtd to the first of the next, which has started, looked at its window, released what
was mapped, and taken the guest up. Its page tables are shadowed when it works again. Time is the
guest's, on a machine whose clock goes by the instructions executed.
"""

import statistics

import instructions

BOOT = "i915"
TIMES, TIMES_QUICK = 10, 3

DOM0_SCRIPT = """\
# timeout: 900
options="--dma cpu --track-after 2 --lazy-ggtt true"
waits() {
    [ "$(guest_log "$(guest_domid ask)" | grep -c '^waited')" -gt "$1" ]
}
again() { # WORD: what the guest waits while xengtd ends and starts again
    _waits=$(guest_log "$(guest_domid ask)" | grep -c '^waited')
    "$1"
    xengtd_start $options || exit 1
    wait_until 30 waits "$_waits" || exit 1
    guest_log "$(guest_domid ask)" | awk -v "how=$1" '/^waited/ { us = $2 }
        END { print "{\\"restart\\": \\"" how "\\", \\"us\\": " us "}" }'
}
replaced() {
    xengtd_stop
}
killed() {
    kill -KILL "$xengtd_pid"
    wait "$xengtd_pid" 2>/dev/null
}
xengtd_start $options || exit 1
vgpu_create ask ask || exit 1
guest_unpause ask
guest_expect ask "^asks" 200 || exit 1
for _ in $(seq TIMES); do
    again replaced
    again killed
done
step_go ask
guest_expect ask "^PASS ask" 30 || exit 1
guest_destroy ask
xengtd_stop
"""


def dom0_script(quick):
    """What dom0 runs for it."""
    return DOM0_SCRIPT.replace("TIMES", str(TIMES_QUICK if quick else TIMES))


def add(results, lines):
    """Medians."""
    for how, name in (("replaced", ""), ("killed", ".killed")):
        times = [line["us"] for line in lines if line.get("restart") == how]
        if not times:
            raise instructions.CountError(f"{BOOT}: no wait in what the guest said")
        results.add(f"restart.ms_to_answer{name}", statistics.median(times) / 1000, "ms")


def show(results):
    """The same for people."""
    print(f"\na guest waits for the next xengtd, on the boot {BOOT}")
    for name, text in (("", "replaced in order, ms"), (".killed", "killed and started, ms")):
        print(f"  {text:44}{results.get(f'restart.ms_to_answer{name}'):12.0f}")
