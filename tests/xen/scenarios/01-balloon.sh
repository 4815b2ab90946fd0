# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest gives a page back to Xen and gets one again.
# timeout: 600
# takes: 5

check "a guest balloons a page out and in" guest_run balloon "balloon" 20
check "no zombies" no_zombies
