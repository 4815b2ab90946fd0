#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Boot real Xen in QEMU, run the scenarios meant for that boot in dom0, report in TAP."""

import argparse
import contextlib
import fcntl
import fnmatch
import os
import re
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from boots import BOOTS, iommu_log
from device_model import device_model_payload
from emulator import emulator
from example import example_payload
from fetch import FetchError, fetch, fetch_device_model
from guest import guest_payload
from image import ImageError, build_initramfs, prepare

HERE = Path(__file__).resolve().parent
TESTS = "/xen-tests"
PREFIX = "@xengt "
UP_SECONDS = 25          # what it usually takes
UP_LIMIT = 120           # seconds from QEMU's start to dom0's init
SCENARIO_GRACE = 45      # beyond a scenario's own limit, which dom0 enforces with its clean-up
COMMAND_LIMIT = 600
CONSOLE_TAIL = 40
# What the build makes, looked for anywhere below the build directory; absent ones are left out.
PRODUCTS = ["xengtd", "xengt-ctl", "xengt-guest", "pv-guest", "edu-dma", "stale", "lib-test"]

# vtd_dmar_fault names an address; amdvi_translation_result is a fault when nothing comes out.
FAULT = re.compile(r"vtd_dmar_fault .* addr 0x([0-9a-f]+)|gpa 0x([0-9a-f]+) hpa 0x0*$")


@dataclass
class Scenario:
    """A scenario file and what its header comments say."""

    path: Path
    boots: list
    limit: int
    takes: int           # seconds, measured on two idle cores: for the order of work only
    # "i915": Linux as a guest; "i915-tools": with intel-gpu-tools; "qemu": for guests of type hvm;
    # "example"
    needs: tuple = ()

    @property
    def name(self):
        """How results name it."""
        return self.path.stem


def read_scenario(path: Path):
    """Parse the header of a scenario file."""
    text = path.read_text()
    boots = re.search(r"^# boots: *(.+)$", text, re.M)
    limit = re.search(r"^# timeout: *(\d+)$", text, re.M)
    if not boots or not limit:
        raise ImageError(f"{path}: needs the lines '# boots: ...' and '# timeout: SECONDS'")
    unknown = set(boots[1].split()) - set(BOOTS)
    if unknown:
        raise ImageError(f"{path}: unknown boot {' '.join(sorted(unknown))}")
    takes = re.search(r"^# takes: *(\d+)$", text, re.M)
    needs = re.search(r"^# needs: *(.+)$", text, re.M)
    return Scenario(path, boots[1].split(), int(limit[1]), int(takes[1]) if takes else 10,
                    tuple(needs[1].split()) if needs else ())


class Tap:
    """Writes TAP as it happens and counts."""

    def __init__(self):
        self.count = 0
        self.failed = 0

    def result(self, passed, description):
        """One test point."""
        self.count += 1
        self.failed += not passed
        print(f"{'ok' if passed else 'not ok'} {self.count} - {description}", flush=True)

    def comment(self, text):
        """One line of diagnostics."""
        print(f"# {text}", flush=True)

    def finish(self):
        """The plan comes last, when the number is known."""
        print(f"1..{self.count}", flush=True)
        return 1 if self.failed or not self.count else 0


