#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measure: mapping and unmapping on real Xen in QEMU, and what our own bookkeeping costs.

A benchmark, not a test: it fails only when something cannot be measured.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import gtt
import i915
import instructions
import isolation
import media
import restart
import round_trip
import scale

HERE = Path(__file__).resolve().parent
ROUNDS, ROUNDS_QUICK = 36, 8
BATCHES = [1, 16, 64, 128, 512]
LARGE = [64, 128, 512]  # the batches that the headline figures are medians of
# What a boot's figures are called; the second two show what the IOMMU's part is.
BOOTS = {"pvh-amd": "", "pv-strict": "grant."}
BOOTS_IOMMU = {"pv-relaxed": "relaxed.grant.", "pvh-intel": "intel."}
MEDIA_BOOT = "pvh-amd"
PAIR_PAGES = 128 * 512
SIZES = [1 << 10, 1 << 15, 1 << 20]
# A library without a window keeps more of each mapping: bench-space's argument for that.
VARIANTS = {"": [], "grant.": ["bare"]}

DOM0_SCRIPT = """\
# timeout: 550
guest_create bench wait mem=64 paused || exit 1
bench-lib /run/bench "$bench_domid" {rounds}
status=$?
guest_destroy bench
exit $status
"""


class BenchError(Exception):
    """Something could not be measured."""


class Results:
    """All figures by name, in the order they came."""

    def __init__(self):
        self.values = {}
        self.skipped = []

    def add(self, name, value, unit):
        """One figure."""
        self.values[name] = (value, unit)

    def get(self, name):
        """Its value, or None."""
        return self.values.get(name, (None, None))[0]

    def document(self):
        """What --json writes."""
        return {"results": [{"name": name, "value": round(value, 4), "unit": unit}
                            for name, (value, unit) in self.values.items()],
                "skipped": self.skipped}


def find_program(builddir: Path, name):
    """A program of the build."""
    for path in sorted(builddir.glob(f"**/{name}")):
        if path.is_file() and not path.is_relative_to(builddir / "xen"):
            return path
    raise BenchError(f"{name} is not in {builddir}: build it first (is valgrind installed?)")


def json_lines(text):
    """The objects in what a program printed, among other lines."""
    for line in text.splitlines():
        if line.startswith("{"):
            yield json.loads(line)


# --- real Xen -------------------------------------------------------------------------------------

def run_script(builddir: Path, boot, name, text, payload=(), needs=()):
    """Boot Xen, run a script in dom0, return what it said."""
    script = builddir / "xen" / name
    script.parent.mkdir(exist_ok=True)
    script.write_text(text)
    command = [str(HERE / "boot.py"), "--builddir", str(builddir), "--boot", boot,
               "--command", str(script)]
    for program in payload:
        command += ["--payload", str(program)]
    for need in needs:
        command += ["--needs", need]
    result = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            check=False)
    if result.returncode:
        raise BenchError(f"{boot}: status {result.returncode}\n{result.stdout[-3000:]}")
    return list(json_lines(result.stdout))


def run_boot(builddir: Path, boot, rounds):
    """bench-lib against a paused guest."""
    return run_script(builddir, boot, "bench.sh", DOM0_SCRIPT.format(rounds=rounds),
                      [find_program(builddir, "bench-lib")])


def measure_media(args, results):
    """The media workload on the simulator, and on real Xen."""
    media.add(results, "", media.run_sim(find_program(args.builddir, "bench-media"), args.quick))
    media.show(results, "", "on the simulator")
    if args.boot and MEDIA_BOOT not in args.boot:
        return
    media.add(results, "xen.", run_script(args.builddir, MEDIA_BOOT, "media.sh",
                                          media.dom0_script()))
    media.show(results, "xen.", f"on real Xen, {MEDIA_BOOT}; smaller surfaces")


def measure_i915(args, results):
    """A guest that is Linux with i915."""
    if args.boot and i915.BOOT not in args.boot:
        return
    i915.add(results, run_script(args.builddir, i915.BOOT, "i915.sh", i915.dom0_script(),
                                 needs=i915.NEEDS))
    i915.show(results)


def measure_round_trip(args, results):
    """A request's round trip, beside QEMU's."""
    if args.boot and round_trip.BOOT not in args.boot:
        return
    round_trip.add(results, run_script(args.builddir, round_trip.BOOT, "round-trip.sh",
                                       round_trip.dom0_script(args.quick),
                                       needs=round_trip.NEEDS))
    round_trip.show(results)


