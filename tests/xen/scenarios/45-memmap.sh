# SPDX-License-Identifier: LGPL-2.1-or-later
# A window that the administrator has reserved on dom0's command line.
# timeout: 600
# takes: 15

check "the range is reserved" grep -E '^4000000000-407fffffff : Reserved' /proc/iomem
guest_create target wait paused # its memory is all that is needed
lib-test reclaim /run/lib-memmap >/run/window.out 2>&1
check "the library finds it" grep "window of .* in 'Reserved'" /run/window.out
relay lib-test api /run/lib-memmap "$target_domid" "$EDU"
check "the test program passes" test $? -eq 0
guest_destroy target
check "no zombies" no_zombies
