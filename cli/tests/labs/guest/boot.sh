#!/usr/bin/env bash
# Boots a small guest under software emulation, whose root is this machine's root, read-only, and runs a command in it.
# Needs root, and installs what it needs.
#
#   boot.sh WORK COMMAND [ARGUMENT...]
#
# WORK keeps the kernel between runs. The command finds it as the variable `kernel`, and a directory that it can write to,
# which is WORK/out, at /mnt/out; /run, /mnt and /var/lib/nfs are empty and its own. `processors` says how qemu
# emulates them, `devices` what else it emulates, `boot_options` what else the kernel is told, `memory` how many MiB it has,
# and `minutes` how long it may take.
set -euo pipefail
work=$(realpath -m "$1")
shift
processors=${processors:--accel tcg,thread=multi -cpu max -smp 2}
mkdir -p "$work/out"

missing=()
for tool in qemu-system-x86_64:qemu-system-x86 busybox:busybox-static cpio:cpio depmod:kmod mkfs.ext4:e2fsprogs; do
    PATH=$PATH:/usr/sbin:/sbin command -v "${tool%%:*}" >/dev/null || missing+=("${tool##*:}")
done
if [ "${#missing[@]}" -gt 0 ]; then
    apt-get update -q >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}" seabios ipxe-qemu >&2
fi

# The kernel of this distribution, unpacked and not installed.
if [ ! -e "$work/kernel/ready" ]; then
    rm -rf "$work/kernel"
    mkdir -p "$work/kernel"
    package=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image-/ { print $2; exit }')
    (cd "$work/kernel" && apt-get download -q "$package" >&2 && dpkg-deb -x ./*.deb . && rm ./*.deb)
    depmod -b "$work/kernel" "$(basename "$work"/kernel/lib/modules/*)"
    touch "$work/kernel/ready"
fi
version=$(basename "$work"/kernel/lib/modules/*)

# A first root that knows how to find the real one.
initial="$work/initial"
rm -rf "$initial"
mkdir -p "$initial"/{bin,modules,proc,sys,dev,root}
cp "$(command -v busybox)" "$initial/bin/busybox"
modprobe -d "$work/kernel" -S "$version" --show-depends -a virtio_pci 9pnet_virtio 9p |
    awk '/^insmod/ { print $2 }' | awk '!seen[$0]++' > "$work/modules"
number=100
while read -r module; do
    cp "$module" "$initial/modules/$number-$(basename "$module")"
    number=$((number + 1))
done < "$work/modules"
cat > "$initial/init" <<INIT
#!/bin/busybox sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in /modules/*; do insmod \$module; done
mkdir /host
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=512000 hostroot /host
# The root itself is in memory: on 9p, each path that begins there would be asked for.
mount -t tmpfs tmpfs /root
mkdir /root/proc /root/sys /root/dev /root/run /root/mnt
for place in proc sys dev; do mount --move /\$place /root/\$place; done
for entry in /host/*; do
    name=\${entry##*/}
    if [ -h \$entry ]; then cp -d \$entry /root/
    elif [ -d \$entry ] && [ ! -e /root/\$name ]; then mkdir /root/\$name && mount --bind \$entry /root/\$name
    fi
done
[ -d /root/var/lib/nfs ] && mount -t tmpfs tmpfs /root/var/lib/nfs
mkdir -p /root/dev/shm /root/mnt/out
mount -t tmpfs tmpfs /root/dev/shm
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 out /root/mnt/out
export kernel=$work/kernel TMPDIR=/run
exec switch_root /root /bin/bash $(printf '%q ' "$@")
INIT
chmod +x "$initial/init"
(cd "$initial" && find . | cpio --quiet -o -H newc | gzip -1 > "$work/initial.gz")

rm -rf "$work"/out/*
# Emulation takes its time, and a guest that hangs must not hang whoever waits for it.
# shellcheck disable=SC2086 # several options each
timeout $((${minutes:-45} * 60)) qemu-system-x86_64 $processors -m "${memory:-2048}" -nographic -no-reboot -nodefaults \
    -serial stdio -monitor none -kernel "$work"/kernel/boot/vmlinuz-* -initrd "$work/initial.gz" \
    -append 'console=ttyS0 panic=-1 quiet mitigations=off tsc=reliable edd=off '"${boot_options:-}" \
    -virtfs local,path=/,mount_tag=hostroot,security_model=none,readonly=on,multidevs=remap ${devices:-} \
    -virtfs "local,path=$work/out,mount_tag=out,security_model=none,multidevs=remap" < /dev/null > "$work/console" 2>&1 || true
