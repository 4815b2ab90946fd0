# SPDX-License-Identifier: LGPL-2.1-or-later
# What scenarios are written with. Runs in dom0, in busybox's sh.
#
# Functions return a status and print why they failed; "check" makes a test of one. Guests are named
# by their scenario; GUEST is the default kernel, a variable <name>_domid holds each guest's domid.

GUEST=/opt/xengt/xengt-guest
CHANNEL=/dev/ttyS1
ZOMBIES_BEFORE=$(guest-tool zombies 1000 0)

# --- reporting -----------------------------------------------------------------------------------

# One write, begun with a newline: whatever unfinished line another process left cannot hide it.
tell() {
    printf '\n@xengt %s\n' "$*" >"$CHANNEL"
}

note() {
    tell "comment $*"
}

# check DESCRIPTION COMMAND...: one test; it passes when the command returns 0.
check() {
    _description=$1
    shift
    if "$@" >/run/check.out 2>&1; then
        tell "ok $_description"
        return 0
    fi
    tell "notok $_description"
    tell "comment failed: $*"
    while IFS= read -r _line; do tell "comment   $_line"; done </run/check.out
    return 1
}

# skip DESCRIPTION: a test that cannot be made here; the summary counts it.
skip() {
    tell "skip $*"
}

# relay COMMAND...: runs a test program; its lines "ok ..." and "not ok ..." are tests, too.
relay() {
    "$@" >/run/relay.out 2>&1
    _relay_status=$?
    while IFS= read -r _line; do
        case "$_line" in
        'ok '*) tell "ok ${_line#ok }" ;;
        'not ok '*) tell "notok ${_line#not ok }" ;;
        *) note "${_line#\# }" ;;
        esac
    done </run/relay.out
    return "$_relay_status"
}

# wait_until SECONDS COMMAND...: polls until the command returns 0; its last output is kept. Seconds are
# those of an idle machine: limits end what hangs, not what is slow.
wait_until() {
    _deadline=$(($(cut -d. -f1 /proc/uptime) + 5 * $1))
    shift
    until "$@"; do
        [ "$(cut -d. -f1 /proc/uptime)" -lt "$_deadline" ] || return 1
        sleep 0.2
    done
}

# --- guests --------------------------------------------------------------------------------------

# guest_create NAME "CASE ARGS" [mem=MIB] [vcpus=N] [kernel=FILE] [ramdisk=FILE] [vdispl=TYPE] [paused]
# [watched]
# vdispl: it has a vGPU of that type by its configuration.
# watched: as xl does it for an administrator, it stays and does what is to be done when the guest ends;
# else the scenario decides when it is destroyed. One that has switched itself off stays to be looked at.
guest_create() {
    _name=$1 _cmdline=$2 _mem=32 _vcpus=1 _kernel=$GUEST _ramdisk='' _vdispl='' _paused='' _alone=-e
    shift 2
    for _option in "$@"; do
        case "$_option" in
        mem=*) _mem=${_option#*=} ;;
        vcpus=*) _vcpus=${_option#*=} ;;
        kernel=*) _kernel=${_option#*=} ;;
        ramdisk=*) _ramdisk=${_option#*=} ;;
        vdispl=*) _vdispl=${_option#*=} ;;
        paused) _paused=-p ;;
        watched) _alone='' ;;
        *) echo "guest_create: unknown option $_option"; return 2 ;;
        esac
    done
    {
        echo "name=\"$_name\""
        echo 'type="pvh"'
        echo "kernel=\"$_kernel\""
        echo "cmdline=\"$_cmdline\""
        echo "memory=$_mem"
        echo "vcpus=$_vcpus"
        [ -z "$_ramdisk" ] || echo "ramdisk=\"$_ramdisk\""
        [ -z "$_vdispl" ] || echo "vdispl=[ \"connectors=$_vdispl:1920x1080\" ]"
        echo 'on_poweroff="preserve"'
    } >"/run/$_name.cfg"
    xl create $_alone -q $_paused "/run/$_name.cfg" || return 1
    eval "${_name}_domid=\$(xl domid \"\$_name\")"
}

# guest_domid NAME: also known after the guest has gone.
guest_domid() {
    eval "echo \"\${${1}_domid:?no guest $1}\""
}

guest_unpause() {
    xl unpause "$1"
}

guest_destroy() {
    xl destroy "$1"
}

# guest_state NAME: the six state letters of xl list, e.g. "-b----"; fails when it is gone.
guest_state() {
    xl list "$1" 2>/dev/null | awk 'NR == 2 { print $5 }' | grep .
}

