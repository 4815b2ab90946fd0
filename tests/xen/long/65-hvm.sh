# SPDX-License-Identifier: LGPL-2.1-or-later
# Debian's kernel in a guest of type hvm: QEMU is its device model, hvmloader places the vGPU's BARs,
# i915 drives it, and QEMU's disk and network work beside it; also after xengtd was killed.
# needs: i915 qemu
# timeout: 1200
# takes: 630

work=test:identity:store:pinned:fill:copy:userptr:requests=20

says() {
    linux_log hvm | grep -E "$1"
}

# A file to fetch, and a disk that ends in a sector to write.
make_files() {
    mkdir -p /run/www && insmod /opt/xengt/tun.ko || return 1
    dd if=/dev/urandom of=/run/www/file bs=1024 count=512
    hvm_disk hvm 2048 || return 1
    net_sum=$(md5sum </run/www/file)
    disk_sum=$(md5sum </run/hvm.img)
}

# What hvmloader said of it, in the first guest.
placed() { # BAR SIZE
    guest_log "$hvm_domid" | grep -E "^pci dev 1f:0 bar $1 size $2: "
}

device_model_of() { # NAME
    for _process in /proc/[0-9]*; do
        case "$(tr '\0' ' ' <"$_process/cmdline")" in
        */xen-qemu-system-i386*"-name $1 "*) echo "${_process#/proc/}" ;;
        esac
    done | grep .
}

check "there is a disk and a file" make_files
check "xengtd starts" xengtd_start --dma cpu --lazy-ggtt true
check "an HVM guest waits with its vGPU" hvm_create hvm \
    "disk,misplace,net:10.0.9.1,load,irqs,$work,test:hang,reload,test:store,disk" none
httpd -p 10.0.9.1:8000 -h /run/www
guest_unpause hvm
check "Linux is up" linux_expect hvm "^RUN disk" 400
check "hvmloader has placed the registers" placed 10 001000000
check "and the aperture" placed 18 020000000
check "QEMU's disk works" linux_passed hvm disk 60
check "and holds what it should" says "^disk $disk_sum"
check "registers over RAM and over QEMU's network harm nothing" linux_passed hvm misplace 60
check "QEMU's network works" linux_passed hvm net:10.0.9.1 60
check "and brings what it should" says "^net $net_sum"
check "i915 is loaded, sound and has a device" linux_passed hvm load 240
note "i915's probe made $(vgpu_stat hvm access.ioreqs) ioreqs"
check "QEMU's bridge is found" says "^pci 0000:00:00.0 0x8086 0x1237 0x060000"
check "Xen's platform device is where QEMU has it" says "^pci 0000:00:02.0 0x5853 0x0001"
check "the vGPU is found" says "^pci 0000:00:1f.0 0x8086 0x1616 0x038000"
check "i915 knows that it is virtual" says "Virtual GPU for Intel GVT-g detected"
check "interrupts come" linux_passed hvm irqs 30
note "$(says 'PCI-MSI.*i915|pirq.*i915')"
check "programs do their work" linux_passed hvm "$work" 240
check "the proof is clean" xengt-ctl verify hvm
check "a hang is reset" linux_passed hvm test:hang 240
check "i915 goes out and in again" linux_passed hvm reload 240
check "and works" linux_passed hvm test:store 60
check "the proof is clean after all" xengt-ctl verify hvm
check "the disk still works" linux_expect hvm '^done' 60
check "what the guest has written is on it" sh -c "tail -c 512 /run/hvm.img | grep 'written by the guest'"
check "nothing has failed" sh -c "! grep -E '^(FAIL|Bail)' /run/console/guest-hvm.log"
linux_results hvm
check "the vGPU is not in failsafe" sh -c "xengt-ctl stats hvm | grep '^failsafe_reason: -'"
guest_destroy hvm
check "no zombies" no_zombies 20

# One of the two ends first, here with a graphics card of QEMU's beside the vGPU.
cp /run/hvm.img /run/vga.img
check "a guest with QEMU's VGA" hvm_create vga \
    load,test:identity,beat,sleep:60,reload,test:store,sleep:600 stdvga
guest_unpause vga
check "both are found" linux_expect vga "^pci .* 0x1234 0x1111 0x030000" 400
check "and i915 drives the vGPU" linux_passed vga test:identity 120
kill -KILL "$xengtd_pid"
beats=$(linux_log vga | grep -c beat)
sleep 10
check "without xengtd the guest goes on" test "$(linux_log vga | grep -c beat)" -gt "$beats"
check "another xengtd starts" xengtd_start --dma cpu --lazy-ggtt true
check "and takes the guest up" taken_up vga
check "i915 finds its vGPU where the firmware has put it" linux_passed vga reload 240
check "and works" linux_passed vga test:store 60
check "QEMU is killed" sh -c "kill -KILL $(device_model_of vga)"
check "the vGPU is still there" xengt-ctl verify vga
guest_destroy vga
check "no zombies without QEMU" no_zombies 20
check "xengtd ends in order" xengtd_stop
