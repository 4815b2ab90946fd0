#!/bin/busybox sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# dom0's init: brings up Xen's tool stack, then runs scenarios, one command, or a shell.
#
# Everything for the runner goes through /dev/ttyS1, which nothing but the harness writes to, as
# whole lines: "@xengt WORD TEXT" is for the runner, anything else is shown as a comment.

/bin/busybox --install -s /bin
XEN_BIN=$(echo /usr/lib/xen-*/bin)
export PATH=/bin:$XEN_BIN:/opt/xengt
export HOME=/tmp
TESTS=/xen-tests
CHANNEL=/dev/ttyS1

tell() {
    printf '\n@xengt %s\n' "$*" >"$CHANNEL"
}

mount_all() {
    mount -t proc proc /proc
    mount -t sysfs sysfs /sys
    mount -t devtmpfs devtmpfs /dev
    mkdir -p /dev/pts
    mount -t devpts devpts /dev/pts
    mount -t tmpfs tmpfs /run
    mkdir -p /run/lock /run/xen /run/xenstored
    stty -F "$CHANNEL" raw -echo
}

start_xen_tools() {
    for module in /lib/modules/*.ko; do
        insmod "$module" || tell "comment insmod $module failed"
    done
    mount -t xenfs xenfs /proc/xen
    xenstored --pid-file /run/xenstored.pid
    xen-init-dom0 >/dev/null
    mkdir -p /run/console
    xenconsoled --pid-file=/run/xenconsoled.pid --log=guest --log-dir=/run/console
}

# Sets EDU to the PCI folder of QEMU's DMA test device, with memory decoding and bus mastering on.
enable_edu() {
    for device in /sys/bus/pci/devices/*; do
        if [ "$(cat "$device/vendor" "$device/device" | tr '\n' ' ')" = "0x1234 0x11e8 " ]; then
            export EDU="$device"
            printf '\006\000' | dd of="$device/config" bs=1 seek=4 conv=notrunc 2>/dev/null
        fi
    done
    [ -n "$EDU" ] || tell "comment no edu device found"
}

# A scenario may leave daemons and domains behind, above all when it was killed.
clean_up() {
    for process in /proc/[0-9]*; do
        case "$(readlink "$process/exe")" in
        /opt/xengt/*) kill -KILL "${process#/proc/}" 2>/dev/null ;;
        esac
    done
    for domid in $(guest-tool domids); do
        timeout 20 xl destroy "$domid" >/dev/null 2>&1
    done
}

run_scenario() { # FILE
    limit=$(sed -n 's/^# timeout: *//p' "$1")
    tell "start $(basename "$1" .sh)"
    echo "=== scenario $(basename "$1" .sh)" >/dev/console
    enable_edu # the scenario before may have switched it off when it was done
    timeout -s KILL "${limit:-60}" setsid sh "$TESTS/scenario.sh" "$1" <"$CHANNEL" >"$CHANNEL" 2>&1
    status=$?
    kill -KILL -- "-$(cat /run/scenario.pid)" 2>/dev/null
    clean_up
    tell "end $status"
}

mount_all
start_xen_tools
tell "up $(cut -d' ' -f1 /proc/uptime)"
if [ -e "$TESTS/interactive" ]; then
    enable_edu
    stty -F "$CHANNEL" sane
    # An interactive shell reads the file that ENV names: the scenarios' functions work in it.
    ENV="$TESTS/lib.sh" setsid -c sh -i <"$CHANNEL" >"$CHANNEL" 2>&1
else
    for scenario in "$TESTS"/scenarios/*.sh; do
        run_scenario "$scenario"
    done
fi
tell 'done'
poweroff -f
