# SPDX-License-Identifier: LGPL-2.1-or-later
# A process that is killed at any instant, over and over: its successor releases what it held.
# timeout: 1500
# takes: 15

STATE=/run/lib-kill

# More of them: run.py --payload FILE:/opt/xengt/kill-rounds, a file that holds a number.
rounds=$(cat /opt/xengt/kill-rounds 2>/dev/null || echo 24)

_is_running() {
    grep -q '^running' /run/load.out
}

# One more, whose mappings stay for a while.
kill_last() {
    lib-test load "$STATE" "$one_domid" "$two_domid" >/run/load.out 2>&1 &
    _load=$!
    wait_until 20 _is_running || { cat /run/load.out; return 1; }
    sleep 0.5
    kill -KILL "$_load" || { cat /run/load.out; return 1; }
    wait "$_load"
    ! grep '^failed' /run/load.out
}

guest_create one wait paused # their memory is all that is needed
guest_create two wait paused
relay lib-test kill "$STATE" "$rounds" "$one_domid" "$two_domid"
check "the test program passes" test $? -eq 0
check "a last one is killed" kill_last

# Xen itself says whether anything is still mapped: a domain with a mapped page stays.
xl destroy one
sleep 1
check "a domain that is mapped stays half dead" sh -c "xl list | grep -q '^(null)'"
check "the last one's mappings are released" sh -c "lib-test reclaim $STATE | grep '^reclaimed [1-9]'"
check "then that domain is gone" no_zombies 10
xl destroy two
check "and the other one can go" no_zombies 10