class Session:
    """Follows one boot's scenarios over the channel until all are done or something is stuck."""

    def __init__(self, scenarios, tap, console_log):
        self.tap = tap
        self.console_log = console_log
        self.waiting = list(scenarios)
        self.current = None
        self.results = 0
        self.faults_before = 0
        self.done = False
        self.started = time.monotonic()
        self.deadline = self.started + UP_LIMIT

    def handle_line(self, line):
        """Act on one line of the channel."""
        if not line.startswith(PREFIX):
            if line:
                self.tap.comment(line)
            return
        word, _, text = line[len(PREFIX):].partition(" ")
        if word == "comment":
            self.tap.comment(text)
        elif word in ("ok", "notok"):
            self._result(word == "ok", text)
        elif word == "iommu-mark":
            self.faults_before = len(self._faults())
        elif word == "iommu-fault":
            self._check_fault(*text.split(" ", 1))
        elif word == "iommu-quiet":
            self._result(len(self._faults()) == self.faults_before, text)
        elif word == "up":
            seconds = time.monotonic() - self.started
            self.tap.comment(f"dom0 is up after {seconds:.1f} s ({text} s of its own clock)")
            self._expect_next()
        elif word == "start":
            self._start(text)
        elif word == "end":
            self._end(int(text))
        elif word == "done":
            self.done = True

    def _result(self, passed, description):
        self.results += 1
        self.tap.result(passed, f"{self._name()}: {description}")

    def _faults(self):
        """What the IOMMU stopped: (frame, line of its log)."""
        lines = []
        with contextlib.suppress(FileNotFoundError):
            lines = iommu_log(self.console_log).read_text().splitlines()
        found = [(FAULT.search(line), line) for line in lines]
        return [(int(match[1] or match[2], 16) >> 12, line) for match, line in found if match]

    def _check_fault(self, frame, description):
        """Since the mark, the IOMMU stopped DMA to this frame and to no other."""
        faults = self._faults()[self.faults_before:]
        self._result({fault[0] for fault in faults} == {int(frame, 0)}, description)
        for _, line in faults[:1]:
            self.tap.comment(line)

    def _name(self):
        return self.current.name if self.current else "harness"

    def _expect_next(self):
        self.deadline = time.monotonic() + SCENARIO_GRACE

    def _start(self, name):
        self.current = next(scenario for scenario in self.waiting if scenario.name == name)
        self.waiting.remove(self.current)
        self.results = 0
        self.scenario_started = time.monotonic()
        self.deadline = self.scenario_started + self.current.limit + SCENARIO_GRACE
        self.tap.comment(f"scenario {name}")

    def _end(self, status):
        seconds = time.monotonic() - self.scenario_started
        self.tap.comment(f"{self._name()} took {seconds:.1f} s")
        if status == 137:
            self.fail(f"over its limit of {self.current.limit} s")
        elif self.results == 0:
            self.fail(f"reported nothing, exit status {status}")
        self.current = None
        self._expect_next()

    def fail(self, reason):
        """A failure nothing in dom0 has reported: show the console with it."""
        self.tap.result(False, f"{self._name()}: {reason}")
        lines = []
        with contextlib.suppress(FileNotFoundError):
            text = self.console_log.read_text(errors="replace")
            lines = [line for line in text.splitlines() if line.strip()]
        self.tap.comment(f"the last lines of {self.console_log}:")
        for line in lines[-CONSOLE_TAIL:]:
            self.tap.comment(f"  {line}")

    def stopped(self, reason):
        """The boot is over before all scenarios were."""
        self.fail(reason)
        for scenario in self.waiting:
            self.tap.result(False, f"{scenario.name}: not run")


class CommandSession(Session):
    """Shows what one ad-hoc script prints, and takes its exit status instead of test points."""

    status = 1

    def handle_line(self, line):
        if line.startswith(PREFIX):
            super().handle_line(line)
        else:
            print(line, flush=True)

    def _end(self, status):
        self.status = status
        self._expect_next()


def read_lines(process, session):
    """Feed the channel's lines to the session; return why it ended early, or None."""
    selector = selectors.DefaultSelector()
    selector.register(process.stdout, selectors.EVENT_READ)
    pending = b""
    while not session.done:
        left = session.deadline - time.monotonic()
        if left <= 0:
            return "no progress within the time limit"
        if not selector.select(timeout=left):
            continue
        data = os.read(process.stdout.fileno(), 65536)
        if not data:
            return f"QEMU has ended, status {process.wait()}"
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            session.handle_line(line.decode(errors="replace").rstrip("\r"))
    return None


def follow(command, session):
    """Run QEMU to the end of the session; return why it ended early, or None."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    try:
        return read_lines(process, session)
    finally:
        process.kill()
        process.wait()


def run_scenarios(args, scenarios, kind):
    """Boot and run them; returns the session, of that kind."""
    command, console_log = build_machine(args, scenarios, args.builddir / "xen")
    session = kind(scenarios, Tap(), console_log)
    reason = follow(command, session)
    if reason:
        session.stopped(reason)
    return session


def interact(command):
    """Give the terminal to a shell in dom0."""
    print("# a shell in dom0; 'exit' ends it and the machine", flush=True)
    raw = sys.stdin.isatty()
    if raw:
        subprocess.run(["stty", "raw", "-echo"], check=False)
    try:
        return subprocess.call(command)
    finally:
        if raw:
            subprocess.run(["stty", "sane"], check=False)


def payload_argument(text):
    """HOST or HOST:/PATH/IN/DOM0."""
    source, _, target = text.partition(":")
    path = Path(source)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"{source}: no such file")
    return path, target or f"/opt/xengt/{path.name}"


def products(builddir: Path):
    """The build's own programs, as payload."""
    for name in PRODUCTS:
        for path in sorted(builddir.glob(f"**/{name}")):
            if path.is_file() and not path.is_relative_to(builddir / "xen"):
                yield path, f"/opt/xengt/{name}"
                break


