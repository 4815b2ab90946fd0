# SPDX-License-Identifier: LGPL-2.1-or-later
# The library's whole interface against a guest, on whatever this dom0 offers.
# boots: pvh-amd pv-relaxed pv-strict
# timeout: 90

# Passes on what a test program prints as test points of its own.
relay() {
    "$@" >/run/relay.out 2>&1
    _status=$?
    while IFS= read -r _line; do
        case "$_line" in
        'ok '*) tell "ok ${_line#ok }" ;;
        'not ok '*) tell "notok ${_line#not ok }" ;;
        *) note "$_line" ;;
        esac
    done </run/relay.out
    return "$_status"
}

guest_create target wait
check "the guest waits" guest_expect target '^waiting' 15
relay lib-test api /run/lib-test "$target_domid" "$EDU"
check "the test program passes" test $? -eq 0
check "a clean close leaves no journal" test ! -e /run/lib-test/journal
guest_destroy target
check "no zombies" no_zombies
