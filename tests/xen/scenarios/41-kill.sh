# SPDX-License-Identifier: LGPL-2.1-or-later
# A process that is killed at any instant, over and over: its successor releases what it held.
# boots: pvh-amd pv-strict
# timeout: 240

ROUNDS=6
STATE=/run/lib-kill

_is_running() {
    grep -q '^running' /run/load.out
}

# One life: up to its work, then killed somewhere in it. Takes over from the one before.
kill_once() {
    lib-test load "$STATE" "$one_domid" "$two_domid" >/run/load.out 2>&1 &
    _load=$!
    if ! wait_until 20 _is_running; then
        cat /run/load.out
        return 1
    fi
    sleep "0.$(head -c 2 /dev/urandom | od -An -tu2 | tr -d ' ' | cut -c1-3)"
    kill -KILL "$_load" || { cat /run/load.out; return 1; }
    wait "$_load"
    ! grep '^failed' /run/load.out
}

kill_many() {
    _reclaimed=0
    for _round in $(seq "$ROUNDS"); do
        kill_once || return 1
        _last=$(sed -n 's/^running, reclaimed //p' /run/load.out)
        _reclaimed=$((_reclaimed + _last))
    done
    tell "comment $ROUNDS kills, $_reclaimed mappings reclaimed by successors"
    [ "$_reclaimed" -gt 0 ]
}

guest_create one wait paused # their memory is all that is needed
guest_create two wait paused
check "a killed process is taken over from" kill_many

# Xen itself says whether anything is still mapped: a domain with a mapped page stays.
xl destroy one
sleep 1
check "a domain that is mapped stays half dead" sh -c "xl list | grep -q '^(null)'"
check "the last one's mappings are released" sh -c "lib-test reclaim $STATE | grep '^reclaimed [1-9]'"
check "then that domain is gone" no_zombies 10
xl destroy two
check "and the other one can go" no_zombies 10
