# SPDX-License-Identifier: LGPL-2.1-or-later
# A process is killed, and the next one keeps its mappings.
# timeout: 600
# takes: 10

STATE=/run/lib-adopt

_is_running() {
    grep -q '^running' /run/load.out
}

kill_one() {
    lib-test load "$STATE" "$one_domid" "$two_domid" >/run/load.out 2>&1 &
    _load=$!
    wait_until 20 _is_running || { cat /run/load.out; return 1; }
    sleep 0.5
    kill -KILL "$_load"
    wait "$_load"
    ! grep '^failed' /run/load.out
}

guest_create one wait paused # their memory is all that is needed
guest_create two wait paused
check "a process is killed" kill_one
relay lib-test adopt "$STATE" "$one_domid"
check "the test program passes" test $? -eq 0
check "a clean close leaves no journal" test ! -e "$STATE/journal"
guest_destroy one
guest_destroy two
check "no zombies" no_zombies 10