# guest_wait NAME SECONDS: until it has shut itself down; a crash, or being gone, is a failure.
guest_wait() {
    guest-tool stopped "$(guest_domid "$1")" "$2" && return 0
    echo "$1 has not shut down within $2 s, state: $(guest_state "$1" || echo gone)"
    guest_log "$(guest_domid "$1")" | tail -n 10
    return 1
}

# guest_log DOMID: what this guest has written to its console.
guest_log() {
    guest-tool log "$1"
}

# guest_passed NAME "CASE ARGS": its last word was PASS.
guest_passed() {
    guest_log "$(guest_domid "$1")" | grep -Fx "PASS ${2%% *}" && return 0
    guest_log "$(guest_domid "$1")" | tail -n 5
    return 1
}

# guest_expect NAME REGEX SECONDS: until a line of the guest matches; prints the matching lines.
guest_expect() {
    guest-tool expect "$(guest_domid "$1")" "$2" "$3" && return 0
    echo "$1 has not said '$2' within $3 s; its last lines:"
    guest_log "$(guest_domid "$1")" | tail -n 10
    return 1
}

# guest_run NAME "CASE ARGS" SECONDS [OPTION...]: the whole life of a guest that must say PASS.
guest_run() {
    _run_name=$1 _run_case=$2 _run_seconds=$3
    shift 3
    guest_create "$_run_name" "$_run_case" "$@" || return 1
    guest_expect "$_run_name" '^(PASS|FAIL) ' "$_run_seconds" || return 1
    guest_wait "$_run_name" 5 || return 1
    guest_destroy "$_run_name"
    guest_passed "$_run_name" "$_run_case"
}

# --- many guests ---------------------------------------------------------------------------------

# each_guest COMMAND...: once for each of $guests, its name behind; fails when one fails.
# shellcheck disable=SC2154 # the scenario's
each_guest() {
    for _each in $guests; do
        "$@" "$_each" || { echo "$_each: failed: $*"; return 1; }
    done
}

# attached_as TYPE "CASE ARGS" NAME: as vgpu_create.
attached_as() {
    guest_create "$3" "$2" paused && xengt-ctl attach --type "$1" "$3"
}

# ended_well CASE NAME: or does so soon.
ended_well() {
    guest_expect "$2" '^(PASS|FAIL) ' 300 && guest_passed "$2" "$1"
}

# The machine has one CPU, and many guests that wait for the GPU take it in turns: dom0, which the GPU
# is in, gets it when it wants it.
dom0_first() {
    xl sched-credit2 -d 0 -w 65535
}

dom0_as_others() {
    xl sched-credit2 -d 0 -w 256
}

# --- guests that are Linux, with i915 (scenarios that say "needs: i915") --------------------------

# As dom0 has them (boots.py).
QUICK_LINUX="mitigations=off init_on_alloc=0 rodata=off lsm=capability cryptomgr.notests"

# linux_create NAME WORD,WORD... [OPTION...]: see tests/i915/init.sh; waits, paused, with a vGPU.
# noacpi: a PVH guest's tables know no PCI. noearly: no looking for an AGP bridge, slot by slot, on 256
# buses. error_capture: i915 reads what it keeps of a hang through the aperture, word by word.
linux_create() {
    _linux_name=$1 _words=$2
    shift 2
    : >"/run/console/guest-$_linux_name.log"
    _linux_options="console=hvc0 pci=noacpi,noearly loglevel=7 i915=error_capture=0 $QUICK_LINUX"
    vgpu_create "$_linux_name" "$_linux_options run=$_words" \
        kernel=/opt/xengt/linux ramdisk=/opt/xengt/i915.cpio mem=384 "$@"
}

_hvm_load() { # FILE ADDRESS
    echo "    \"-device\", \"loader,file=$1,addr=$2,force-raw=on\","
}

