#!/bin/busybox sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# init of a Linux guest with i915: does what "run=WORD,WORD..." on the kernel's command line says and
# then shuts down. A word is a verb with its arguments: test:store:requests=100
#
#   load            i915 and what it depends on
#   reload          i915 out and in again
#   test[:CASE...]  drm-test
#   parallel[:CASE...]  one drm-test on each CPU, at once
#   cpus:N          waits until there are so many
#   bench:NAME...   one of intel-gpu-tools' benchmarks, when these are in the image
#   disk            QEMU's, to the end; the last sector is written
#   net:ADDRESS     QEMU's network: a file is fetched from there
#   misplace        the vGPU's registers over RAM, over QEMU's network, and back to where they were
#   round-trip[:N]  reads of a register that QEMU answers, and of one of the vGPU's
#   irqs            how many interrupts i915 has had
#   hangs           what i915 has said of engines that hang
#   beat            says so every other second from now on, while it goes on with the next word
#   sleep:SECONDS, reboot, crash, shell
#
# Says "PASS WORD" or "FAIL WORD" after each, and "done" at the end.

/bin/busybox --install -s /bin
export PATH=/bin:/opt/i915:/usr/libexec/igt-gpu-tools/benchmarks

mount_all() {
    mount -t proc proc /proc
    mount -t sysfs sysfs /sys
    mount -t devtmpfs devtmpfs /dev
    mount -t tmpfs tmpfs /tmp
    mount -t debugfs debugfs /sys/kernel/debug
}

show_devices() {
    for device in /sys/bus/pci/devices/*; do
        echo "pci ${device##*/} $(cat "$device/vendor" "$device/device" "$device/class" | tr '\n' ' ')"
    done
    echo "dri" /dev/dri/*
}

# What i915 says before it gives up for good, but is loaded all the same.
is_sound() {
    ! dmesg | grep -E 'wedged|CI tainted|WARNING:|GPU HANG|probe.*failed with error' && [ -e /dev/dri/renderD128 ]
}

seconds() {
    cut -d ' ' -f 1 /proc/uptime
}

load() {
    start=$(seconds)
    for module in /lib/modules/*.ko; do
        # shellcheck disable=SC2086 # options are words
        case "$module" in
        *-i915.ko) insmod "$module" $i915 || return 1 ;;
        *) insmod "$module" || return 1 ;;
        esac
    done
    echo "# i915 is loaded after $(seconds) s, from $start s on"
    show_devices
    is_sound
}

reload() {
    rmmod i915 && [ ! -e /dev/dri/renderD128 ] && insmod /lib/modules/*-i915.ko && is_sound
}

irqs() {
    grep i915 /proc/interrupts
}

hangs() {
    dmesg | grep -E 'GPU HANG|Resetting'
    return 0
}

# Drivers of QEMU's devices, once.
qemu() {
    [ ! -e /sys/module/e1000 ] || return 0
    for module in /lib/qemu/*.ko; do
        insmod "$module" || return 1
    done
}

disk() {
    qemu && for _ in 1 2 3 4 5 6 7 8 9 10; do
        [ -b /dev/sda ] && break
        sleep 1
    done
    sectors=$(cat /sys/block/sda/size) || return 1
    echo "disk $(md5sum </dev/sda)"
    echo "written by the guest" | dd of=/dev/sda bs=512 seek=$((sectors - 1)) conv=sync,fsync
}

net() { # ADDRESS
    qemu && ifconfig eth0 "${1%.*}.77" && sleep 3 &&
        wget -O /tmp/file "http://$1:8000/file" && echo "net $(md5sum </tmp/file)"
}

# The highest byte of an address, where a BAR of 16 MiB is: this is all there is to write.
put_registers() { # FUNCTION BYTE-IN-OCTAL
    printf '%b' "\\0$2" | dd of="$1/config" bs=1 seek=19 conv=notrunc 2>/dev/null
}

misplace() {
    for device in /sys/bus/pci/devices/*; do
        case "$(cat "$device/vendor" "$device/device" | tr '\n' ' ')" in
        '0x8086 0x1616 ') vgpu=$device ;;
        '0x8086 0x100e ') network=$device ;;
        esac
    done
    home=$(dd if="$vgpu/config" bs=1 skip=19 count=1 2>/dev/null | od -b | awk 'NR == 1 { print $2 }')
    printf '\002' | dd of="$vgpu/config" bs=1 seek=4 conv=notrunc 2>/dev/null # decoded
    theirs=$(dd if="$network/config" bs=1 skip=19 count=1 2>/dev/null | od -b | awk 'NR == 1 { print $2 }')
    sum=$(md5sum </init)
    for place in 001 "$theirs" 377 000 "$home"; do
        put_registers "$vgpu" "$place"
        echo "# registers at $place: $(head -n 1 "$vgpu/resource")"
    done
    [ "$(md5sum </init)" = "$sum" ]
}

beat() {
    (while sleep 2; do echo beat; done) &
}

parallel() {
    pids=
    for cpu in $(seq 0 $(($(nproc) - 1))); do
        taskset "$(printf 0x%x $((1 << cpu)))" drm-test "$@" >"/tmp/cpu$cpu" 2>&1 &
        pids="$pids $!"
    done
    failed=0
    for pid in $pids; do
        wait "$pid" || failed=1
    done
    cat /tmp/cpu*
    echo "# on $(nproc) CPUs"
    rm /tmp/cpu*
    return "$failed"
}

cpus() {
    for _ in $(seq 60); do
        [ "$(nproc)" -ne "$1" ] || return 0
        sleep 1
    done
    echo "# $(nproc) CPUs"
    return 1
}

# One word of the command line: its verb is a function above, or a program.
perform() { # VERB [ARGUMENT...]
    verb=$1
    shift
    case "$verb" in
    load | reload | disk | net | misplace | irqs | hangs | beat | sleep | parallel | cpus) "$verb" "$@" ;;
    test) drm-test "$@" ;;
    round-trip) round-trip "$@" ;;
    bench) "$@" ;;
    reboot) reboot -f ;;
    crash) echo c >/proc/sysrq-trigger ;;
    shell) setsid -c sh -i </dev/hvc0 >/dev/hvc0 2>&1 ;;
    *) echo "no such verb"; return 1 ;;
    esac
}

mount_all
for word in $(echo "${run:-shell}" | tr ',' ' '); do
    echo "RUN $word"
    # shellcheck disable=SC2046 # arguments are words
    if perform $(echo "$word" | tr ':' ' '); then
        echo "PASS $word"
    else
        echo "FAIL $word"
    fi
done
echo "done"
poweroff -f