def parse_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boot", required=True, choices=BOOTS)
    parser.add_argument("--builddir", type=Path, default=Path("build"))
    parser.add_argument("--folder", default="scenarios",
                        help="of the scenarios; 'long' holds what is not part of the tests")
    parser.add_argument("--scenario", metavar="GLOB", default=[], action="append",
                        help="only those that match one of these")
    parser.add_argument("--label", help="names the log and the image; default: the boot")
    parser.add_argument("--payload", metavar="FILE[:PATH]", type=payload_argument, default=[],
                        action="append", help="add a file to dom0, at /opt/xengt unless said")
    parser.add_argument("--needs", choices=["example", "i915", "i915-tools", "qemu"], default=[],
                        action="append",
                        help="with --command: what the script needs besides")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--command", metavar="FILE", type=Path,
                      help="run this shell script in dom0 instead of scenarios")
    mode.add_argument("--interactive", action="store_true", help="a shell in dom0")
    args = parser.parse_args()
    args.scenario = args.scenario or ["*"]
    args.label = args.label or args.boot
    return args


def suites(limit):
    """The machines to start so that every scenario runs on each of its boots: (label, boot,
    scenarios, seconds), each about `limit` seconds at most, so that lanes come out even."""
    for boot in BOOTS:
        found = [s for s in map(read_scenario, sorted((HERE / "scenarios").glob("*.sh")))
                 if boot in s.boots]
        shards = [[UP_SECONDS, []] for _ in range(1 + sum(s.takes for s in found) // limit)]
        for scenario in sorted(found, key=lambda s: -s.takes):
            shard = min(shards, key=lambda s: s[0])
            shard[0] += scenario.takes
            shard[1].append(scenario.name)
        for n, (seconds, names) in enumerate(shards):
            yield f"{boot}.{n + 1}" if len(shards) > 1 else boot, boot, sorted(names), seconds


def choose_scenarios(args):
    """What this boot runs: scenario files, the ad-hoc command, or nothing for a shell."""
    if args.interactive:
        return []
    if args.command:
        limit = re.search(r"^# timeout: *(\d+)$", args.command.read_text(), re.M)
        return [Scenario(args.command, [args.boot], int(limit[1]) if limit else COMMAND_LIMIT, 0,
                         tuple(args.needs))]
    found = map(read_scenario, sorted((HERE / args.folder).glob("*.sh")))
    chosen = [scenario for scenario in found
              if args.boot in scenario.boots
              and any(fnmatch.fnmatch(scenario.name, glob) for glob in args.scenario)]
    if not chosen:
        raise ImageError(f"no scenario matches '{' '.join(args.scenario)}' on {args.boot}")
    return chosen


def build_machine(args, scenarios, xen_dir: Path):
    """Everything QEMU is given; returns its command line and the console's log file."""
    console_log = xen_dir / "logs" / f"{args.label}.log"
    console_log.parent.mkdir(parents=True, exist_ok=True)
    console_log.unlink(missing_ok=True)
    iommu_log(console_log).unlink(missing_ok=True)
    # Two boots may be started at once: only one of them fetches and builds what they share.
    with (xen_dir / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        root = fetch(xen_dir)
        xen, kernel, base = prepare(xen_dir, root)
        qemu = emulator(xen_dir)
        needs = {need for scenario in scenarios for need in scenario.needs}
        guest, roots = [], [root]
        if needs & {"i915", "i915-tools"}:
            guest = guest_payload(xen_dir, root, kernel, args.builddir, "i915-tools" in needs)
        if "example" in needs:
            guest += example_payload(xen_dir, args.builddir)
        if "qemu" in needs:
            roots.append(fetch_device_model(xen_dir))
            guest += device_model_payload(xen_dir, *roots)

    payload = [(HERE / "init.sh", "/init")]
    payload += [(HERE / name, f"{TESTS}/{name}") for name in ("lib.sh", "scenario.sh")]
    payload += [(scenario.path, f"{TESTS}/scenarios/{scenario.name}.sh") for scenario in scenarios]
    if args.interactive:
        payload.append((Path(os.devnull), f"{TESTS}/interactive"))
    # First come, first served: what the command line names replaces the build's own.
    payload += [*args.payload, *guest, *products(args.builddir)]
    initramfs = xen_dir / f"{args.label}.cpio"
    build_initramfs(initramfs, base, roots, payload)
    command = BOOTS[args.boot].qemu_command(qemu, xen, kernel, initramfs, console_log)
    return command, console_log


def main():
    """Returns the exit status: 0 when everything passed."""
    args = parse_arguments()
    args.builddir = args.builddir.resolve()
    try:
        scenarios = choose_scenarios(args)
        if args.interactive:
            return interact(build_machine(args, scenarios, args.builddir / "xen")[0])
        if args.command:
            return run_scenarios(args, scenarios, CommandSession).status
        return run_scenarios(args, scenarios, Session).tap.finish()
    except (FetchError, ImageError) as error:
        print(f"Bail out! {error}", flush=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
