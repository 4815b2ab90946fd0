# SPDX-License-Identifier: LGPL-2.1-or-later
# The machine works: Xen answers, a guest runs to its end and leaves nothing behind.
# timeout: 600
# takes: 5

check "xl info answers" xl info
check "the DMA test device is there" test -e "$EDU/resource0"
check "a guest says hello and shuts down" guest_run hello "hello" 20
check "no zombies" no_zombies
