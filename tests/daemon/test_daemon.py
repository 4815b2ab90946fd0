#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""xengtd as a process, on the simulator: its configuration, its signals, what systemd hears. TAP.

usage: test_daemon.py SOURCE XENGTD XENGT-CTL
"""

import contextlib
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from tap import Tap  # noqa: E402  pylint: disable=wrong-import-position

PATIENCE = 20

# (the file, what is said of it): a line each, with the file, the line and the remedy.
WRONG = [
    ("batch = 0\n", r":1: batch: \"0\" makes no sense; give 1-4096"),
    ("batch = 4097\n", r":1: batch: .*give 1-4096"),
    ("batch = -1\n", r":1: batch: .*give 1-4096"),
    ("batch =\n", r":1: batch: .*give 1-4096"),
    ("# one\n\nbach = 3\n", r":3: bach: there is no such option; did you mean batch"),
    ("batch = 1\nbatch = 2\n", r":2: batch: is given twice; remove one"),
    ("batch = 1\n  2\n", r":2: batch: is given twice"),
    ("config = /etc/other\n", r":1: config: a file cannot name another one"),
    ("[tipe x]\nweight = 1\n", r":2: \[tipe x\]: there is no such section; .*\[type NAME\]"),
    ("[type x]\nweigt = 1\n", r":2: weigt: unknown .*did you mean weight"),
    ("[type x]\nweight = 0\n", r":2: weight: \"0\" makes no sense; give 1-1000"),
    ("[type GVTg_V4_1]\nmappable-mib = 3\n", r":2: mappable-mib: .*another name"),
    ("[type " + "x" * 33 + "]\nweight = 1\n", r":2: type x+: the name is too long"),
    ("[domain " + "x" * 60 + "]\nweight = 1\n", r":2: \[domain x+\.\.\.\]: the name is too long"),
    ("[domain web]\nquota = none\n", r":2: quota: \"none\" makes no sense; give 1-4294967295"),
    ("[domain web]\ntype = none\n", r"domain web: type: there is no 'none', only GVTg_V4_1, .*custom"),
    ("type = none\n", r"type: there is no 'none', only"),
    ("nonsense\n", r":1: neither KEY = VALUE nor"),
    ("[domain web\n", r":1: neither KEY = VALUE nor"),
    ('{"batch": 3}\n', r":1: "),
    ("# " + "x" * 300 + "\n", r":1: the line is too long; 197 bytes at most"),
    ("".join(f"[domain d{n}]\nweight = 1\n" for n in range(65)), r":130: domain d64: 64 domains"),
    ("".join(f"[type t{n}]\nweight = 1\n" for n in range(17)), r":34: type t16: there are as many"),
    ("".join(f"[type t{n}]\nweight = 1\n" for n in range(16)), r"type t11: there are as many types"),
]

RIGHT = """\
# Options stand before all sections.
batch = 128
type = half
log-level = notice

[type half]
mappable-mib = 32
unmappable-mib = 128   ; a comment
weight = 3

[domain web]
type = GVTg_V4_8
"""


class Daemon:
    """An xengtd with a configuration file, in a folder of its own."""

    def __init__(self, programs, folder: Path, config="", environment=None):
        self.xengtd, self.ctl_path = programs
        self.folder = folder
        self.config = folder / "xengtd.conf"
        self.config.write_text(config)
        self.socket = folder / "control"
        self.log = folder / "log"
        self.log.touch()
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [self.xengtd, *self.options(), "--sim-domain", "web:8192", "--sim-domain", "mail:8192"],
                stderr=log, env={**os.environ, **(environment or {})})

    def options(self):
        """What each xengtd here is given."""
        return ["--backend", "sim", "--config", str(self.config), "--socket", str(self.socket),
                "--state-dir", str(self.folder)]

    def says(self, pattern):
        """Waits until the log has it."""
        until = time.monotonic() + PATIENCE
        while not re.search(pattern, self.log.read_text()):
            if time.monotonic() > until or self.process.poll() is not None:
                return False
            time.sleep(0.02)
        return True

    def ctl(self, *words):
        """What xengt-ctl prints, errors too."""
        return subprocess.run([self.ctl_path, *words, "--socket", str(self.socket)], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False).stdout

    def reload(self, config):
        """Another configuration, and the word that it is to be read; the log begins anew."""
        self.config.write_text(config)
        os.truncate(self.log, 0)
        self.process.send_signal(signal.SIGHUP)

    def close(self):
        """Ends it in order; True if it did."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE) == 0
        except subprocess.TimeoutExpired:
            self.process.kill()
            return False


