#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Boot real Xen in QEMU, run the scenarios meant for that boot in dom0, report in TAP."""

import argparse
import contextlib
import os
import re
import selectors
import subprocess
import sys
import time
from pathlib import Path

from boots import BOOTS, iommu_log
from device_model import device_model_payload
from emulator import check_emulator, emulator
from example import example_payload
from fetch import FetchError, Unavailable, fetch_device_model, locked
from guest import GUESTS, guest_payload
from image import ImageError, build_initramfs, library_folders, prepare
from programs import BuildError, products
from scenarios import Scenario, choose

HERE = Path(__file__).resolve().parent
TESTS = "/xen-tests"
PREFIX = "@xengt "
UP_LIMIT = 300           # seconds from QEMU's start to dom0's init
SCENARIO_GRACE = 45      # beyond a scenario's own limit, which dom0 enforces with its clean-up
COMMAND_LIMIT = 600
CONSOLE_TAIL = 40
EXAMPLE = "example"      # what a scenario may need, besides guests (guest.py)
QEMU = "qemu"            # likewise: a device model for guests of type hvm

# vtd_dmar_fault names an address; amdvi_translation_result is a fault when nothing comes out.
FAULT = re.compile(r"vtd_dmar_fault .* addr 0x([0-9a-f]+)|gpa 0x([0-9a-f]+) hpa 0x0*$")


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
        elif word == "skip":
            self._result(True, f"{text} # SKIP NOT TESTED")
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


def parse_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boot", required=True, choices=BOOTS)
    parser.add_argument("--builddir", type=Path, default=Path("build"))
    parser.add_argument("--scenario", metavar="GLOB", default=[], action="append",
                        help="only those that match one of these; 'long/*': what is not part of "
                             "the tests")
    parser.add_argument("--label", help="names the log and the image; default: the boot")
    parser.add_argument("--payload", metavar="FILE[:PATH]", type=payload_argument, default=[],
                        action="append", help="add a file to dom0, at /opt/xengt unless said")
    parser.add_argument("--needs", choices=[*GUESTS, EXAMPLE, QEMU], default=[], action="append",
                        help="with --command: what the script needs besides")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--command", metavar="FILE", type=Path,
                      help="run this shell script in dom0 instead of scenarios")
    mode.add_argument("--interactive", action="store_true", help="a shell in dom0")
    args = parser.parse_args()
    args.scenario = args.scenario or ["*"]
    args.label = args.label or args.boot
    return args


def choose_scenarios(args):
    """What this boot runs: scenario files, the ad-hoc command, or nothing for a shell."""
    if args.interactive:
        return []
    if args.command:
        limit = re.search(r"^# timeout: *(\d+)$", args.command.read_text(), re.M)
        return [Scenario(args.command, int(limit[1]) if limit else COMMAND_LIMIT, 0,
                         tuple(args.needs))]
    return choose(args.boot, args.scenario)


def prepared(args, release):
    """A release's files, made if need be: of two boots that start at once only one does that."""
    folder = args.builddir / "xen" / release.name
    with locked(folder):
        return prepare(folder, release, args.builddir)


def needed_payload(args, need, release):
    """What a scenario says that it needs besides, in dom0 of that release."""
    xen_dir = args.builddir / "xen"
    if need == EXAMPLE:
        return example_payload(xen_dir / f"example-{args.label}", prepared(args, release), release)
    if need == QEMU: # its guest is that of "i915"
        return device_model_payload(prepared(args, release), release,
                                    fetch_device_model(xen_dir, release))
    guest = GUESTS[need]
    return guest_payload(guest, prepared(args, guest.release or release), xen_dir)


def needed_payloads(args, needs, release):
    """What all of them need. Two that want something else at one place cannot share a boot."""
    payload, places = [], {}
    for need in sorted(needs):
        for source, target in needed_payload(args, need, release):
            other, there = places.setdefault(target, (need, source))
            if there != source:
                raise ImageError(f"'{other}' and '{need}' need each their own {target}: run the "
                                 "scenarios that say so apart (--scenario)")
            payload.append((source, target))
    return payload


def build_machine(args, scenarios, xen_dir: Path):
    """Everything QEMU is given; returns its command line and the console's log file."""
    console_log = xen_dir / "logs" / f"{args.label}.log"
    console_log.parent.mkdir(parents=True, exist_ok=True)
    console_log.unlink(missing_ok=True)
    iommu_log(console_log).unlink(missing_ok=True)
    boot = BOOTS[args.boot]
    check_emulator(boot.release)
    unpacked = prepared(args, boot.release)

    payload = [(HERE / "init.sh", "/init")]
    payload += [(HERE / name, f"{TESTS}/{name}") for name in ("lib.sh", "scenario.sh")]
    payload += [(scenario.path, f"{TESTS}/scenarios/{scenario.name}.sh") for scenario in scenarios]
    if args.interactive:
        payload.append((Path(os.devnull), f"{TESTS}/interactive"))
    # First come, first served: what the command line names replaces the build's own.
    payload += args.payload
    needs = {need for scenario in scenarios for need in scenario.needs}
    payload += needed_payloads(args, needs, boot.release)
    payload += products(unpacked.programs)
    initramfs = xen_dir / f"{args.label}.cpio"
    folders = library_folders(fetch_device_model(xen_dir, boot.release)) if QEMU in needs else []
    build_initramfs(initramfs, unpacked, payload, folders)
    command = boot.qemu_command(emulator(xen_dir), unpacked.xen, unpacked.kernel, initramfs,
                                console_log)
    return command, console_log


def skip(scenarios, reason):
    """What needs a release that cannot be had, or does not run here, is not tested."""
    for number, scenario in enumerate(scenarios, 1):
        print(f"ok {number} - {scenario.name} # SKIP NOT TESTED: {reason}", flush=True)
    print(f"1..{len(scenarios)}", flush=True)
    return 0


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
    except (BuildError, FetchError, ImageError) as error:
        if isinstance(error, Unavailable) and not (args.command or args.interactive):
            return skip(scenarios, error)
        print(f"Bail out! {error}", flush=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