def measure_restart(args, results):
    """What a guest waits for the next xengtd."""
    if args.boot and restart.BOOT not in args.boot:
        return
    restart.add(results, run_script(args.builddir, restart.BOOT, "restart.sh",
                                    restart.dom0_script(args.quick)))
    restart.show(results)


def times_of(lines, method):
    """{batch: line} of a method."""
    return {line["batch"]: line for line in lines if line.get("method") == method}


def ratio_of(lines, one, other):
    """Median over the large batches, or None."""
    found = [line["value"] for line in lines if line.get("ratio") == one
             and line.get("of") == other and line["batch"] in LARGE]
    return statistics.median(found) if found else None


RATIOS = [
    ("overhead_vs_raw", "xengt", "raw"),
    ("speedup_vs_single", "single", "xengt"),
    ("speedup_vs_foreignmemory", "foreignmemory", "xengt"),
    ("speedup_vs_gnttab", "gnttab", "xengt-offered"),
]
MUST = ["overhead_vs_raw", "speedup_vs_single", "speedup_vs_foreignmemory"]
METHODS = ["xengt", "raw", "foreignmemory", "xengt-offered", "gnttab"]


def add_boot(results, prefix, boot, lines):
    """The figures of one boot."""
    name = f"{prefix}physmap."
    for label, one, other in RATIOS:
        value = ratio_of(lines, one, other)
        if value is not None:
            results.add(name + label, value, "ratio")
        elif label in MUST:
            raise BenchError(f"{boot}: no {label}")
    for method in METHODS:
        middle = "" if method == "xengt" else f"{method}."
        for batch, line in times_of(lines, method).items():
            for key, label in (("us", "us_per_page"), ("map_us", "map_us_per_page"),
                               ("unmap_us", "unmap_us_per_page")):
                results.add(f"{name}batch{batch}.{middle}{label}", line[key], "us")
    for line in lines:
        if line.get("ratio") == "xengt" and line["of"] == "raw":
            for key, label in (("value", ""), ("low", "_quarter"), ("high", "_three_quarters")):
                results.add(f"{name}batch{line['batch']}.overhead_vs_raw{label}", line[key],
                            "ratio")
        elif "cost" in line:
            results.add(f"{name}{line['cost']}", line["value"], "us")
        elif "space" in line:
            unit = "bytes" if line["space"].startswith("bytes") else "ns"
            results.add(f"{name}space.{line['space']}", line["value"], unit)
        elif "skip" in line and not times_of(lines, line["skip"]):
            results.skipped.append({"name": f"{name}{line['skip']}", "why": line["why"]})


def show_boot(results, prefix, boot, lines):
    """The same for people."""
    about = next(line for line in lines if "backend" in line)
    print(f"\n{boot}: {about['explanation']}")
    print("microseconds to map and unmap a page; so many pages in one call")
    print(f"  {'':16}" + "".join(f"{batch:>10}" for batch in BATCHES))
    for method in METHODS:
        times = times_of(lines, method)
        if times:
            print(f"  {method:16}" + "".join(f"{times[batch]['us']:10.1f}" for batch in BATCHES))
    ratios = {line["batch"]: line for line in lines
              if line.get("ratio") == "xengt" and line["of"] == "raw"}
    print(f"  {'xengt / raw':16}" + "".join(f"{ratios[b]['value']:10.3f}" for b in BATCHES))
    print(f"  {'  its quartiles':16}" +
          "".join(f" {ratios[b]['low']:.2f}-{ratios[b]['high']:.2f}" for b in BATCHES))
    for line in results.skipped:
        if line["name"].startswith(f"{prefix}physmap."):
            print(f"  {line['name'].rpartition('.')[2]}: not measured: {line['why']}")
    for label, _, _ in RATIOS:
        value = results.get(f"{prefix}physmap.{label}")
        if value is not None:
            print(f"  {label:26}{value:6.2f}")
    for label, text in (
            ("hypercall_us", "a hypercall that does nothing"),
            ("multicall_entry_us", "one more of it in a multicall"),
            ("remove_nothing_us", "one of a removal where nothing is"),
    ):
        value = results.get(f"{prefix}physmap.{label}")
        if value is not None:
            print(f"  {text:36}{value:8.1f} us")
    print(f"  {'a page that is mapped already':36}"
          f"{results.get(f'{prefix}physmap.space.hit_ns'):8.0f} ns, emulated")


# --- the library's bookkeeping --------------------------------------------------------------------

def run_space(program, what, mappings, variant):
    """Run bench-space; {figure: value}."""
    result = subprocess.run([str(program), what, str(mappings), *variant], text=True,
                            capture_output=True, check=False)
    if result.returncode:
        raise BenchError(f"bench-space {what}: {result.stderr.strip()}")
    return {line["space"]: line["value"] for line in json_lines(result.stdout)}


