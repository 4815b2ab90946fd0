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


def ask(method, params="", number=1):
    """A request; the parameters are JSON without its braces."""
    return '{"jsonrpc":"2.0","id":%s,"method":"%s","params":{%s}}' % (number, method, params)


def control_seeds():
    """Every method, and what is refused."""
    def on_web(method, more=""):
        return ask(method, '"domain":"web"' + more)

    seed("control", "life", lines(on_web("attach"), on_web("mappings"), on_web("pause"),
                                  on_web("resume"), on_web("verify"), on_web("stats"),
                                  on_web("mappings", ',"from":7'), on_web("detach")))
    seed("control", "reports", lines(ask("subscribe", '"recent":true'), ask("list"), ask("stats"),
                                     ask("version"), ask("types"),
                                     ask("attach", '"domain":"1","type":"GVTg_V4_8"'),
                                     ask("list", number='"a"')))
    seed("control", "refusals", lines(ask("attach", '"domain":"old \\"pv\\""'), ask("attach"),
                                      on_web("list"), '{"jsonrpc":"2.0","id":1,"method":7}', "{}",
                                      "[1,2]", "[" + ask("list") + "]"))
    seed("control", "odd", lines(ask("attach", '"domain":"\\u0000\\n\\ud83d\\ude00"'),
                                 ask("attach", '"domain":"4294967297"'),
                                 ask("list", number="1e400"), ask("list", number="9007199254740993"),
                                 '{"jsonrpc":"2.0","method":"list"}',
                                 '{"id":{"a":{"b":{"c":1}}}}', '{"method":"list"'))


# --- execlist: operations of a driver ------------------------------------------------------------

LAZY, NO_TRACKER, NO_DEFER, FEW_TABLES, TRACK_ALL, EACH, BARE = 1, 2, 4, 8, 16, 32, 64

# Numbers of fuzz_execlist.c's operations, and of exec_commands.c's shapes.
READ_REG, WRITE_REG, TO_GTT, TO_TABLE, RAW, TO_IMAGE, BATCH, RING, _, START, LIST, RUN, \
    RESET, SET_UP, APERTURE, RARE = range(16)
STORE_GGTT, STORE_PPGTT, LOAD_IMM, STORE_REG, LOAD_REG, FLUSH_DW, PIPE = 7, 8, 10, 12, 14, 17, 21
ATOMIC, MATH, START_GGTT, START_USER, CONDITION, SEMAPHORE = 24, 27, 29, 30, 34, 35
COLOR_GGTT, COLOR_USER, COPY_GGTT, COPY_USER = 37, 38, 39, 40
COPY_MEMORY, FILL_LINEAR, COPY_LINEAR = 36, 52, 53
SEMAPHORE_PAGE, DATA_PAGE = 40, 41
PER_CONTEXT, INDIRECT = 5, 6        # places in a context's image
BATCHES, WINDOW_START = 31, 64      # the frame of the first; the entry of frame 0


def dword(value):
    """Little endian."""
    return struct.pack("<I", value)


def in_ring(context, shape, *operands):
    """One command."""
    return bytes([RING, context, shape]) + b"".join(operands)


def in_batch(number, *commands, engine=0):
    """A batch of them: each is bytes from the shape on."""
    return bytes([BATCH, number | engine << 4, len(commands)]) + b"".join(commands)


def batch_from_ring(context, number, own=False):
    """As the driver starts it, in the PPGTT or (own) with privilege."""
    return bytes([START, context | number << 4 | (8 if own else 0)])


def submitted(context, other=None):
    """A list of one context, or two. A context is no second one behind itself."""
    return bytes([LIST, context | (context if other is None else other) << 4])


def working(turns=7):
    """So many turns of the GPU, and one."""
    return bytes([RUN, turns])


def table_entry(table, index, gfn, flags=0):
    """Of a page table in memory."""
    return bytes([TO_TABLE, table | flags, gfn, index])


