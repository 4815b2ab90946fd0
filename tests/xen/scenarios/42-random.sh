# SPDX-License-Identifier: LGPL-2.1-or-later
# Random operations on two guests that balloon, die and are created anew, against a model.
# timeout: 1500
# takes: 20

# More of them: run.py --payload FILE:/opt/xengt/random-operations, a file that holds a number.
operations=$(cat /opt/xengt/random-operations 2>/dev/null || echo 2000)

guest_create guest0 wait paused # their memory is all that is needed
guest_create guest1 wait paused
cat >/run/again <<'END'
case "$1" in
destroy) xl destroy "guest$2" ;;
create) xl create -e -q -p "/run/guest$2.cfg" >&2 && xl domid "guest$2" ;;
esac
END
relay lib-test random /run/lib-random "$operations" "$guest0_domid" "$guest1_domid" \
    "sh /run/again" "$EDU"
check "the test program passes" test $? -eq 0
check "who was destroyed is gone" no_zombies 10
guest_destroy guest0
guest_destroy guest1
check "and these, too" no_zombies 10
