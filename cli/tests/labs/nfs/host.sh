#!/usr/bin/env bash
# Runs `guest.sh` in a guest: a real NFS server and its clients. Needs root, and installs what it needs.
#
#   host.sh WORK REPLUG LOOKER    WORK keeps the kernel between runs and receives `results`; the others are programs to run
#
# `REPLUG_NFS` names turns (v4, v3, 9p) and cases (the functions in `nfs_cases` of guest.sh), for working on one of them:
# REPLUG_NFS='v3 unmounted soft'. All, if it is empty.
set -euo pipefail
work=$(realpath -m "$1")
replug=$(realpath "$2")
looker=$(realpath "$3")
here=$(cd "$(dirname "$0")" && pwd)

missing=()
for tool in exportfs:nfs-kernel-server mount.nfs:nfs-common rpcbind:rpcbind ip:iproute2; do
    PATH=$PATH:/usr/sbin:/sbin command -v "${tool%%:*}" >/dev/null || missing+=("${tool##*:}")
done
if [ "${#missing[@]}" -gt 0 ]; then
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}"
fi

# Builds to be loaded, each answering with its number; the last is never published over another.
mkdir -p "$work/plugins"
for build in $(seq 1 31); do
    [ -e "$work/plugins/$build.so" ] && continue
    printf '#include <stdlib.h>\n#include <string.h>\nchar *plugin_function(const char *in) { (void)in; return strdup("build %s"); }\nvoid plugin_free(char *text) { free(text); }\n' "$build" |
        cc -shared -fPIC -x c -o "$work/plugins/$build.so" -
done

rm -rf "$work/behind"
mkdir -p "$work/out" "$work/behind/files"
. "$here/writers.sh"
# What the guest orders to be written on this side.
follow_orders() {
    local order how file build
    while sleep 0.02; do
        for order in "$work"/out/order.*; do
            [ -e "$order" ] || continue
            read -r how file build < "$order"
            "$how" "$work/behind/files/$file" "$work/plugins/$build.so"
            rm "$order"
        done
    done
}
rm -f "$work"/out/order.*
follow_orders &
follower=$!
trap 'kill "$follower"' EXIT
devices=
for user in '' .stat .notify; do
    devices+=" -virtfs local,path=$work/behind,mount_tag=behind$user,security_model=none,multidevs=remap"
done
export devices
# The compiler of a build in the guest. What rustup puts first in the path would look for its settings.
cargo=$(rustc --print sysroot)/bin/cargo
# shellcheck disable=SC2086 # several words
memory=4096 minutes=75 "$here/../guest/boot.sh" "$work" "$here/guest.sh" "$replug" "$work/plugins" "$looker" "$cargo" ${REPLUG_NFS:-}
if ! grep -q '^done$' "$work/out/results" 2>/dev/null; then
    echo 'the guest did not come to its end; its console:' >&2
    tail -n 50 "$work/console" >&2
    exit 1
fi
cat "$work/out/results"
