# SPDX-License-Identifier: LGPL-2.1-or-later
# Which domains may be targets, and a driver domain's rights over one.
# timeout: 600
# takes: 15

guest_create guest wait paused # their memory is all that is needed
guest_create driver wait paused
sed 's/"guest"/"nested"/' /run/guest.cfg >/run/nested.cfg
echo 'nestedhvm=1' >>/run/nested.cfg
nested=0
if xl create -e -q -p /run/nested.cfg; then
    nested=$(xl domid nested)
else # 4.20 wants more of a CPU for that than QEMU has
    skip "a guest that may have guests is refused"
fi
relay lib-test rights /run/lib-test "$guest_domid" "$nested" "$driver_domid"
check "the test program passes" test $? -eq 0
[ "$nested" = 0 ] || xl destroy nested

# What Xen does not take back: the target stays for as long as the driver domain is there.
guest_destroy guest
sleep 1
check "a target stays half dead" sh -c "xl list | grep -q '^(null)'"
guest_destroy driver
check "until its driver domain goes" no_zombies
