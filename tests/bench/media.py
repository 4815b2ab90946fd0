# SPDX-License-Identifier: LGPL-2.1-or-later
"""The media workload, played in three ways: what a frame costs in requests and hypercalls."""

import json
import subprocess
from pathlib import Path

import instructions

MODES = {"trap-each": "each store trapped, mapped singly", "trap": "trapped, batched",
         "sync": "out of sync, batched"}
COUNTS = {"ioreqs": "ioreqs", "hypercalls": "hypercalls", "track_calls": "of tracking",
          "tlb_invalidates": "TLB invalidates", "iotlb_flushes": "IOTLB flushes",
          "ptes": "PTEs written"}
# Under emulation a trapped store takes milliseconds: smaller surfaces, few frames. The counts of a
# frame are the same for any number of frames.
XEN_GUEST = "media surfaces=40 scale=8 warm=1 frames=4 steps=1"

# One line of JSON for each mode, from the figures at the guest's two steps.
DOM0_SCRIPT = """\
# timeout: 1800
figures() {
    xengt-ctl stats media | sed -n \
        -e 's/^access.ioreqs: /ioreqs /p' -e 's/^ppgtt.track_calls: /track_calls /p' \
        -e 's/^mappings.map_calls: /map_calls /p' -e 's/^mappings.unmap_calls: /unmap_calls /p' \
        -e 's/^gtt.commits: /tlb_invalidates /p' -e 's/^gtt.ptes_written: /ptes /p'
}
play() {
    xengtd_start --dma cpu --defer-ms 60000 --gtt-mode "$1" || return 1
    vgpu_create media "MEDIA" || return 1
    guest_unpause media
    guest_expect media '^step media begins' 600 || return 1
    xengt-ctl verify media || return 1
    figures >/run/begin
    step_go media
    guest_expect media '^step media ends' 600 || return 1
    xengt-ctl verify media || return 1
    figures >/run/end
    step_go media
    guest_expect media '^PASS media' 60 || return 1
    guest_destroy media
    xengtd_stop || return 1
    awk -v mode="$1" -v frames=FRAMES '
        NR == FNR { begin[$1] = $2; next }
        { count[$1] = ($2 - begin[$1]) / frames }
        END {
            count["hypercalls"] = count["map_calls"] + count["unmap_calls"] + count["track_calls"]
            printf "{\\"media\\": \\"%s\\"", mode
            for (key in count) printf ", \\"%s\\": %.3f", key, count[key]
            print "}"
        }' /run/begin /run/end
}
for mode in MODES; do
    play "$mode" || exit 1
done
"""


def dom0_script():
    """What dom0 runs for it."""
    frames = XEN_GUEST.split("frames=")[1].split()[0]
    return (DOM0_SCRIPT.replace("FRAMES", frames).replace("MEDIA", XEN_GUEST)
            .replace("MODES", " ".join(MODES)))


def run_sim(program: Path, quick):
    """bench-media's lines, or its complaint."""
    argument = "frames=20" if quick else "frames=120"
    result = subprocess.run([str(program), argument], text=True, capture_output=True, check=False)
    if result.returncode:
        raise instructions.CountError(f"bench-media: {result.stderr.strip()}")
    return [json.loads(line) for line in result.stdout.splitlines()]


def add(results, prefix, lines):
    """The figures of a run, on the simulator ("") or on Xen ("xen.")."""
    found = {line["media"]: line for line in lines if "media" in line}
    for mode, line in found.items():
        for key in COUNTS:
            if key in line:
                results.add(f"gtt.media.{prefix}{mode}.{key}_per_frame", line[key], "count")
    for key, label in (("hypercalls", "hypercall_reduction"), ("ioreqs", "ioreq_reduction")):
        results.add(f"gtt.media.{prefix}{label}", found["trap-each"][key] / found["sync"][key],
                    "ratio")


def show(results, prefix, title):
    """The same for people."""
    print(f"\nthe media workload {title}, for each frame")
    print(f"  {'':36}" + "".join(f"{text:>16}" for text in COUNTS.values()))
    for mode, text in MODES.items():
        values = (results.get(f"gtt.media.{prefix}{mode}.{key}_per_frame") for key in COUNTS)
        print(f"  {text:36}" +
              "".join(f"{'':>16}" if value is None else f"{value:16.1f}" for value in values))
    for label in ("hypercall_reduction", "ioreq_reduction"):
        print(f"  {label:36}{results.get(f'gtt.media.{prefix}{label}'):16.1f}")
