#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Build Debian's packages, look at them, install them into a clean root, use them there, purge. TAP.

usage: run.py SOURCE BUILDDIR
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from tap import LINES, Tap  # noqa: E402  pylint: disable=wrong-import-position

PACKAGES = ["libxengt1", "libxengt-dev", "xengt"]
# What lintian says and what is meant so: nothing yet.
EXPECTED = []
# What mmdebstrap, or apt for it, says where there is no archive.
UNREACHABLE = ["Failed to fetch", "Could not resolve", "Temporary failure", "Could not connect"]
# In the root, as root. What does not run makes a line "FAIL ...".
USE = r"""
set -u
try() { what=$1; shift; if "$@" >/tmp/out 2>&1; then echo "OK $what"; else echo "FAIL $what: $(tail -n 1 /tmp/out)"; fi; }
absent() { ! "$@"; }
lists() { xengt-ctl list --socket /tmp/control | grep -qw "$1"; }
try "xengtd has its libraries" xengtd --version
try "the configuration that is installed is fine" xengtd --config /etc/xengt/xengtd.conf --check-config
try "the service is not enabled" absent ls /etc/systemd/system/multi-user.target.wants/xengtd.service
try "nor is the timer of metrics" absent ls /etc/systemd/system/timers.target.wants/xengt-metrics.timer
try "which is there" test -f /lib/systemd/system/xengt-metrics.timer
try "the service starts what is installed" test -x "$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' /lib/systemd/system/xengtd.service)"
try "its configuration is where the service looks" test -f "$(sed -n 's/^ExecStart=.*--config //p' /lib/systemd/system/xengtd.service)"
xengtd --backend sim --sim-domain web:8192 --state-dir /tmp --socket /tmp/control 2>/tmp/log & daemon=$!
n=0; until [ -S /tmp/control ] || [ $n = 100 ]; do sleep 0.1; n=$((n + 1)); done
try "a domain gets a vGPU" xengt-ctl attach web --socket /tmp/control
try "and is listed" lists web
kill $daemon
try "xengtd ends in order" wait $daemon
try "without Xen it says what to do" sh -c 'xengtd --state-dir /tmp 2>&1 | grep "boot the host under Xen"'
"""
PURGE = r"""
set -u
dpkg --purge xengt libxengt-dev libxengt1 >/tmp/out 2>&1 && echo "OK they can be purged" || echo "FAIL purge: $(tail -n 1 /tmp/out)"
left=$(find /etc /usr /lib /run -name '*xengt*' 2>/dev/null)
[ -z "$left" ] && echo "OK nothing is left" || echo "FAIL left: $left"
"""


def run(command, **kwargs):
    """Whether it succeeded, and its output."""
    result = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            check=False, **kwargs)
    return result.returncode == 0, result.stdout


def last(output):
    """What a long run ended with: that is where it says why."""
    return "\n".join(output.splitlines()[-LINES:])


def build(tap, source: Path, folder: Path):
    """The packages, made of a copy of the tree."""
    tree = folder / "xengt"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, tree, symlinks=True,
                    ignore=lambda path, names: [n for n in names if Path(path) == source and
                                                (n.startswith("build") or n == ".git")])
    shutil.copytree(source / "dist/debian", tree / "debian")
    good, output = run(["dpkg-buildpackage", "-b", "-uc", "-us"], cwd=tree,
                       env={**os.environ, "DEB_BUILD_OPTIONS": "noautodbgsym"})
    (folder / "build.log").write_text(output)
    shutil.rmtree(tree)
    return tap.check(good, "the packages are built", last(output))


def look(tap, folder: Path):
    """What lintian says."""
    _, output = run(["lintian", "--allow-root", str(next(folder.glob("*.changes")))])
    lines = [line for line in output.splitlines()
             if line[:2] in ("E:", "W:") and not any(word in line for word in EXPECTED)]
    tap.check(not lines, "lintian has nothing to say", "\n".join(lines))


def report(tap, output):
    """The lines of a script that ran in the root."""
    found = [line for line in output.splitlines() if line.startswith(("OK ", "FAIL "))]
    tap.check(found, "the root answers", last(output))
    for line in found:
        word, _, what = line.partition(" ")
        tap.check(word == "OK", what, what)


def install(tap, folder: Path):
    """Into a root that has nothing but what the release says is essential, and apt."""
    if os.geteuid() != 0:
        tap.skip("the packages are installed into a clean root",
                 "that takes root; run as root or by sudo")
        return
    root = folder / "root"
    debs = [str(next(folder.glob(f"{name}_*.deb"))) for name in PACKAGES]
    suite = subprocess.run(["sh", "-c", ". /etc/os-release && echo $VERSION_CODENAME"], text=True,
                           capture_output=True, check=True).stdout.strip()
    good, output = run(["mmdebstrap", "--variant=minbase", *(f"--include={deb}" for deb in debs),
                        f"--hook-dir=/usr/share/mmdebstrap/hooks/file-mirror-automount", suite, str(root)])
    if not good and any(word in output for word in UNREACHABLE):
        tap.skip("the packages are installed into a clean root", "NOT TESTED: Debian's archive cannot be reached")
        return
    if not tap.check(good, "a clean root with them", last(output)):
        return
    for script in (USE, PURGE):
        report(tap, run(["chroot", str(root), "sh", "-c", script])[1])
    shutil.rmtree(root, ignore_errors=True)


def main():
    """Returns the exit status."""
    source, folder, tap = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve() / "package", Tap()
    for program in ("dpkg-buildpackage", "dh", "lintian", "mmdebstrap"):
        if not shutil.which(program):
            tap.skip("packages", f"NOT TESTED: {program} is not installed; ./dev setup")
            return tap.end()
    if build(tap, source, folder):
        look(tap, folder)
        install(tap, folder)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
