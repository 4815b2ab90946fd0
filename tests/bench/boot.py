#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tests' runner (tests/xen/run.py), with machines changed for measuring.

dom0 gets one virtual CPU, pinned. With two, each unmap interrupts the other one and waits for it,
and what is measured is how soon the host runs another thread of QEMU.
"""

import dataclasses
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "xen"))

import boots  # noqa: E402  (found by the line above)
import run    # noqa: E402

ONE_CPU = " dom0_max_vcpus=1 dom0_vcpus_pin"


def main():
    """As run.main()."""
    for name, boot in boots.BOOTS.items():
        options = boot.xen_options + ONE_CPU
        boots.BOOTS[name] = dataclasses.replace(boot, xen_options=options, quick=False)
    return run.main()


if __name__ == "__main__":
    sys.exit(main())