def add_space(results, prefix, variant, program, sizes):
    """Memory, instructions and time for each mapping; the headline is the largest size."""
    for size in sizes:
        found = {**run_space(program, "memory", size, variant),
                 **run_space(program, "hits", size, variant)}
        counted = instructions.count(program, size, variant)
        found |= {f"{key}_instructions": value for key, value in counted.items()}
        for key, value in found.items():
            unit = {"bytes": "bytes", "map": "instructions", "unmap": "instructions"}
            unit = unit.get(key.split("_")[0], "ns")
            results.add(f"{prefix}space.n{size}.{key}", value, unit)
    for key in ("bytes_per_mapping", "hit_ns", "map_instructions", "unmap_instructions"):
        value, unit = results.values[f"{prefix}space.n{sizes[-1]}.{key}"]
        results.add(f"{prefix}space.{key}", value, unit)


def add_pair(results, program):
    """A page mapped and unmapped on the grant back end, by plain calls of 512."""
    counted = instructions.count(program, PAIR_PAGES, [])
    for key, value in counted.items():
        results.add(f"map.{key}_instructions", value, "instructions")
    results.add("map.pair_instructions", sum(counted.values()), "instructions")
    print(f"\na page mapped and unmapped on the grant back end, 512 a call: "
          f"{sum(counted.values()):.0f} instructions")


def show_space(results, sizes):
    """The same for people."""
    print("\nthe library's own part, for each mapping; this many mappings")
    print(f"  {'':36}" + "".join(f"{size:>10}" for size in sizes))
    for prefix, title in (("", "with a window"), ("grant.", "without")):
        print(f"  {title}")
        for key, text in (("bytes_per_mapping", "bytes"), ("map_instructions", "instructions, map"),
                          ("unmap_instructions", "instructions, release and unmap"),
                          ("hit_ns", "ns, use of a page already mapped")):
            values = (results.get(f"{prefix}space.n{size}.{key}") for size in sizes)
            print(f"    {text:34}" + "".join(f"{value:10.1f}" for value in values))


# --------------------------------------------------------------------------------------------------

def warn_if_busy():
    """Others' load is in every figure of real Xen."""
    load, cpus = os.getloadavg()[0], os.cpu_count() or 1
    if load > cpus / 2:
        print(f"the machine is busy (load {load:.1f} on {cpus} CPUs): expect noise")


def measure(args, results):
    """All of it."""
    sizes = SIZES[:-1] if args.quick else SIZES
    program = find_program(args.builddir, "bench-space")
    for prefix, variant in VARIANTS.items():
        add_space(results, prefix, variant, program, sizes)
    show_space(results, sizes)
    add_pair(results, find_program(args.builddir, "bench-map"))
    gtt.add(results, find_program(args.builddir, "bench-gtt"), args.quick)
    gtt.show(results, args.quick)
    isolation.add(results, find_program(args.builddir, "bench-isolation"), args.quick)
    isolation.show(results)
    scale.add(results, find_program(args.builddir, "bench-scale"))
    scale.show(results)
    measure_media(args, results)
    measure_i915(args, results)
    measure_round_trip(args, results)
    measure_restart(args, results)
    boots = {**BOOTS, **BOOTS_IOMMU} if args.iommu else BOOTS
    for boot, prefix in boots.items():
        if args.boot and boot not in args.boot:
            continue
        warn_if_busy()
        started = time.monotonic()
        lines = run_boot(args.builddir, boot, ROUNDS_QUICK if args.quick else ROUNDS)
        add_boot(results, prefix, boot, lines)
        show_boot(results, prefix, boot, lines)
        print(f"  ({time.monotonic() - started:.0f} s)", flush=True)


def main():
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--builddir", type=Path, default=Path("build"))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and mappings")
    parser.add_argument("--iommu", action="store_true",
                        help="two boots more, which show what the IOMMU's part is")
    parser.add_argument("--boot", action="append", choices=[*BOOTS, *BOOTS_IOMMU, i915.BOOT],
                        help="of the boots only this one, or these")
    args = parser.parse_args()
    args.iommu = args.iommu or bool(args.boot)
    args.builddir = args.builddir.resolve()
    sys.stdout.reconfigure(line_buffering=True)  # a run takes minutes
    results = Results()
    status = 0
    try:
        measure(args, results)
    except (BenchError, instructions.CountError) as error:
        print(f"bench: {error}", file=sys.stderr)
        status = 1
    if args.json:
        args.json.write_text(json.dumps(results.document(), indent=1) + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