@contextlib.contextmanager
def daemon(programs, *args, **kwargs):
    """An xengtd for a while."""
    with tempfile.TemporaryDirectory() as folder:
        started = Daemon(programs, Path(folder), *args, **kwargs)
        try:
            yield started
        finally:
            started.process.kill()
            started.process.wait()


def check_files(tap, programs, source: Path):
    """What a file says, without a daemon."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "xengtd.conf"

        def read(text):
            path.write_text(text)
            return subprocess.run([programs[0], "--config", str(path), "--check-config"], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)

        result = read(RIGHT)
        tap.check(result.returncode == 0 and result.stdout == f"{path}: fine\n", "a file that is fine",
                  result.stdout)
        for text, pattern in WRONG:
            result = read(text)
            lines = result.stdout.splitlines()
            good = (result.returncode == 1 and len(lines) == 1 and
                    re.search(pattern, lines[0]))
            tap.check(good, f"refused: {text.splitlines()[-1][:40]!r}", result.stdout)
        result = read((source / "dist/xengtd.conf").read_text())
        tap.check(result.returncode == 0, "the file that is installed", result.stdout)
        # Every line that is commented out is one that may be uncommented.
        text = re.sub(r"^#(?=[a-z-]+ = |\[)", "", (source / "dist/xengtd.conf").read_text(), flags=re.M)
        result = read(text)
        tap.check(result.returncode == 0, "its examples", result.stdout)


def check_documents(tap, programs, source: Path):
    """Each option is in the manual pages and in the file that is installed."""
    text = subprocess.run([programs[0], "--help"], text=True, capture_output=True, check=True).stdout
    names = re.findall(r"^  --([a-z-]+)", text, re.M)
    special = {"help", "version", "foreground", "check-config", "config", "sim-domain"}
    man = (source / "docs/man/xengtd.8.scd").read_text()
    conf = (source / "docs/man/xengtd.conf.5.scd").read_text()
    dist = (source / "dist/xengtd.conf").read_text()
    missing = [name for name in names if f"*--{name}*" not in man]
    tap.check(names and not missing, "xengtd(8) has every option", missing)
    missing = [name for name in names if name not in special and f"*{name}*" not in conf]
    tap.check(not missing, "xengtd.conf(5) has every option", missing)
    missing = [name for name in names if name not in special
               and not re.search(rf"^#?{name} = ", dist, re.M)]
    tap.check(not missing, "the installed file has every option", missing)
    page = (source / "docs/troubleshooting.md").read_text()
    reasons = []
    for path in (source / "daemon/vgpu").glob("**/*.c"):
        for call in re.findall(r"vgpu_fail\((.*?)\);", path.read_text(), re.S):
            # Of a format, its longest piece without a number in it.
            pieces = re.split(r"%[^a-z]*[a-z]|\" PRI\w+ \"|:|0x|\(", "".join(re.findall(r'"((?:[^"])*)"', call)))
            reasons.append(max((piece.strip(" ()\"") for piece in pieces), key=len, default=""))
    missing = [reason for reason in reasons if len(reason) > 4 and reason not in page]
    tap.check(len(reasons) > 15 and not missing, "docs/troubleshooting.md has every reason of a failsafe",
              missing)


def check_check(tap, programs):
    """xengt-ctl check where there is no Xen, with and without a daemon."""
    def check(*words):
        return subprocess.run([programs[1], "check", *words], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)

    if Path("/sys/hypervisor/type").exists():
        tap.skip("xengt-ctl check", "this machine runs under Xen")
        return
    result = check("--socket", "/nowhere/control")
    tap.check(result.returncode == 1 and
              re.search(r"^fail  Xen .*\n +-> apt install xen", result.stdout, re.M), "check: no Xen",
              result.stdout)
    tap.check(re.search(r"^fail  xengtd .*\n +-> systemctl enable --now xengtd", result.stdout, re.M),
              "check: no daemon", result.stdout)
    with daemon(programs) as d:
        d.says("ready")
        result = check("--socket", str(d.socket))
        tap.check(re.search(r"^pass  xengtd .* runs\npass  back end .*\npass  guests  +0 with",
                            result.stdout, re.M), "check: a daemon", result.stdout)
        found = json.loads(check("--socket", str(d.socket), "--json").stdout)["findings"]
        tap.check(all(set(f) == {"subject", "outcome", "found", "remedy"} and
                      (f["outcome"] == "pass") == (f["remedy"] is None) for f in found),
                  "check: as JSON, with a remedy where one is wanted", found)


def check_reload(tap, programs):
    """SIGHUP: what can change does, what cannot is said, what is wrong changes nothing."""
    with daemon(programs, RIGHT.replace("notice", "info")) as d:
        tap.check(d.says("ready"), "it starts with a file", d.log.read_text())
        tap.check("GVTg_V4_8" in d.ctl("attach", "web"), "a domain gets the type that is said for it")
        tap.check("half" in d.ctl("attach", "mail"), "another one gets the default")
        d.reload(RIGHT.replace("batch = 128", "batch = 0"))
        tap.check(d.says("reload: .*xengtd.conf:2: batch: .*give 1-4096; everything is as before"),
                  "a file that is wrong is said to be", d.log.read_text())
        d.reload(RIGHT.replace("notice", "info").replace("128", "64", 1).replace("= half", "= quarter")
                 + "[type quarter]\nmappable-mib = 16\n")
        tap.check(d.says("reload: changed: type, types and domains; as before until a restart: batch"),
                  "what changes and what does not", d.log.read_text())
        d.ctl("detach", "mail")
        tap.check("quarter" in d.ctl("attach", "mail"), "the new default holds")
        tap.check("half" in d.ctl("types"), "the old type stays known")
        d.reload(RIGHT.replace("notice", "info").replace("128", "64", 1).replace("= half", "= quarter")
                 + "[type quarter]\nmappable-mib = 16\n")
        tap.check(d.says("reload: changed: nothing; as before until a restart: batch"), "once only",
                  d.log.read_text())
        d.reload("".join(f"[type other{n}]\nweight = 1\n" for n in range(11)))
        tap.check(d.says("reload: there are more types than can be, 16; .* everything is as before"),
                  "types that are too many with those of before", d.log.read_text())
        d.config.unlink()
        d.process.send_signal(signal.SIGHUP)
        tap.check(d.says("No such file or directory; everything is as before"), "a file that is gone",
                  d.log.read_text())
        tap.check("web" in d.ctl("list"), "guests have noticed nothing")
        tap.check(d.close(), "and it ends in order")


def check_systemd(tap, programs):
    """The messages of sd_notify(3), and the journal's own prefix."""
    with tempfile.TemporaryDirectory() as folder, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        notices.bind(f"{folder}/notify")
        notices.settimeout(PATIENCE)
        environment = {"NOTIFY_SOCKET": f"{folder}/notify", "WATCHDOG_USEC": "200000"}

        def hears(pattern):
            until = time.monotonic() + PATIENCE
            with contextlib.suppress(TimeoutError):
                while time.monotonic() < until:
                    if re.match(pattern, notices.recv(256).decode()):
                        return True
            return False

        with daemon(programs, environment=environment) as d:
            tap.check(hears("READY=1"), "systemd hears that it is ready", d.log.read_text())
            tap.check(hears("STATUS=0 vGPUs, 0 in failsafe"), "and the status")
            tap.check(hears("WATCHDOG=1") and hears("WATCHDOG=1"), "and that it is alive")
            d.ctl("attach", "web")
            tap.check(hears("STATUS=1 vGPU, 0 in failsafe"), "the status follows")
            d.process.send_signal(signal.SIGHUP)
            tap.check(hears(r"RELOADING=1\nMONOTONIC_USEC=\d+") and hears("READY=1"), "a reload")
            tap.check(d.log.read_text().startswith("<6>xengtd: "), "a log has level and name",
                      d.log.read_text())
            d.process.send_signal(signal.SIGTERM)
            tap.check(hears("STOPPING=1"), "and the end")
        with daemon(programs, environment={"JOURNAL_STREAM": "no:thing"}) as d:
            tap.check(d.says("ready") and "xengtd: " in d.log.read_text(), "a stream that is no journal")