def everything(context):
    """A command of each shape that an engine may take, as a batch of the driver's own."""
    page = bytes([DATA_PAGE])
    commands = [
        bytes([STORE_GGTT]) + page + dword(7),
        bytes([LOAD_IMM, 0]) + dword(5),
        bytes([STORE_REG, 0]) + page,
        bytes([LOAD_REG, 1]) + page,
        bytes([MATH, 1, 4, 0, 1, 5, 1, 3, 0, 0, 8, 2, 6]),
        bytes([ATOMIC]) + page,
    ]
    if context % 4 == 0:
        commands += [bytes([PIPE, 1]) + page + dword(1) + dword(2)]
    else:
        commands += [bytes([FLUSH_DW]) + page + dword(1)]
    if context % 4 == 1:
        rectangle = struct.pack("<BH", 0, 0) + struct.pack("<BH", 4, 16)
        commands += [bytes([COLOR_GGTT, 3]) + struct.pack("<H", 256) + rectangle + page + dword(9),
                     bytes([COPY_GGTT, 3]) + struct.pack("<H", 256) + rectangle + page +
                     struct.pack("<BH", 0, 0) + struct.pack("<H", 256) + bytes([42])]
    return commands


def in_user_space(context):
    """The same for a user's batch."""
    page = bytes([DATA_PAGE])
    commands = [bytes([STORE_PPGTT]) + page + dword(7), bytes([ATOMIC + 1]) + page + bytes(32),
                bytes([STORE_REG + 1, 0]) + page, bytes([COPY_MEMORY]) + page + bytes([42])]
    if context % 4 == 1:
        rectangle = struct.pack("<BH", 0, 0) + struct.pack("<BH", 4, 16)
        commands += [bytes([COLOR_USER, 3]) + struct.pack("<H", 256) + rectangle + page + dword(9),
                     bytes([COPY_USER, 3]) + struct.pack("<H", 256) + rectangle + page +
                     struct.pack("<BH", 0, 0) + struct.pack("<H", 256) + bytes([42]),
                     bytes([FILL_LINEAR, 3]) + struct.pack("<HBH", 256, 4, 16) + page + dword(9),
                     bytes([COPY_LINEAR, 3]) + struct.pack("<HBH", 256, 4, 16) + page +
                     struct.pack("<H", 256) + bytes([42])]
    return commands + [bytes([CONDITION]) + dword(1000) + page]


def execlist_seeds():
    """Work on each engine, several contexts, page tables that change, hangs and errors."""
    for context in range(6):
        own = in_batch(1, *everything(context), engine=context % 4)
        user = in_batch(2, *in_user_space(context), engine=context % 4)
        seed("execlist", f"own-{context}", bytes([0]) + own +
             batch_from_ring(context, 1, own=True) + submitted(context) + working())
        seed("execlist", f"user-{context}", bytes([NO_DEFER]) + user +
             batch_from_ring(context, 2) + submitted(context) + working() +
             submitted(context) + working())
    store = bytes([STORE_PPGTT, DATA_PAGE]) + dword(1)
    seed("execlist", "lists", bytes([LAZY]) + in_batch(0, store) + batch_from_ring(1, 0) +
         batch_from_ring(5, 0) + submitted(1, 5) + batch_from_ring(1, 0) + submitted(1) +
         working() + submitted(5) + submitted(5) + working())
    change = b"".join(table_entry(3, index, 39 + index) for index in range(8))
    for name, flags in (("compared", NO_TRACKER), ("tracked", TRACK_ALL), ("few", FEW_TABLES)):
        seed("execlist", f"tables-{name}", bytes([flags]) + in_batch(0, store) +
             (batch_from_ring(0, 0) + submitted(0) + working() + change) * 3 +
             table_entry(2, 1, 4, 0x10) + table_entry(4, 0, 40) + table_entry(0, 1, 1, 0x10) +
             batch_from_ring(0, 0) + submitted(0) + working() + table_entry(3, 0, 0x80, 0x20))
    again = bytes([START_USER, 31])
    seed("execlist", "hang", bytes([EACH]) + in_batch(0, store, again) + batch_from_ring(0, 0) +
         submitted(0) + working() + bytes([RESET, 0, 0x50]) + bytes([SET_UP, 4]) +
         in_batch(0, store) + batch_from_ring(0, 0) + submitted(0) + working())
    seed("execlist", "wait", bytes([0]) + in_batch(0, bytes([SEMAPHORE]) + dword(3) +
                                                   bytes([SEMAPHORE_PAGE])) +
         batch_from_ring(2, 0) + submitted(2) + working() +
         bytes([RAW, SEMAPHORE_PAGE, 0, 0, 3]) + dword(3) + working())
    seed("execlist", "rings", bytes([0]) + in_ring(1, STORE_GGTT, bytes([DATA_PAGE]), dword(4)) +
         bytes([RESET, 1, 0x81]) + working() + bytes([RESET, 0, 0x20]))
    seed("execlist", "bare", bytes([BARE]) + bytes([SET_UP, 0]) +
         bytes([READ_REG, 2, 0, READ_REG, 0, 10, 0]) + bytes([WRITE_REG, 2 | 1 << 2, 2, 0]) +
         bytes([APERTURE, DATA_PAGE, 0, 0, 0]) +
         bytes([APERTURE, DATA_PAGE | 0x80, 8, 0, 0]) + bytes(8) + bytes([RESET, 0, 0x80]))
    image = b"".join(bytes([TO_IMAGE, 0, place, 3]) +
                     struct.pack("<Q", (WINDOW_START + BATCHES + number) << 12 | 1)
                     for place, number in ((PER_CONTEXT, 3), (INDIRECT, 4)))
    seed("execlist", "loaded", bytes([0]) + image + in_batch(3, bytes([LOAD_IMM, 0]) + dword(5)) +
         in_batch(0, store) + batch_from_ring(0, 0) + submitted(0) + working())
    for context in (1, 4):
        seed("execlist", f"global-{context}", bytes([NO_DEFER, SET_UP, 7 | context << 3]) +
             in_batch(1, *everything(context), engine=context % 4) +
             batch_from_ring(context, 1, own=True) + submitted(context) + working())
    for engine in range(4):
        seed("execlist", f"registers-{engine}", bytes([BARE]) + bytes([SET_UP, 0]) +
             in_batch(0, again) + batch_from_ring(engine, 0) + submitted(engine) + working(0) +
             b"".join(bytes([READ_REG, engine << 2, number, 0]) for number in range(23)) +
             b"".join(bytes([WRITE_REG, 2 | number << 2, 2 | number << 2, 5])
                      for number in range(1, 15)) + bytes([RESET, 0, 0x50 | engine]))
    seed("execlist", "balloon", bytes([NO_DEFER]) + in_batch(0, store) + batch_from_ring(0, 0) +
         bytes([RARE, 0, DATA_PAGE]) + submitted(0) + working() + bytes([RARE, 1, DATA_PAGE]) +
         batch_from_ring(0, 0) + submitted(0) + working() + bytes([TO_GTT, 5, 0x7f]))
    seed("execlist", "announced", bytes([TRACK_ALL]) + bytes([RARE, 7, 0, 0x21, 0]) +
         in_batch(0, store) + batch_from_ring(3, 0) + submitted(3) + working() +
         bytes([RARE, 7, 0, 0x31, 0]) + bytes([RARE, 4, 0]) + submitted(3) + working() +
         bytes([TO_IMAGE, 3, 13, 0]))


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


