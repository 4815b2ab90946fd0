# SPDX-License-Identifier: LGPL-2.1-or-later
"""What i915 in a guest costs on real Xen: its probe, an empty request, a blit; system calls.

The machine's clock goes by the instructions executed (the boot is "counted"): seconds are those of a
CPU that does 125 million a second, of which dom0, the guest and Xen have one together.
"""

import instructions

BOOT = "i915"
NEEDS = ["i915"]
NOPS = 40
BLIT_PAGES = 512

# Figures are read between two of the guest's words, while it sleeps.
DOM0_SCRIPT = """\
# timeout: 1500
tracing=/sys/kernel/tracing
mount -t tracefs tracefs $tracing 2>/dev/null
hist=$tracing/events/raw_syscalls/sys_enter

# trace_begin, then trace_end: system calls of xengtd in between.
trace_begin() {
    echo "hist:keys=common_pid if common_pid == $xengtd_pid" >$hist/trigger
}
trace_end() {
    awk '/hitcount/ { n += $NF } END { print n + 0 }' $hist/hist
    echo "!hist:keys=common_pid if common_pid == $xengtd_pid" >$hist/trigger
}

say() { # NAME VALUE
    echo "{\\"i915\\": \\"$1\\", \\"value\\": $2}"
}

# Waits for a word of the guest, which sleeps behind it, and for what comes late.
after() { # WORD SECONDS
    linux_passed linux "$1" "$2" || exit 1
    sleep 1
}

probe() { # trapped|lazy true|false WORDS
    xengtd_start --dma cpu --lazy-ggtt $2 || exit 1
    linux_create linux $3 || exit 1
    guest_unpause linux
    after load 900
    say probe_ioreqs.$1 $(vgpu_stat linux access.ioreqs)
    say probe_seconds.$1 $(linux_log linux | tr -d '[]' |
        awk '/Virtual GPU for Intel/ { a = $1 } /Initialized i915/ { print $1 - a }')
}

finish() {
    xengt-ctl verify linux || exit 1
    guest_destroy linux
    xengtd_stop || exit 1
}

probe trapped false load
linux_expect linux ^done 60 || exit 1
finish
probe lazy true load,sleep:6,test:nop=NOPS,sleep:6,test:stream=NOPS,sleep:6,test:copy=PAGES
for word in nop stream; do
    before=$(vgpu_stat linux access.ioreqs)
    trace_begin
    after test:$word=NOPS 300
    calls=$(trace_end)
    ioreqs=$(($(vgpu_stat linux access.ioreqs) - before))
    say $word.ioreqs $ioreqs
    say $word.syscalls $calls
done
after test:copy=PAGES 300
linux_log linux | awk '
    /^# [0-9]+ empty requests, each/ { print "{\\"i915\\": \\"nop.seconds\\", \\"value\\": " $(NF - 1) "}" }
    /^# [0-9]+ empty requests:/ { print "{\\"i915\\": \\"stream.seconds\\", \\"value\\": " $(NF - 1) "}" }
    /^# [0-9]+ KiB copied/ { print "{\\"i915\\": \\"copy.seconds\\", \\"value\\": " $(NF - 1) "}" }'
finish
"""


def dom0_script():
    """What dom0 runs for it."""
    return DOM0_SCRIPT.replace("NOPS", str(NOPS)).replace("PAGES", str(BLIT_PAGES))


def add(results, lines):
    """Figures from what the script said."""
    found = {line["i915"]: line["value"] for line in lines if "i915" in line}
    try:
        for kind in ("trapped", "lazy"):
            results.add(f"i915.probe_ioreqs.{kind}", found[f"probe_ioreqs.{kind}"], "count")
            results.add(f"i915.probe_seconds.{kind}", found[f"probe_seconds.{kind}"], "s")
        results.add("i915.probe_seconds", found["probe_seconds.lazy"], "s")
        results.add("i915.ioreqs_per_nop", found["nop.ioreqs"] / NOPS, "count")
        results.add("i915.ioreqs_per_nop.stream", found["stream.ioreqs"] / NOPS, "count")
        results.add("i915.nops_per_second", NOPS / found["stream.seconds"], "1/s")
        results.add("i915.nops_per_second.each_waited", NOPS / found["nop.seconds"], "1/s")
        results.add("i915.blit_mb_s", BLIT_PAGES * 4096 / 1e6 / found["copy.seconds"], "MB/s")
        results.add("xengtd.syscalls_per_ioreq", found["nop.syscalls"] / found["nop.ioreqs"],
                    "count")
        results.add("xengtd.syscalls_per_ioreq.load",
                    found["stream.syscalls"] / found["stream.ioreqs"], "count")
    except KeyError as error:
        raise instructions.CountError(f"{BOOT}: no figure {error}") from error


LINES = [
    ("requests of i915's probe, GGTT trapped", "i915.probe_ioreqs.trapped"),
    ("  in RAM, compared", "i915.probe_ioreqs.lazy"),
    ("seconds of the probe, GGTT trapped", "i915.probe_seconds.trapped"),
    ("  in RAM, compared", "i915.probe_seconds.lazy"),
    ("requests for an empty request, waited for", "i915.ioreqs_per_nop"),
    ("  many at once", "i915.ioreqs_per_nop.stream"),
    ("empty requests a second, waited for", "i915.nops_per_second.each_waited"),
    ("  many at once", "i915.nops_per_second"),
    ("MB/s of a blit", "i915.blit_mb_s"),
    ("system calls of xengtd for a request", "xengtd.syscalls_per_ioreq"),
    ("  many at once", "xengtd.syscalls_per_ioreq.load"),
]


def show(results):
    """The same for people."""
    print(f"\ni915 in a guest, on the boot {BOOT}")
    for text, name in LINES:
        print(f"  {text:44}{results.get(name):12.1f}")
