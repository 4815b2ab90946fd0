# SPDX-License-Identifier: LGPL-2.1-or-later
# Random operations on two guests against a model; one guest is destroyed half-way.
# boots: pvh-amd pv-relaxed
# timeout: 240

# Under emulation an unmap costs a PVH dom0 ten times what it costs a PV one.
operations=10000
grep -q PVH /sys/hypervisor/guest_type && operations=2500

guest_create one wait paused # their memory is all that is needed
guest_create two wait paused
relay lib-test random /run/lib-random $operations "$one_domid" "$two_domid" "xl destroy one"
check "the test program passes" test $? -eq 0
check "the destroyed guest is gone" no_zombies 10
guest_destroy two
check "and the other one, too" no_zombies