def check_activation(tap, programs):
    """A socket that was there before: who asks waits, also while one daemon follows another."""
    with tempfile.TemporaryDirectory() as folder, \
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        path = f"{folder}/control"
        listener.bind(path)
        listener.listen()
        # A shell has names for the first ten only.
        inherited = fcntl.fcntl(listener.fileno(), fcntl.F_DUPFD, 4)

        def start():
            # The number is the shell's, which becomes the daemon.
            return subprocess.Popen(
                ["sh", "-c", f"LISTEN_PID=$$ LISTEN_FDS=1 exec {programs[0]} --backend sim "
                 f"--sim-domain web:8192 --state-dir {folder} --socket {path} 3<&{inherited}"],
                pass_fds=[inherited], stderr=subprocess.DEVNULL)

        for what in ("a client that came before is served", "and by the next one, too"):
            client = subprocess.Popen([programs[1], "attach", "web", "--socket", path],
                                      stdout=subprocess.PIPE, text=True)
            time.sleep(0.1)
            daemon_process = start()
            try:
                said = client.communicate(timeout=PATIENCE)[0]
            except subprocess.TimeoutExpired:
                client.kill()
                said = f"nothing; xengtd: {daemon_process.poll()}"
            tap.check("custom" in said, what, said)
            daemon_process.send_signal(signal.SIGTERM)
            tap.check(daemon_process.wait(PATIENCE) == 0 and os.path.exists(path),
                      "it ends, and the socket stays")
    result = subprocess.run(["sh", "-c", f"LISTEN_PID=$$ LISTEN_FDS=1 exec {programs[0]} --backend sim "
                             "--state-dir /tmp 3</dev/null"], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, check=False)
    tap.check(result.returncode == 1 and "is no socket that listens; see xengtd.socket" in result.stdout,
              "what is no socket is refused", result.stdout)


def check_confined(tap, programs):
    """What the kernel says of the process."""
    def status_of(d):
        return Path(f"/proc/{d.process.pid}/status").read_text()

    with daemon(programs) as d:
        d.says("ready")
        text = status_of(d)
        tap.check(re.search(r"^Seccomp:\s+2$", text, re.M), "its system calls are filtered", text)
        tap.check(re.search(r"^NoNewPrivs:\s+1$", text, re.M), "it gets nothing back", text)
        tap.check(int(re.search(r"^CapPrm:\s+(\w+)$", text, re.M)[1], 16) & ~1 == 0,
                  "it has no capability but to change an owner", text)
    with daemon(programs, "confine = false\n") as d:
        d.says("ready")
        tap.check(re.search(r"^Seccomp:\s+0$", status_of(d), re.M), "unless it is told not to")


def main():
    """Returns the exit status."""
    source, programs, tap = Path(sys.argv[1]), sys.argv[2:4], Tap()
    check_files(tap, programs, source)
    check_documents(tap, programs, source)
    check_reload(tap, programs)
    check_systemd(tap, programs)
    check_activation(tap, programs)
    check_confined(tap, programs)
    check_check(tap, programs)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