# --- pci: accesses and stories -------------------------------------------------------------------

def pci_seeds():
    """Sizes found out, base addresses moved, interrupts wanted and not, sleep, resets."""
    def enable(bits):
        return bytes([5 | bits << 3])

    def msi(on):
        return bytes([6 | on << 4]) + struct.pack("<IH", 0xfee01000, 0x4031)

    def moved(bar, to):
        return bytes([3, bar]) + struct.pack("<I", to)

    interrupt, sleep, wake, reset = bytes([4]), bytes([6 | 8 | 3 << 4]), bytes([6 | 8]), bytes([15])
    seed("pci", "driver", moved(0, 0xf1000000) + moved(1, 0xd0000000) + msi(1) + enable(6) +
         interrupt + msi(0) + interrupt + enable(2) + msi(1) + interrupt)
    seed("pci", "sleep", msi(1) + enable(6) + sleep + interrupt + wake + interrupt)
    seed("pci", "reset", interrupt + reset + interrupt + enable(0) + enable(7) + interrupt)
    seed("pci", "high", bytes([3, 2]) + struct.pack("<II", 0x10, 0) + interrupt + moved(1, 0) +
         bytes([3, 5]) + struct.pack("<I", 0xe0000000))
    seed("pci", "ports", b"".join(bytes([0, size | write | 0x10]) + dword(0x80001004) +
                                  bytes([port])
                                  for size in range(6) for write in (0, 8) for port in range(8)))
    seed("pci", "space", b"".join(bytes([1, size | write]) + dword(0xffffffff) + bytes([reg])
                                  for size in (0, 1, 2, 4) for write in (0, 8)
                                  for reg in range(0, 256, 13)))


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
    execlist_seeds()
    gtt_seeds()
    ioreq_seeds()
    journal_seeds()
    pci_seeds()
    space_seeds()
    vgpu_seeds()


if __name__ == "__main__":
    main()
