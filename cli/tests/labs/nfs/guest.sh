#!/usr/bin/env bash
# Runs in a guest whose kernel is at `$kernel`: an NFS server on an ext4 of its own, mounted over loopback with NFS v4.2 and
# then with v3, as distributions mount it, and by a second client behind a network of its own; and 9p from the guest's host.
# They take turns: while it is the turn of one, nothing of another is mounted or runs. Writes a line for each result.
#
#   guest.sh REPLUG PLUGINS LOOKER CARGO [TURN|CASE]..    without a turn all of them, without a case all of them
set -uo pipefail
replug=$1 plugins=$2 looker=$3 cargo=$4
shift 4
here=$(dirname "$0")
for part in writers server watch changes costs troubles; do . "$here/$part.sh"; done
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
results=/mnt/out/results
interval=250
# For how many seconds pollers as they are usually written are waited for.
patience=60

# say MOUNT NAME [KEY VALUE]..: a line for `main.rs`. A value may be several, with commas between them.
say() { printf '%s\n' "$*" | tee -a "$results"; }
joined() { local IFS=,; echo "${*:-none}"; }
fail() { say "FAILED $*"; finish; }
finish() {
    say done
    sync
    echo o > /proc/sysrq-trigger
    sleep 60
}
trap finish EXIT

build=0
# publish HOW FILE: the next build. A file on the HOST is written there, where the 9p server is, behind the back of its client.
publish() {
    build=$((build % 30 + 1))
    local order=/mnt/out/order.$build
    case $2 in
    HOST/*)
        begin
        echo "$1 ${2#HOST/} $build" > /mnt/out/draft
        mv /mnt/out/draft "$order"
        while [ -e "$order" ]; do sleep 0.02; done
        [ "$1" != write_in_place ] || end
        ;;
    *) "$1" "$2" "$plugins/$build.so" ;;
    esac
}
# build_into FILE: the next build, in a place that nobody looks at yet.
build_into() { publish rename_in "$1"; }

nfs_cases=(requests second way_server way_second cargo_builds same_tick whole_seconds outage hung_start hung_stop unmounted
    before_mount soft withdrawn many files)
turns=() cases=()
for word in "$@"; do
    case $word in v4 | v3 | 9p) turns+=("$word") ;; *) cases+=("$word") ;; esac
done
[ ${#turns[@]} -gt 0 ] || turns=(v4 v3 9p)
[ ${#cases[@]} -gt 0 ] || cases=("${nfs_cases[@]}")

# A client that believes itself, in front of a server that is this machine's host. What it does not see soon it does not see
# at all.
turn_9p() {
    local user patience=5
    mount=9p doing=files
    for user in '' .stat .notify; do
        mkdir /mnt/9p$user
        mount -t 9p -o trans=virtio,version=9p2000.L,cache=loose "behind$user" /mnt/9p$user || fail "mount 9p$user"
    done
    changes HOST/lib.so new-file rename in-place link
    say "9p time files $SECONDS"
}
turn_nfs() {
    mount=$1
    attach "$mount"
    for doing in "${cases[@]}"; do
        local begun_doing=$SECONDS
        "$doing"
        say "$mount time $doing $((SECONDS - begun_doing))"
    done
    detach "$mount"
}

serve
say "kernel $(uname -r)"
case " ${cases[*]} " in
*' cargo_builds '*)
    # The compiler is read from the guest's host the first time.
    mkdir /mnt/export/warm
    cargo_package /mnt/export/warm
    cargo_build /mnt/export/warm || fail 'cargo does not build'
    rm -r /mnt/export/warm
    say "warm $SECONDS"
    ;;
esac
for turn in "${turns[@]}"; do
    case $turn in 9p) turn_9p ;; *) turn_nfs "$turn" ;; esac
done
