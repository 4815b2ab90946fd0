#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""xengt-ctl metrics, top, and the dashboard that is made of them. TAP.

usage: metrics.py SOURCE BUILD
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import openmetrics
from rig import PATIENCE, Daemon, Impostor, Tap

BAD = {
    "no end": "# TYPE a gauge\n# HELP a A.\na 1\n",
    "no head": "a 1\n# EOF\n",
    "a counter without _total": "# TYPE a counter\n# HELP a A.\na 1\n# EOF\n",
    "a sample twice": "# TYPE a gauge\n# HELP a A.\na 1\na 2\n# EOF\n",
    "a bare quote": '# TYPE a gauge\n# HELP a A.\na{b="""} 1\n# EOF\n',
    "buckets that go down": "# TYPE a histogram\n# HELP a A.\n"
                            'a_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n# EOF\n',
    "no +Inf": '# TYPE a histogram\n# HELP a A.\na_bucket{le="1"} 2\na_sum 1\na_count 2\n# EOF\n',
}
ODD_NAME = 'a "b" \\ c\nd'


def check_reader(tap):
    """The reader of these tests is strict."""
    for what, text in BAD.items():
        try:
            openmetrics.parse(text)
            tap.check(False, f"{what} is noticed")
        except openmetrics.Malformed:
            tap.check(True, f"{what} is noticed")


class Ctl:
    """The command, on a socket."""

    def __init__(self, build, path):
        self.command = [build / "tools/xengt-ctl", "--socket", path]

    def run(self, *words):
        """Its result."""
        return subprocess.run([*self.command, *words], text=True, capture_output=True,
                              timeout=PATIENCE, check=False)


def parsed(tap, ctl, what):
    """The families of the metrics; a test point that they are some."""
    result = ctl.run("metrics")
    try:
        families = openmetrics.parse(result.stdout)
        tap.check(result.returncode == 0, f"metrics of {what} are OpenMetrics", result)
        return families
    except openmetrics.Malformed as error:
        tap.check(False, f"metrics of {what} are OpenMetrics", f"{error}\n{result}")
        return {}


def value_of(families, family, name, **labels):
    """Of the one sample that has these labels; None: not one."""
    found = [value for its, has, value in (families[family].samples if family in families else [])
             if its == name and labels.items() <= has.items()]
    return found[0] if len(found) == 1 else None


def guest(requests, commands_ns, name="web", domid=5, state="running"):
    """A guest as stats has it, after so many requests of two microseconds each."""
    return {"domid": domid, "name": name, "vgpu": 1, "type": "custom", "state": state,
            "failsafe_reason": "it\nhung" if state == "failsafe" else None, "mapped_pages": 512,
            "access": {"ioreqs": requests, "register_reads": requests},
            "gtt": {"commits": requests // 10},
            "mappings": {"mapped_pages": 512, "gets": 8 * requests, "hits": 0, "failures": 0,
                         "map_calls": requests},
            "gpu": {"busy_ns": commands_ns},
            "request_time": {"total_ns": 2000 * requests, "up_to_ns": [1000, 3000],
                             "counts": [0, requests, 0]}}


def answer(number, **result):
    """An answer to the request of that number."""
    return json.dumps({"jsonrpc": "2.0", "id": number, "result": result}) + "\n"


def answers(guests):
    """Of xengtd to a client that asks for its version and then for stats."""
    shared = {"version": "1", "protocol": 2, "backend": {"name": "sim", "window_pages": 100},
              "library": {"mapped_pages": 30, "deferred_pages": 10, "leaked_pages": 1}}
    return answer(1, guests=guests, **shared)


def check_metrics(tap, build, folder):
    """Of guests that have odd names, and broke their vGPUs."""
    path = f"{folder}/metrics"
    Impostor(path, answers([guest(7, 1500000000), guest(0, 0, ODD_NAME, 6, "failsafe")]))
    families = parsed(tap, Ctl(build, path), "guests")
    for family, name, labels, wanted in (
            ("xengt_failsafe", "xengt_failsafe", {"domain": ODD_NAME}, 1),
            ("xengt_failsafe", "xengt_failsafe", {"domain": "web"}, 0),
            ("xengt_failsafe_reason", "xengt_failsafe_reason_info", {"reason": "it\nhung"}, 1),
            ("xengt_requests", "xengt_requests_total", {"domid": "5", "kind": "register_read"}, 7),
            ("xengt_request_duration_seconds", "xengt_request_duration_seconds_bucket",
             {"domid": "5", "le": "3e-06"}, 7),
            ("xengt_request_duration_seconds", "xengt_request_duration_seconds_sum",
             {"domid": "5"}, 14e-6),
            ("xengt_mapped_bytes", "xengt_mapped_bytes", {"domid": "5"}, 512 * 4096),
            ("xengt_gpu_busy_seconds", "xengt_gpu_busy_seconds_total", {"domid": "5"}, 1.5),
            ("xengt_map_pages", "xengt_map_pages_total", {"domid": "5"}, 56),
            ("xengt_window_pages", "xengt_window_pages", {"state": "free"}, 69),
            ("xengt_window_pages", "xengt_window_pages", {"state": "used"}, 20)):
        value = value_of(families, family, name, **labels)
        tap.check(value == wanted, f"{name} {json.dumps(labels)} is {wanted}", value)


def check_daemon(tap, build, source):
    """Of an xengtd that is one; what the dashboard shows; what Prometheus' own checker says."""
    with Daemon(build, "web", "db") as daemon:
        ctl = Ctl(build, daemon.path)
        parsed(tap, ctl, "nobody")
        ctl.run("attach", "web")
        ctl.run("attach", "db")
        families = parsed(tap, ctl, "an xengtd")
        names = {name for family in families.values() for name, _, _ in family.samples}
        shown = set()
        for panel in json.loads((source / "dist/grafana-dashboard.json").read_text())["panels"]:
            for target in panel["targets"]:
                shown |= set(re.findall(r"xengt_[a-z_]+", target["expr"]))
        tap.check(shown and shown <= names, "the dashboard shows metrics that there are",
                  shown - names)
        check_blocks(tap, ctl)
        text = ctl.run("metrics", "--prometheus").stdout
        tap.check("# TYPE xengt_requests_total counter\n" in text and "# EOF" not in text and
                  " info\n" not in text, "and there is Prometheus' own format", text)
        if shutil.which("promtool"):
            result = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                                    capture_output=True, timeout=PATIENCE, check=False)
            tap.check(result.returncode == 0, "promtool finds nothing", result)
        else:
            tap.skip("promtool finds nothing", "promtool is not installed (Debian: prometheus)")


