#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Boot stock Xen in QEMU and tell, as it happens, what xengt does there: story.sh is the story, or,
with --i915, story-i915.sh."""

import argparse
import re
import shutil
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "xen"))

import run as harness                                      # noqa: E402
from boots import BOOTS                                    # noqa: E402
from fetch import FetchError                               # noqa: E402
from image import ImageError                               # noqa: E402
from scenarios import read_scenario                        # noqa: E402

BOOT = "demo"                # a boot of its own: its log and image are not those of a test
QEMU = "qemu-system-x86_64:"
QEMU_LINES = 5               # of its last ones, shown when the story breaks off
REFRESH = 0.2                # seconds between two looks of the progress line
OK, FAILED, INDENT = "  ok     ", "  FAILED ", "         "


class Teller:
    """Writes the story's lines, and keeps a line below them that shows that something goes on.

    It stands in for the harness's TAP writer: a session hands it results and comments.
    """

    def __init__(self, console_log):
        self.console_log = console_log
        self.doing = None            # what the progress line says; None: what Xen says
        self.failed = 0
        self.muted = False
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = None

    def __enter__(self):
        if sys.stdout.isatty():
            self._thread = threading.Thread(target=self._progress, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        if self._thread:
            self._thread.join()

    def seconds(self):
        """Since the start."""
        return time.monotonic() - self._started

    def line(self, text=""):
        """One line of the story."""
        with self._lock:
            self._erase()
            print(text, flush=True)

    def result(self, passed, description):
        """A claim, and whether it held."""
        self.failed += not passed
        self.line((OK if passed else FAILED) + description)

    def comment(self, text):
        """What there is to say besides."""
        if not self.muted:
            self.line(INDENT + text)

    def _erase(self):
        if self._thread:
            print("\r\033[K", end="")

    def _progress(self):
        while not self._over.wait(REFRESH):
            text = f"  {self.seconds():3.0f} s    {self.doing or self._xen_says()}"
            with self._lock:
                self._erase()
                print(text[:shutil.get_terminal_size().columns - 1], end="", flush=True)
        with self._lock:
            self._erase()

    def _xen_says(self):
        """The last line on Xen's console, which is a file."""
        try:
            text = self.console_log.read_text(errors="replace")
        except OSError:
            return "QEMU starts"
        lines = [line.strip() for line in re.findall(r"^\(XEN\) (.*)", text, re.M) if line.strip()]
        if any(line.startswith("Freed") for line in lines):
            return "dom0: Linux boots"   # it says nothing until its init runs
        return f"Xen: {lines[-1]}" if lines else "QEMU starts"


class StorySession(harness.Session):
    """Follows story.sh; besides a scenario's words it knows some of its own."""

    status = None                # story.sh's exit status, when it has ended

    def __init__(self, *args):
        super().__init__(*args)
        self.from_qemu = []      # what its devices complain of belongs to the story

    def handle_line(self, line):
        teller = self.tap
        word, _, text = line.removeprefix(harness.PREFIX).partition(" ")
        if line.startswith(QEMU):
            self.from_qemu.append(line)
        elif not line.startswith(harness.PREFIX):
            super().handle_line(line)
        elif word == "heading":
            teller.line()
            teller.line(text)
        elif word == "doing":
            teller.doing = text
        elif word == "told":
            self.status = 0
            self.done = True
        elif word in ("up", "start", "end"):
            # What the harness says of these is for tests.
            teller.muted = True
            super().handle_line(line)
            teller.muted = False
            self._tell(word, text)
        else:
            super().handle_line(line)

    def _result(self, passed, description):
        self.results += 1
        self.tap.result(passed, description)

    def _tell(self, word, text):
        if word == "up":
            self.tap.line(f"dom0 is up after {self.tap.seconds():.0f} s: Linux, PVH, unmodified; "
                          "DMA goes through the IOMMU that Xen programs.")
            self.tap.doing = "starting"
        elif word == "end":
            self.status = int(text)
            self.done = True


def parse_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--builddir", type=Path, default=Path("build"))
    parser.add_argument("--i915", action="store_true",
                        help="the story of a guest that is Linux, with its own i915")
    args = parser.parse_args()
    args.builddir = args.builddir.resolve()
    return args


def machine(args):
    """What the harness needs to know: the command line of a run of this boot.

    VT-d and not AMD's IOMMU, because QEMU's model of that one stops DMA and does not tell Xen;
    i915's story has no such DMA, but a driver whose patience must not depend on this machine's.
    """
    BOOTS[BOOT] = replace(BOOTS["i915" if args.i915 else "pvh-intel"], name=BOOT)
    lib = (HERE / "story-lib.sh", f"{harness.TESTS}/story-lib.sh")
    return argparse.Namespace(boot=BOOT, label=BOOT, builddir=args.builddir, payload=[lib],
                              interactive=False)


def tell(command, console_log, scenario):
    """Returns the exit status."""
    print("Booting stock Xen 4.17 in QEMU, with an emulated IOMMU ...", flush=True)
    with Teller(console_log) as teller:
        session = StorySession([scenario], teller, console_log)
        harness.follow(command, session)
        held = session.status == 0 and not teller.failed
        if held:
            teller.line(f"\nEvery line marked ok was checked; {teller.seconds():.0f} s. "
                        f"Xen's console: {console_log}")
        else:
            for line in session.from_qemu[-QEMU_LINES:]:
                teller.comment(line)
            teller.line(f"\nThe story broke off: a claim did not hold. Xen's console: {console_log}")
    return 0 if held else 1


def main():
    """Returns the exit status: 0 when everything held."""
    args = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))   # QEMU ends with us
    try:
        story = "story-i915.sh" if args.i915 else "story.sh"
        scenario = read_scenario(HERE / story)
        command, console_log = harness.build_machine(machine(args), [scenario],
                                                     args.builddir / "xen")
        return tell(command, console_log, scenario)
    except (FetchError, ImageError) as error:
        print(f"demo: {error}", file=sys.stderr)
    except FileNotFoundError as error:
        print(f"demo: {error.filename}: not found; ./dev setup installs it", file=sys.stderr)
    except KeyboardInterrupt:
        print("\ndemo: interrupted", file=sys.stderr)
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main())
