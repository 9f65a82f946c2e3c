#!/usr/bin/env bash
# Boots a small guest under software emulation, whose root is this machine's root, read-only, and runs `guest.sh` in it:
# a real NFS server and its clients. Needs root, and installs what it needs.
#
#   host.sh WORK REPLUG LOOKER    WORK keeps the kernel between runs and receives `results`; the others are programs to run
set -euo pipefail
work=$(realpath -m "$1")
replug=$(realpath "$2")
looker=$(realpath "$3")
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$work/out"

missing=()
for tool in qemu-system-x86_64:qemu-system-x86 busybox:busybox-static cpio:cpio depmod:kmod \
    exportfs:nfs-kernel-server mount.nfs:nfs-common rpcbind:rpcbind mkfs.ext4:e2fsprogs ip:iproute2; do
    PATH=$PATH:/usr/sbin:/sbin command -v "${tool%%:*}" >/dev/null || missing+=("${tool##*:}")
done
if [ "${#missing[@]}" -gt 0 ]; then
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}" seabios ipxe-qemu
fi

# The kernel of this distribution, unpacked and not installed.
if [ ! -e "$work/kernel/ready" ]; then
    rm -rf "$work/kernel"
    mkdir -p "$work/kernel"
    package=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image-/ { print $2; exit }')
    (cd "$work/kernel" && apt-get download -q "$package" && dpkg-deb -x ./*.deb . && rm ./*.deb)
    version=$(basename "$work"/kernel/lib/modules/*)
    depmod -b "$work/kernel" "$version"
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
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=512000 hostroot /root
for place in proc sys dev; do mount --move /\$place /root/\$place; done
for place in run mnt var/lib/nfs; do mount -t tmpfs tmpfs /root/\$place; done
mkdir -p /root/dev/shm /root/mnt/out
mount -t tmpfs tmpfs /root/dev/shm
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 out /root/mnt/out
exec switch_root /root /bin/bash $here/guest.sh $work/kernel $replug $work/plugins $looker
INIT
chmod +x "$initial/init"
(cd "$initial" && find . | cpio --quiet -o -H newc | gzip -1 > "$work/initial.gz")

# Builds to be loaded, each answering with its number.
mkdir -p "$work/plugins"
for build in $(seq 1 30); do
    [ -e "$work/plugins/$build.so" ] && continue
    printf '#include <stdlib.h>\n#include <string.h>\nchar *plugin_function(const char *in) { (void)in; return strdup("build %s"); }\nvoid plugin_free(char *text) { free(text); }\n' "$build" |
        cc -shared -fPIC -x c -o "$work/plugins/$build.so" -
done

rm -rf "$work"/out/* "$work/behind"
mkdir -p "$work/behind/9p"
. "$here/writers.sh"
# What the guest orders to be written on this side.
follow_orders() {
    local order how file build
    while sleep 0.02; do
        for order in "$work"/out/order.*; do
            [ -e "$order" ] || continue
            read -r how file build < "$order"
            "$how" "$work/behind/9p/$file" "$work/plugins/$build.so"
            rm "$order"
        done
    done
}
follow_orders &
follower=$!
trap 'kill "$follower"' EXIT
behind=()
for user in '' .stat .notify; do
    behind+=(-virtfs "local,path=$work/behind,mount_tag=behind$user,security_model=none,multidevs=remap")
done
# Emulation takes its time, and a guest that hangs must not hang the lab.
timeout 2700 qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 2048 -nographic -no-reboot -nodefaults \
    -serial stdio -monitor none -kernel "$work"/kernel/boot/vmlinuz-* -initrd "$work/initial.gz" \
    -append 'console=ttyS0 panic=-1 quiet mitigations=off tsc=reliable edd=off' \
    -virtfs local,path=/,mount_tag=hostroot,security_model=none,readonly=on,multidevs=remap \
    "${behind[@]}" \
    -virtfs "local,path=$work/out,mount_tag=out,security_model=none,multidevs=remap" < /dev/null > "$work/console" 2>&1 || true
if ! grep -q '^done$' "$work/out/results" 2>/dev/null; then
    echo 'the guest did not come to its end; its console:' >&2
    tail -n 50 "$work/console" >&2
    exit 1
fi
cat "$work/out/results"
