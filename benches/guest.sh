#!/usr/bin/env bash
# Runs in a guest: a command that measures, on an ext4 in memory.
set -uo pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
for module in 'brd rd_size=786432' ext4; do
    # shellcheck disable=SC2086 # with its option
    modprobe -d "$kernel" $module
done
# As many inodes as there are files in the largest directory, and more.
mkfs.ext4 -q -N 300000 /dev/ram0
mkdir /mnt/disk && mount /dev/ram0 /mnt/disk
export TMPDIR=/mnt/disk
"$@" > /mnt/out/printed 2> /mnt/out/said
echo $? > /mnt/out/status
sync
echo o > /proc/sysrq-trigger
sleep 60
