#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run every test and count: unit and model tests, the same under sanitizers, fuzzers, real Xen.

Whatever runs speaks TAP on its standard output, or is one test by its exit status.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS / "xen"))
import scenarios as xen  # noqa: E402  pylint: disable=wrong-import-position
FUZZ_SECONDS = 20
BOOT_SECONDS = 270       # more scenarios than fit are another boot
SANITIZED = {"XENGT_MODEL_OPERATIONS": "3000"}    # sanitizers make five minutes of one
POINT = re.compile(r"^(not )?ok\b(?!.*# SKIP)")
SKIPPED = re.compile(r"^(not )?ok\b.*# SKIP")
TOOK = re.compile(r"# \S+ took [0-9.]+ s$")
PLAN = re.compile(r"^1\.\.(\d+)")


@dataclass
class Suite:
    """One program to run."""

    name: str
    command: list
    environment: dict = field(default_factory=dict)
    tap: bool = True
    seconds: int = 5     # about, for the order of work


@dataclass
class Count:
    """What came out."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other):
        """Sum up."""
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


def meson_suites(builddir: Path, label, environment=None):
    """The tests that meson knows, to be run by us: their test points are counted one by one."""
    text = subprocess.run(["meson", "introspect", "--tests", str(builddir)], check=True,
                          capture_output=True, text=True).stdout
    for test in sorted(json.loads(text), key=lambda test: test["name"]):
        yield Suite(f"{label}/{test['name']}", test["cmd"],
                    {**test["env"], **(environment or {})},
                    test["protocol"] == "tap")


def all_suites(builddir: Path):
    """The long ones first: two lanes then come to an end at about the same time."""
    suites = [*meson_suites(builddir, "unit"),
              *meson_suites(Path(f"{builddir}-asan"), "asan", SANITIZED)]
    for label, boot, scenarios, seconds in xen.suites(BOOT_SECONDS):
        only = [word for name in scenarios for word in ("--scenario", name)]
        suites.append(Suite(f"xen/{label}", [
            str(TESTS / "xen/run.py"), "--builddir", str(builddir), "--boot", boot,
            "--label", label, *only], seconds=seconds))
    suites.append(Suite("mutation", [str(TESTS / "mutation/run.py"), "--builddir", str(builddir)],
                        seconds=300))
    suites.append(Suite("headers", [str(TESTS / "headers/run.py"), "--builddir", str(builddir)],
                        seconds=60))
    suites.append(Suite("package", [str(TESTS / "package/run.py"), str(TESTS.parent), str(builddir)],
                        seconds=120))
    suites.append(Suite("fuzz", [str(TESTS / "fuzz/run.py"), "--builddir", f"{builddir}-fuzz",
                                 "--seconds", str(FUZZ_SECONDS), "--tap"], seconds=200))
    return sorted(suites, key=lambda suite: -suite.seconds)


def read_tap(process, verbose, say):
    """Count the points of a stream; what failed or was skipped is worth the reader's time."""
    count, planned, failing = Count(), None, False
    for line in process.stdout:
        line = line.rstrip("\n")
        plan = PLAN.match(line)
        if plan:
            planned = int(plan[1])
        elif SKIPPED.match(line):
            count.skipped += 1
            say(f"  {line}")
        elif match := POINT.match(line):
            failing = match[1] is not None
            count.failed += int(failing)
            count.passed += int(not failing)
        if failing or verbose or TOOK.match(line):
            say(f"  {line}")
    return count, planned


def run_suite(suite, verbose):
    """Run one program; a program that fails without saying so counts as a failure.

    Returns the count, and what to print: suites run side by side, their reports one by one.
    """
    report = []
    started = time.monotonic()
    process = subprocess.Popen(suite.command, env={**os.environ, **suite.environment}, text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, errors="replace")
    if suite.tap:
        count, planned = read_tap(process, verbose, report.append)
        status = process.wait()
        points = count.passed + count.failed + count.skipped
        if planned != points:
            report.append(f"  {points} test points, planned were {planned}")
            count.failed += 1
        elif status and not count.failed:
            report.append(f"  exit status {status}")
            count.failed += 1
    else:
        output = process.communicate()[0]
        failed = int(process.returncode != 0)
        count = Count(passed=1 - failed, failed=failed)
        if failed or verbose:
            report.append(output)
    seconds = time.monotonic() - started
    report.insert(0, f"{suite.name}: {count.passed} passed, {count.failed} failed, "
                     f"{seconds:.0f} s")
    return count, report


def main():
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--builddir", type=Path, default=Path("build"))
    parser.add_argument("--verbose", action="store_true", help="all output of everything")
    parser.add_argument("filter", nargs="?", default="", help="suites whose names contain this")
    args = parser.parse_args()
    total = Count()
    suites = [suite for suite in all_suites(args.builddir.resolve()) if args.filter in suite.name]
    # The emulated machines have one CPU each: as many at a time as there are CPUs here.
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for count, report in pool.map(lambda suite: run_suite(suite, args.verbose), suites):
            print("\n".join(report), flush=True)
            total.add(count)
    skipped = f", {total.skipped} skipped" if total.skipped else ""
    print(f"{total.passed} passed, {total.failed} failed{skipped}")
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