# hvm_create NAME WORD,WORD... none|stdvga [LINE...]: the same as a guest of type hvm, with firmware and
# QEMU, which has a disk for it, /run/NAME.img, a network that ends here at 10.0.9.1, and its device edu.
# The lines go into its configuration. It waits, paused, with a vGPU.
# loader: see device_model.py. xen_emul_unplug: else Linux has QEMU take disk and network away again, for
# Xen's own, whose backends nobody set up here. hvm_options: more of the kernel's command line.
hvm_create() {
    _hvm_name=$1 _words=$2 _vga=$3
    shift 3
    : >"/run/console/guest-$_hvm_name.log"
    printf '%s\0' "console=hvc0 loglevel=7 i915=error_capture=0 xen_emul_unplug=never $hvm_options run=$_words" \
        >"/run/$_hvm_name.cmdline"
    {
        echo "name=\"$_hvm_name\""
        echo 'type="hvm"'
        echo 'memory=384'
        echo "vga=\"$_vga\""
        echo 'vnc=0'
        echo 'sdl=0'
        echo 'device_model_args_hvm=['
        _hvm_load /opt/xengt/hvm-kernel 0x4000000
        _hvm_load /opt/xengt/hvm-parameters 0xbffe000
        _hvm_load "/run/$_hvm_name.cmdline" 0xbfff000
        _hvm_load /opt/xengt/i915.cpio 0xc000000
        echo "    \"-drive\", \"if=ide,format=raw,file=/run/$_hvm_name.img\","
        echo "    \"-netdev\", \"tap,id=net,ifname=$_hvm_name-net,script=no,downscript=no\","
        echo '    "-device", "e1000,netdev=net,romfile=", "-device", "edu"]'
        for _line in "$@"; do echo "$_line"; done
    } >"/run/$_hvm_name.cfg"
    xl create -e -q -p "/run/$_hvm_name.cfg" || return 1
    eval "${_hvm_name}_domid=\$(xl domid \"\$_hvm_name\")"
    ifconfig "$_hvm_name-net" 10.0.9.1 netmask 255.255.255.0 up && xengt-ctl attach "$_hvm_name"
}

# hvm_disk NAME KIB: a disk for it, random but for the first sector, which starts the kernel.
hvm_disk() {
    dd if=/dev/urandom of="/run/$1.img" bs=1024 count="$2" &&
        dd if=/opt/xengt/hvm-sector of="/run/$1.img" conv=notrunc
}

# linux_log NAME: its whole console.
linux_log() {
    tr -d '\r' <"/run/console/guest-$1.log"
}

# linux_expect NAME REGEX SECONDS: until a line of it matches; prints the matching lines.
linux_expect() {
    guest-tool expect "/run/console/guest-$1.log" "$2" "$3" && return 0
    echo "$1 has not said '$2' within $3 s; its last lines:"
    linux_log "$1" | tail -n 25
    return 1
}

# linux_passed NAME WORD SECONDS: it has done that word of its list.
linux_passed() {
    linux_expect "$1" "^(PASS|FAIL) $2\$" "$3" || return 1
    linux_log "$1" | grep -x "PASS $2" && return 0
    linux_log "$1" | tail -n 25
    return 1
}

# linux_results NAME: what its test programs said, as tests of this scenario.
linux_results() {
    linux_log "$1" | grep -E '^(ok|not ok|#|Bail out!)' >/run/results.out
    relay sed 's/^\(ok\|not ok\) [0-9]* - /\1 i915: /; s/^Bail out!/not ok i915:/' /run/results.out
}

# linux_keep NAME: its console into the log of the boot.
linux_keep() {
    linux_log "$1" | sed "s/^/[$1] /" >/dev/console
}

# --- Xen -----------------------------------------------------------------------------------------

# no_zombies [SECONDS]: no domain of this scenario lingers half dead.
no_zombies() {
    guest-tool zombies "$ZOMBIES_BEFORE" "${1:-5}" && return 0
    xl list
    return 1
}

# xen_log_mark, later xen_log_since: the lines Xen has logged in between, guests' lines included.
xen_log_mark() {
    XEN_LOG_MARK=$(xl dmesg | wc -l)
}

xen_log_since() {
    xl dmesg | tail -n "+$((XEN_LOG_MARK + 1))"
}

# iommu_mark, later one of the other two: what the IOMMU stopped in between. The harness looks into
# QEMU's own record, because Xen is not told by the AMD IOMMU that QEMU emulates.
iommu_mark() {
    tell "iommu-mark"
}

check_iommu_fault() { # BFN DESCRIPTION: DMA to that frame, and to no other
    tell "iommu-fault $*"
}

check_iommu_quiet() { # DESCRIPTION
    tell "iommu-quiet $*"
}

# --- xengtd --------------------------------------------------------------------------------------

_xengtd_answers() {
    xengt-ctl list >/dev/null 2>&1
}

# xengtd_start [OPTION...]: until it answers; its log is /run/xengtd.log. Unless an option says
# otherwise stores into the global GTT are trapped, so that scenarios can count them.
xengtd_start() {
    xengtd --lazy-ggtt false "$@" >/run/xengtd.log 2>&1 &
    xengtd_pid=$!
    wait_until 30 _xengtd_answers && return 0
    cat /run/xengtd.log
    return 1
}

# An orderly end. Fails when it does not come, or xengtd was not content.
xengtd_stop() {
    kill "$xengtd_pid"
    wait "$xengtd_pid"
}

# taken_up NAME: the xengtd that runs says that it has taken up what one before left of the guest.
taken_up() {
    grep "domain '$1' .* taken up" /run/xengtd.log && return 0
    cat /run/xengtd.log
    return 1
}

