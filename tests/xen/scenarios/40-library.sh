# SPDX-License-Identifier: LGPL-2.1-or-later
# The library's whole interface against a guest, on whatever this dom0 offers.
# timeout: 600
# takes: 5

guest_create target wait paused # its memory is all that is needed
relay lib-test api /run/lib-test "$target_domid" "$EDU"
check "the test program passes" test $? -eq 0
check "a clean close leaves no journal" test ! -e /run/lib-test/journal
guest_destroy target
check "no zombies" no_zombies
