#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""xengt-ctl: what it exits with, and what it says when nothing is as it should be. TAP.

usage: ctl.py SOURCE BUILD
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from rig import PATIENCE, Daemon, Impostor, Tap


class Ctl:
    """The command, and what is expected of it."""

    def __init__(self, tap, build, path):
        self.tap = tap
        self.program = str(build / "tools/xengt-ctl")
        self.path = path

    def run(self, *words, **kwargs):
        """One call."""
        return subprocess.run([self.program, "--socket", self.path, *words], text=True,
                              capture_output=True, timeout=PATIENCE, check=False, **kwargs)

    def exits(self, status, *words, says=""):
        """One test point. Returns the output."""
        result = self.run(*words)
        self.tap.check(result.returncode == status and says in result.stderr + result.stdout,
                       f"xengt-ctl {' '.join(words)}: {status} {says}",
                       f"{result.returncode}\n{result.stdout}{result.stderr}")
        return result.stdout


def result_of(**result):
    """An answer to the first request of a client."""
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}) + "\n"


def check_daemon(ctl):
    """With an xengtd that is well."""
    ctl.exits(0, "list")
    ctl.exits(0, "attach", "web", says="vGPU 1 attached")
    ctl.exits(1, "attach", "web", says="has a vGPU already")
    ctl.exits(1, "attach", "twin", says="'twin' is the name of domains 2 and 3")
    ctl.exits(1, "detach", "nope", says="has no vGPU")
    ctl.exits(0, "verify", "web", says="every GPU entry")
    ctl.exits(0, "mappings", "web", says="ENTRY")
    out = ctl.exits(0, "mappings", "web", "--json")
    ctl.tap.check(json.loads(out) == {"mappings": []}, "mappings are one document", out)
    ctl.exits(0, "version", says="protocol 2")
    ctl.exits(0, "pause", "web", says="paused")
    ctl.exits(0, "detach", "web", says="detached")
    out = ctl.exits(0, "list", "--names")
    ctl.tap.check(out == "", "nobody has a name when nobody is there", out)
    ctl.exits(0, "failsafe")


def check_events(ctl):
    """A reader of events, and what happens."""
    # pylint: disable=consider-using-with
    reader = subprocess.Popen([ctl.program, "--socket", ctl.path, "events", "--recent"], text=True,
                              stdout=subprocess.PIPE)
    seen = [reader.stdout.readline() for _ in range(3)]
    ctl.run("attach", "web")
    seen.append(reader.stdout.readline())
    ctl.tap.check([line.rsplit(": ", 1)[-1].strip() for line in seen]
                  == ["attached", "paused", "detached", "attached"], "events are followed", seen)
    reader.stdout.close()
    ctl.run("pause", "web")
    status = reader.wait(PATIENCE)
    ctl.tap.check(status == 1, "a reader that left ends it", status)
    out = ctl.exits(0, "list", "--names")
    ctl.tap.check(out == "web\n", "names are a line each", out)


COMPLETE = """
shopt -s progcomp
complete() { :; }
. "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_xengt_ctl
printf '%s\\n' "${COMPREPLY[@]}"
"""


def check_completion(ctl, source):
    """What bash offers."""
    for words, wanted in ((["de"], ["detach"]), (["pause", "w"], ["web"]), (["types", ""], [""]),
                          (["attach", "web", "--ty"], ["--type"]),
                          (["list", "--"], ["--help", "--json", "--names", "--socket", "--timeout",
                                            "--version"]),
                          (["attach", "--type", "cus"], ["custom"]),
                          (["top", "--i"], ["--interval"]), (["me"], ["metrics"])):
        got = subprocess.run(["bash", "-c", COMPLETE, "bash", source / "dist/xengt-ctl.bash-completion",
                              ctl.program, "--socket", ctl.path, *words], text=True,
                             capture_output=True, timeout=PATIENCE, check=False)
        ctl.tap.check(got.stdout.split("\n")[:-1] == wanted, f"completes {' '.join(words)}",
                      got.stdout + got.stderr)


