# SPDX-License-Identifier: LGPL-2.1-or-later
# Which domains may be targets, and a driver domain's rights over one.
# boots: pvh-amd pv-strict
# timeout: 60
# takes: 15

guest_create guest wait paused # their memory is all that is needed
guest_create driver wait paused
sed 's/"guest"/"nested"/' /run/guest.cfg >/run/nested.cfg
echo 'nestedhvm=1' >>/run/nested.cfg
check "a guest that may have guests" xl create -e -q -p /run/nested.cfg
relay lib-test rights /run/lib-test "$guest_domid" "$(xl domid nested)" "$driver_domid"
check "the test program passes" test $? -eq 0
xl destroy nested

# What Xen does not take back: the target stays for as long as the driver domain is there.
guest_destroy guest
sleep 1
check "a target stays half dead" sh -c "xl list | grep -q '^(null)'"
guest_destroy driver
check "until its driver domain goes" no_zombies
