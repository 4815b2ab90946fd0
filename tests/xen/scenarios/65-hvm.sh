# SPDX-License-Identifier: LGPL-2.1-or-later
# Debian's kernel in a guest of type hvm: QEMU is its device model, hvmloader places the vGPU's BARs,
# i915 drives it, and QEMU's disk and network work beside it.
# boots: i915
# needs: i915 qemu
# timeout: 900
# takes: 300

work=test:identity:store:pinned:fill:copy:userptr:requests=20

says() {
    linux_log hvm | grep -E "$1"
}

# A file to fetch, and a disk that ends in a sector to write.
make_files() {
    mkdir -p /run/www && insmod /opt/xengt/tun.ko || return 1
    dd if=/dev/urandom of=/run/www/file bs=1024 count=512
    dd if=/dev/urandom of=/run/hvm.img bs=1024 count=4096
    net_sum=$(md5sum </run/www/file)
    disk_sum=$(md5sum </run/hvm.img)
}

check "there is a disk and a file" make_files
check "xengtd starts" xengtd_start --dma cpu --lazy-ggtt true
check "an HVM guest waits with its vGPU" hvm_create hvm "disk,net:10.0.9.1,load,irqs,$work,disk" none
httpd -p 10.0.9.1:8000 -h /run/www
guest_unpause hvm
check "Linux is up" linux_expect hvm "^RUN disk" 400
check "its disk works" linux_passed hvm disk 60
check "and has what it should" says "^disk $disk_sum"