# vgpu_create NAME "CASE ARGS" [OPTION...]: a guest that waits, paused, with its vGPU attached.
vgpu_create() {
    guest_create "$@" paused && xengt-ctl attach "$1"
}

# vgpu_run NAME "CASE ARGS" SECONDS [OPTION...]: runs a guest on its vGPU; it stays, shut down.
vgpu_run() {
    _run_name=$1 _run_case=$2 _run_seconds=$3
    shift 3
    vgpu_create "$_run_name" "$_run_case" "$@" || return 1
    guest_unpause "$_run_name"
    guest_expect "$_run_name" '^(PASS|FAIL) ' "$_run_seconds" || return 1
    guest_passed "$_run_name" "$_run_case"
}

# steps_follow SECONDS NAME...: guests with "steps=1" stop at each of their steps. All of them are
# verified then, and the one goes on; until each has said PASS.
steps_follow() {
    _limit=$1 _end=$(($(cut -d. -f1 /proc/uptime) + $1)) _verified=0
    shift
    for _name in "$@"; do eval "_steps_$_name=0"; done
    _left=$*
    while [ -n "$_left" ]; do
        _known=''
        for _name in $_left; do eval "_known=\"\$_known $(guest_domid "$_name"):\$_steps_$_name\""; done
        # shellcheck disable=SC2086 # one word for each guest
        if ! guest-tool steps $((_end - $(cut -d. -f1 /proc/uptime))) $_known >/run/steps; then
            echo "not all have passed within $_limit s:$_left"
            for _name in $_left; do guest_log "$(guest_domid "$_name")" | tail -n 5; done
            return 1
        fi
        _still=''
        for _name in $_left; do
            _step_of "$_name" "$@" || return 1
        done
        _left=$_still
    done
    echo "$_verified steps verified"
}

# The next step of a guest, if it has come to one. Fails when a proof does, or the guest.
_step_of() { # NAME ALL...
    _at=$1
    shift
    _found=$(sed -n "s/^$(guest_domid "$_at") //p" /run/steps)
    _count=${_found% *} _word=${_found#* }
    if [ "$_word" = FAIL ]; then
        guest_log "$(guest_domid "$_at")" | tail -n 5
        return 1
    fi
    [ "$_word" = PASS ] || _still="$_still $_at"
    eval "_seen=\$_steps_$_at"
    [ "$_count" -gt "$_seen" ] || return 0
    for _guest in "$@"; do
        xengt-ctl verify "$_guest" >/run/verify.out 2>&1 && continue
        echo "$_guest, when $_at was at: $(guest_log "$(guest_domid "$_at")" | grep '^step ' | tail -n 1)"
        cat /run/verify.out
        return 1
    done
    _verified=$((_verified + 1))
    eval "_steps_$_at=$((_seen + 1))"
    step_go "$_at"
}

# step_go NAME: it may leave the step at which it waits.
step_go() {
    guest-tool nmi "$(guest_domid "$1")"
}

# vgpu_steps NAME "CASE ARGS" SECONDS [OPTION...]: as vgpu_run, verified at each step.
vgpu_steps() {
    _steps_name=$1 _steps_case=$2 _steps_seconds=$3
    shift 3
    vgpu_create "$_steps_name" "$_steps_case steps=1" "$@" || return 1
    guest_unpause "$_steps_name"
    steps_follow "$_steps_seconds" "$_steps_name"
}

# vgpu_stat NAME KEY: one figure of xengt-ctl stats, e.g. mappings.map_calls
vgpu_stat() {
    xengt-ctl stats "$1" | sed -n "s/^$2: //p"
}

# vgpu_stat_is NAME KEY OPERATOR NUMBER, e.g. vgpu_stat_is g mappings.map_calls -le 4
vgpu_stat_is() {
    _value=$(vgpu_stat "$1" "$2")
    echo "$2 is '$_value'"
    test "$_value" "$3" "$4"
}

# fails_with REGEX COMMAND...: exit status 1 and one line that matches, no more.
fails_with() {
    exits_with 1 "$@"
}

# exits_with STATUS REGEX COMMAND...: the same with another exit status.
exits_with() {
    _wanted=$1 _regex=$2
    shift 2
    "$@" >/run/fails.out 2>&1
    _status=$?
    cat /run/fails.out
    [ "$_status" -eq "$_wanted" ] || { echo "exit status $_status, not $_wanted"; return 1; }
    [ "$(wc -l </run/fails.out)" -eq 1 ] || { echo "not one line"; return 1; }
    grep -Eq "$_regex" /run/fails.out || { echo "does not say '$_regex'"; return 1; }
}