def check_usage(ctl):
    """Command lines that make no sense."""
    ctl.exits(2, says="Usage:")
    ctl.exits(2, "lsit", says="did you mean list?")
    ctl.exits(2, "detch", "web", says="did you mean detach?")
    ctl.exits(2, "frobnicate", says="unknown verb; see")
    ctl.exits(2, "x" * 100, says="unknown verb; see")
    ctl.exits(2, "attach", says="needs a DOMAIN")
    ctl.exits(2, "list", "web", says="one argument too many")
    ctl.exits(2, "list", "--type", "x", says="takes no --type")
    ctl.exits(2, "list", "--timeout", "soon", says="--timeout takes seconds")
    ctl.exits(0, "--help", says="3 xengtd does not answer")


def check_no_daemon(ctl, folder):
    """The ways in which nobody answers, told apart."""
    ctl.path = f"{folder}/nothing"
    ctl.exits(3, "list", says="xengtd is not running")
    ctl.exits(3, "version", says="xengtd is not running")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(f"{folder}/dead")
    ctl.path = f"{folder}/dead"
    ctl.exits(3, "list", says="xengtd is not running")
    ctl.path = f"{folder}/file"
    Path(ctl.path).write_text("", encoding="ascii")
    ctl.exits(3, "list", says="is not a socket")
    ctl.path = f"{folder}/mute"
    Impostor(ctl.path, None)
    ctl.exits(3, "list", "--timeout", "1", says="xengtd is busy: no answer")
    ctl.path = f"{folder}/curt"
    Impostor(ctl.path, "")
    ctl.exits(3, "list", says="hung up")
    ctl.path = f"{folder}/odd"
    Impostor(ctl.path, "220 mail\n")
    ctl.exits(3, "list", says="is not xengtd")
    ctl.path = f"{folder}/full"
    Impostor(ctl.path, '{"jsonrpc":"2.0","id":null,"error":{"code":-32004,"message":"too many"}}\n')
    ctl.exits(3, "list", says="too many")
    if os.getuid() == 0:
        os.chmod(folder, 0o755)
        result = ctl.run("list", user=65534)
        ctl.tap.check(result.returncode == 3 and "no permission" in result.stderr,
                      "who may not connect is told so", result)


def check_failsafe(ctl, folder):
    """An xengtd that has a guest in failsafe."""
    ctl.path = f"{folder}/failed"
    guests = [{"domid": 5, "name": "web", "vgpu": 1, "state": "failsafe", "failsafe_reason": "it hung"},
              {"domid": 6, "name": "db", "vgpu": 2, "state": "running", "failsafe_reason": None}]
    Impostor(ctl.path, result_of(guests=guests))
    out = ctl.exits(1, "failsafe", says="it hung")
    ctl.tap.check("db" not in out, "and no other guest is shown", out)
    out = ctl.exits(1, "failsafe", "--json", says="it hung")
    ctl.tap.check(json.loads(out)["guests"] == guests[:1], "nor in the document", out)


def check_output(ctl, folder):
    """Nobody reads what is printed."""
    ctl.path = f"{folder}/wordy"
    mappings = [{"entry": i, "gfn": i, "bfn": i} for i in range(20000)]
    Impostor(ctl.path, result_of(mappings=mappings, next=None))
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run([ctl.program, "--socket", ctl.path, "mappings", "web"], stdout=writer,
                            stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False)
    os.close(writer)
    ctl.tap.check(result.returncode == 1 and not result.stderr,
                  "a reader that left ends it quietly, with 1", result)
    with open("/dev/full", "w", encoding="ascii") as full:
        result = subprocess.run([ctl.program, "--socket", ctl.path, "mappings", "web"], stdout=full,
                                stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False)
    ctl.tap.check(result.returncode == 1 and "No space left" in result.stderr,
                  "a full disk is told", result)


def main():
    """Returns the exit status."""
    tap = Tap()
    build = Path(sys.argv[2])
    with Daemon(build, "web", "twin", "twin") as daemon:
        ctl = Ctl(tap, build, daemon.path)
        check_daemon(ctl)
        check_events(ctl)
        check_completion(ctl, Path(sys.argv[1]).resolve())
        check_usage(ctl)
    with tempfile.TemporaryDirectory() as folder:
        ctl = Ctl(tap, build, "")
        check_no_daemon(ctl, folder)
        check_failsafe(ctl, folder)
        check_output(ctl, folder)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