def check_top(tap, build, folder):
    """Of a guest that does something, and of one that came in between."""
    path = f"{folder}/top"
    first, second = [guest(100, 0)], [guest(1100, 500000000), guest(9, 9, "db", 6)]
    Impostor(path, [answer(1, guests=first), answer(1, guests=second)])
    ctl = Ctl(build, path)
    result = ctl.run("top", "--interval", "1", "--count", "2", "--json")
    blocks = [json.loads(line) for line in result.stdout.splitlines()]
    tap.check(result.returncode == 0 and len(blocks) == 2, "top --json is a document a line", result)
    web, new = blocks[0]["guests"]
    seconds = blocks[0]["seconds"]
    tap.check(1 <= seconds < PATIENCE, "in a second or more", seconds)
    for key, wanted in (("requests_per_second", 1000 / seconds), ("request_mean_us", 2),
                        ("gpu_busy_percent", 50 / seconds), ("mapped_mib", 2),
                        ("pages_per_map_call", 8), ("commits_per_second", 100 / seconds)):
        tap.check(abs(web[key] - wanted) <= 0.01 * wanted, f"{key} is right", web)
    tap.check(new["domid"] == 6 and new["requests_per_second"] == 0, "a new guest did nothing yet", new)
    tap.check(blocks[1]["guests"][0]["requests_per_second"] == 0, "then nothing happened", blocks)
    Impostor(f"{folder}/gone", [answer(1, guests=first), ""])
    result = Ctl(build, f"{folder}/gone").run("top", "--interval", "1")
    tap.check(result.returncode == 3, "it ends when xengtd does", result)
    for option in ("--interval=0", "--count=-1", "--interval=x"):
        result = ctl.run("top", option)
        tap.check(result.returncode == 2 and "takes a number" in result.stderr,
                  f"{option} makes no sense", result)


def check_blocks(tap, ctl):
    """Of an xengtd that is one, in no terminal."""
    lines = ctl.run("top", "--interval", "1", "--count", "2").stdout.splitlines()
    tap.check(len(lines) == 8 and lines[0].startswith("DOMAIN") and lines[0] == lines[4] and
              lines[1].startswith("web") and not lines[3] and "\033" not in "".join(lines),
              "top is a block an interval", lines)
    master, terminal = os.openpty()
    subprocess.run([*ctl.command, "top", "--interval", "1", "--count", "1"], stdout=terminal,
                   timeout=PATIENCE, check=False)
    shown = os.read(master, 65536)
    os.close(terminal)
    os.close(master)
    tap.check(shown.startswith(b"\033[H\033[J"), "and a terminal is redrawn", shown)


def check_unit(tap, build, folder):
    """The command of the unit for node_exporter: a whole file, or none."""
    unit = (build / "dist/xengt-metrics.service").read_text()
    shell = re.search(r"^ExecStart=/bin/sh -c '(.*?)'$", unit, re.M | re.S)[1].replace("\\\n", "")
    target = Path(folder) / "collected"
    target.mkdir()
    shell = shell.replace("/var/lib/prometheus/node-exporter", str(target))
    with Daemon(build, "web") as daemon:
        called = f'"{build}/tools/xengt-ctl" --socket "{daemon.path}" metrics'
        shell = re.sub(r'"\S*/xengt-ctl" metrics', lambda _: called, shell)
        subprocess.run(["/bin/sh", "-c", shell], timeout=PATIENCE, check=False)
        files = {path.name: path.read_text() for path in target.iterdir()}
        tap.check(list(files) == ["xengt.prom"] and "xengt_build_info{" in files["xengt.prom"],
                  "the unit writes one file", files)
    subprocess.run(["/bin/sh", "-c", shell], timeout=PATIENCE, stderr=subprocess.DEVNULL, check=False)
    tap.check(not list(target.iterdir()), "which goes when xengtd does", list(target.iterdir()))


def main():
    """Returns the exit status."""
    tap = Tap()
    source, build = Path(sys.argv[1]), Path(sys.argv[2]).resolve()
    check_reader(tap)
    with tempfile.TemporaryDirectory() as folder:
        check_metrics(tap, build, folder)
        check_top(tap, build, folder)
        check_unit(tap, build, folder)
    check_daemon(tap, build, source)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
