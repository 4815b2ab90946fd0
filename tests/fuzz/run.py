#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run each fuzzer for some time, from the corpus beside this file; as many at once as there are CPUs.

What breaks one is kept.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
INPUT_MAX = 4096           # bytes
INPUT_SECONDS = 10         # an input that takes longer is a finding
START_SECONDS = 60         # beyond the time asked for: the corpus is read first
TAIL = 20                  # lines shown of what a fuzzer found


def parse_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--builddir", type=Path, required=True, help="a build with -Dfuzz=true")
    parser.add_argument("--seconds", type=int, default=60, help="for each fuzzer (60)")
    parser.add_argument("--target", metavar="NAME", help="only this one")
    parser.add_argument("--tap", action="store_true", help="report as a test")
    return parser.parse_args()


def name_of(program):
    """What the target, its corpus and its findings are called."""
    return program.name.removeprefix("fuzz_")


def fuzzers(builddir, only):
    """The programs that were built."""
    found = [path for path in sorted((builddir / "tests/fuzz").glob("fuzz_*")) if path.is_file()]
    return [path for path in found if only in (None, name_of(path))]


def run_fuzzer(program, args, corpus, tmp):
    """Returns (exit status, output). corpus is a copy: what is learned does not change the tree."""
    name = name_of(program)
    artefacts = args.builddir / "artefacts"
    artefacts.mkdir(exist_ok=True)
    command = [str(program), f"-max_total_time={args.seconds}", f"-max_len={INPUT_MAX}",
               f"-timeout={INPUT_SECONDS}", "-print_final_stats=1",
               f"-artifact_prefix={artefacts}/{name}-"]
    dictionary = HERE / f"{name}.dict"
    if dictionary.exists():
        command.append(f"-dict={dictionary}")
    environment = {**os.environ, "TMPDIR": tmp}
    try:
        done = subprocess.run([*command, str(corpus)], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=environment, check=False,
                              timeout=args.seconds + START_SECONDS)
    except subprocess.TimeoutExpired as expired:
        return 1, (expired.output or b"").decode(errors="replace") + "\nhangs"
    return done.returncode, done.stdout.decode(errors="replace")


def executions(output):
    """How many inputs were tried."""
    found = re.search(r"number_of_executed_units: (\d+)", output)
    return int(found[1]) if found else 0


def report(args, number, name, status, output):
    """One line for the target, and the rest of the story when something was found."""
    good = status == 0 and executions(output) > 0
    text = f"fuzz: {name}, {args.seconds} s, {executions(output)} executions"
    if args.tap:
        print(f"{'ok' if good else 'not ok'} {number} - {text}", flush=True)
    else:
        print(f"{text}: {'nothing found' if good else 'FAILED'}", flush=True)
    if good:
        return
    log = args.builddir / "artefacts" / f"{name}.log"
    log.write_text(output)
    for line in telling(output):
        print(f"# {line}")
    kept = re.search(r"Test unit written to (\S+)", output)
    if kept:
        print(f"# the input is kept: {kept[1]}")
    print(f"# all that it said: {log}", flush=True)


def telling(output):
    """The lines that say what was found and where; the rest is the fuzzer's own."""
    wanted = re.compile(r"^\S+\.[ch]:\d+:|ERROR:|SUMMARY:|runtime error:|^hangs$")
    frame = re.compile(r"^ +#\d+ \S+ in (?!fuzzer::)\S+ \S+\.[ch]:\d+")
    lines = output.splitlines()
    found = [line.strip() for line in lines if wanted.search(line) or frame.search(line)]
    return (found or lines)[:TAIL]


def main():
    """Returns the exit status: 0 when nothing was found."""
    args = parse_arguments()
    args.builddir = args.builddir.resolve()
    programs = fuzzers(args.builddir, args.target)
    if not programs:
        print(f"{'Bail out! ' if args.tap else 'fuzz: '}{args.builddir}: no fuzzers are built "
              "there; ./dev fuzz builds them", flush=True)
        return 1
    if args.tap:
        print(f"1..{len(programs)}", flush=True)
    failed = 0
    # What fuzzers write is on a tmpfs where there is one, and gone afterwards.
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="xengt-fuzz-", dir=shm) as tmp:
        def run(program):
            corpus = Path(tmp) / name_of(program)
            shutil.copytree(HERE / "corpus" / name_of(program), corpus)
            return run_fuzzer(program, args, corpus, tmp)

        # Among the tests it is one lane of several.
        with ThreadPoolExecutor(1 if args.tap else os.cpu_count()) as pool:
            results = zip(programs, pool.map(run, programs))
            for number, (program, (status, output)) in enumerate(results, 1):
                report(args, number, name_of(program), status, output)
                failed += status != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
