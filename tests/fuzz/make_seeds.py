#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Write the fuzzers' first inputs into corpus/: what a well-behaved other side would send.

The formats are those that the fuzz_*.c files read; to be run again when one of them changes.
"""

import random
import struct
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"


def seed(target, name, content):
    """One file."""
    path = CORPUS / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


# --- control: lines ------------------------------------------------------------------------------

def lines(*commands):
    """Commands as a client would send them."""
    return "".join(command + "\n" for command in commands).encode()


def control_seeds():
    """Every command, and what is refused."""
    def on_web(command):
        return '{"command":"%s","domain":"web"}' % command

    seed("control", "life", lines(on_web("attach"), on_web("mappings"), on_web("pause"),
                                  on_web("resume"), on_web("verify"), on_web("stats"),
                                  on_web("detach")))
    seed("control", "reports", lines('{"command":"list"}', '{"command":"stats"}',
                                     '{"command":"version"}', '{"command":"attach","domain":"1"}',
                                     '{"command":"list"}'))
    seed("control", "refusals", lines('{"command":"attach","domain":"old \\"pv\\""}',
                                      '{"command":"attach"}', '{"command":"list","domain":"web"}',
                                      '{"command":7}', '{"domain":"web"}', '[1,2]'))
    seed("control", "odd", lines('{"command":"attach","domain":"\\u0000\\n\\ud83d\\ude00"}',
                                 '{"command":"attach","domain":"4294967297"}',
                                 '{"command":{"a":{"b":{"c":1}}}}', '{"command":"list"'))


# --- gtt: bytes that are choices -------------------------------------------------------------------

def gtt_seeds():
    """Some play in each of the configurations."""
    for number in range(12):
        play = random.Random(number).randbytes(1200)
        seed("gtt", f"play-{number}", bytes([number]) + play)


# --- ioreq: requests of 32 bytes, each with a byte that says what to make of it -------------------

READ, WRITE, PTR, DF = 1 << 6, 0, 1 << 4, 1 << 7      # of the flags byte; READY is its state
READY = 1


def ioreq(addr, data, count, size, flags, kind=1, shape=0x10):
    """struct ioreq of Xen's public headers, and the fuzzer's shape."""
    return struct.pack("<QQIIIHBBB", addr, data, count, size, 0, 0, READY | flags, kind, shape)[:33]


def ioreq_seeds():
    """Plain accesses, repetitions, and types nobody knows."""
    base = 0xe0000000
    seed("ioreq", "plain", ioreq(base + 0x78000, 0, 1, 8, READ) +
         ioreq(base + 0x22030, 0x40, 1, 4, WRITE) + ioreq(base + 0xffffff, 1, 1, 1, WRITE))
    seed("ioreq", "string", ioreq(base + 0x800000, 0x10000, 512, 8, WRITE | PTR) +
         ioreq(base + 0x800ff8, 0x10ff8, 512, 8, READ | PTR | DF) +
         ioreq(base + 0x800000, 0x5001, 4, 8, WRITE))
    seed("ioreq", "odd", ioreq(base - 4, 0, 2, 4, READ) + ioreq(base, 0, 1, 3, READ) +
         ioreq(base, 0, 0xffffffff, 8, READ) + ioreq(0, 2**64 - 1, 1, 1, WRITE, kind=8) +
         ioreq(base, 0, 1, 4, READ, kind=7))


# --- journal: one byte for the kind of input -----------------------------------------------------

def journal_seeds():
    """Journals that are made, used and damaged, and files that are none."""
    kind = struct.pack("<QHBHB", 0x100000, 63, 1, 0, 1)
    reserve = b"".join(struct.pack("<BHHQ", 0, 0, 5, 0x1000 + i) for i in range(8))
    states = struct.pack("<BHB", 4, 1, 1) + struct.pack("<BH", 3, 2) + \
        struct.pack("<BHQII", 5, 3, 0x100003, 7, 9)
    header = struct.pack("<QIIQII", 0x316c6e6a74676e78, 2, 64, 0x100000, 1, 0)
    seed("journal", "used", b"\1" + kind + reserve + states)
    seed("journal", "large", b"\1" + struct.pack("<QHBHB", 0x100000, 599, 2, 4096, 1) + reserve)
    seed("journal", "no-header", b"\0" + b"x" * 100)
    seed("journal", "header", b"\0" + header.ljust(4096, b"\0"))


# --- vgpu: operations ----------------------------------------------------------------------------

def on(guest, operation, *arguments):
    """An operation of guest 0 or 1."""
    return bytes([operation | guest << 7, *arguments])


def ring(guest):
    """Entry 0 points to page 0, which is the ring."""
    return on(guest, 5, 0, 0)


def command(page, at, kind, arguments):
    """A command at a dword of a page."""
    return bytes([6, page, at, 0, kind]) + arguments


def map_page(entry, gfn):
    """A store to the GTT."""
    return on(0, 3, entry, gfn)


FLUSH, SUBMIT, TURN = on(0, 13), 9, on(0, 14)


def vgpu_seeds():
    """A blit, a loop, the race, two guests that come and go."""
    store = command(0, 0, 0, struct.pack("<BI", 1, 0x12345678))
    copy = command(0, 0, 4, struct.pack("<HBHBHB", 4096, 1, 1024, 2, 4096, 1))
    copy = copy.replace(bytes([6, 0, 0, 0, 4]), bytes([6, 0, 0, 0, 0xc4]))
    seed("vgpu", "store", b"\1" + ring(0) + map_page(1, 1) + store + on(0, SUBMIT, 2) + TURN)
    seed("vgpu", "blit", b"\0" + ring(0) + map_page(1, 1) + map_page(2, 2) + copy +
         on(0, SUBMIT, 5) + TURN)
    seed("vgpu", "race", b"\1" + ring(0) + map_page(1, 1) + map_page(2, 2) + FLUSH + copy +
         on(0, 12 | 0x40) + on(0, SUBMIT, 5) + on(0, 10, 2) + TURN + on(0, 11, 2) + on(0, 12) +
         TURN + map_page(2, 3) + FLUSH + TURN)
    loop = command(0, 0, 1, bytes([1])) + command(1, 0, 1, bytes([1]))
    seed("vgpu", "loop", b"\1" + ring(0) + map_page(1, 1) + loop + on(0, SUBMIT, 2) + TURN * 3 +
         on(0, 15 | 0x20))
    seed("vgpu", "two", b"\2" + ring(0) + ring(1) + on(1, 3, 4, 4) + on(1, 13) + on(0, 15) +
         on(0, 15 | 0x10) + on(1, 15 | 0x20) + on(1, 15 | 0x30) + ring(1) + on(1, 9, 1) + TURN)
    seed("vgpu", "registers", b"\0" + on(0, 0, 1, 0, 0, 2) +
         on(0, 1, 1, 8, 8) + b"\1" * 8 + b"\0" + on(0, 1, 0x18) + b"\xff" * 8 + b"\0" +
         on(0, 1, 3, 1) + b"\1\x10" + b"\0" * 6 + b"\0" + on(0, 1, 0x23, 1) + b"\0" * 8 + b"\0")


# --- space: operations ----------------------------------------------------------------------------

def entries(guest, operation, *numbers):
    """An operation on an array."""
    return bytes([operation | guest << 7, len(numbers), *numbers])


def space_seeds():
    """Get and put, plain mappings, balloons and deaths, failures, kills."""
    get, plain, put, failing, whole, adopt = 0, 3, 5, 0x40, 0x20, 0x20
    flush, expire, destroy = bytes([11]), bytes([10]), bytes([12])
    many = entries(0, get, *range(12)) + entries(1, get, 1, 1, 2, 255, 254, 25)
    seed("space", "life", b"\3" + many + entries(0, put, 0, 1, 2, 3) + expire + many + expire * 2 +
         entries(0, plain | whole, 1, 2, 3) + entries(0, put, *range(9)) + flush)
    seed("space", "balloon", b"\0" + entries(0, get, 5) + bytes([9, 5, 9, 5]) +
         entries(0, get, 5) + entries(0, put, 0, 0) + destroy + entries(0, get, 5))
    seed("space", "failing", b"\3" + many + bytes([put | failing, 1, 2, 0, 0]) +
         bytes([11 | failing, 0]) + bytes([plain | failing, 1, 3, 1, 2, 3]) + destroy)
    seed("space", "killed", b"\3" + many + entries(1, plain, 3, 4) + bytes([14]) + many +
         bytes([13, 1]) + entries(0, get, 15, 16) + bytes([15 | whole]))
    seed("space", "adopted", b"\3" + many + entries(1, plain, 3, 4) + bytes([14 | adopt]) +
         entries(0, get, 1, 2) + entries(0, put, 3, 2, 1) + bytes([13, 2, put | 0x10, 4, 0, 0, 0, 0]))


def main():
    """All of them."""
    control_seeds()
    gtt_seeds()
    ioreq_seeds()
    journal_seeds()
    space_seeds()
    vgpu_seeds()


if __name__ == "__main__":
    main()
