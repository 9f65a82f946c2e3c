#!/usr/bin/env bash
# Runs in a guest whose kernel is at `$kernel`: an NFS server on an ext4 of its own, mounted over loopback with NFS v4.2 and v3
# as distributions mount it, and by a second client behind a network of its own; and 9p from the guest's host. Writers work on
# the server's disk or through the second client, replug watches through a mount, and pollers as they are usually written
# through mounts of their own, so that none profits from what another asked for. Writes a line for each result.
set -uo pipefail
replug=$1
plugins=$2
looker=$3
. "$(dirname "$0")/writers.sh"
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
results=/mnt/out/results
interval=250
# For how many seconds pollers as they are usually written are waited for.
patience=90

say() { printf '%s\n' "$*" | tee -a "$results"; }
fail() { say "FAILED $*"; finish; }
finish() {
    say done
    sync
    echo o > /proc/sysrq-trigger
    sleep 60
}
trap finish EXIT

serve() {
    ip link set lo up
    for module in brd ext4 nfs nfsv3 nfsv4 nfsd veth; do
        options=
        [ $module = brd ] && options=rd_size=131072
        modprobe -d "$kernel" $module $options || fail "module $module"
    done
    mkdir -p /mnt/export /run/rpcbind /var/lib/nfs/{rpc_pipefs,v4recovery,sm,sm.bak}
    touch /var/lib/nfs/{etab,rmtab,state}
    mkfs.ext4 -q /dev/ram0 && mount /dev/ram0 /mnt/export || fail export
    mkdir /mnt/export/v4 /mnt/export/v3
    ip netns add second
    ip link add first0 type veth peer name second0 netns second
    ip address add 10.0.0.1/24 dev first0 && ip link set first0 up
    ip -n second link set lo up
    ip -n second address add 10.0.0.2/24 dev second0 && ip -n second link set second0 up || fail 'second network'
    ip netns exec second sh -c 'echo second > /sys/fs/nfs/net/nfs_client/identifier' || fail 'second identity'
    mount -t nfsd nfsd /proc/fs/nfsd
    mount -t rpc_pipefs rpc_pipefs /var/lib/nfs/rpc_pipefs
    rpcbind -w
    for client in 127.0.0.1 10.0.0.2; do
        exportfs -i -o rw,sync,no_root_squash,no_subtree_check,insecure,fsid=0 $client:/mnt/export || fail exportfs
    done
    rpc.statd --no-notify
    rpc.mountd
    rpc.nfsd -L 10 -G 10 2 || fail nfsd
    local user
    for user in '' .stat .notify; do
        mkdir /mnt/v4$user /mnt/v3$user
        mount -t nfs -o vers=4.2,nosharecache 127.0.0.1:/ /mnt/v4$user || fail "mount v4$user"
        mount -t nfs -o vers=3,nosharecache 127.0.0.1:/mnt/export /mnt/v3$user || fail "mount v3$user"
    done
    # A client that believes itself, in front of a server that is this machine's host.
    for user in '' .stat .notify; do
        mkdir /mnt/9p$user
        mount -t 9p -o trans=virtio,version=9p2000.L,cache=loose "behind$user" /mnt/9p$user || fail "mount 9p$user"
    done
    mkdir /mnt/v4.second /mnt/v3.second
    local second='nsenter --net=/run/netns/second mount -t nfs'
    $second -o vers=4.2 10.0.0.1:/ /mnt/v4.second || fail 'second v4.2'
    $second -o vers=3,nolock 10.0.0.1:/mnt/export /mnt/v3.second || fail 'second v3'
}

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

# start PATH [OPTIONS]: replug watches PATH; what it says is read with `await`.
start() {
    local path=$1
    shift
    coproc REPLUG { exec "$replug" run --json --interval-ms $interval --every-ms 200 --stage-dir /run "$@" "$path" 2>>/mnt/out/stderr; }
    pid=$REPLUG_PID
    # The shell forgets its own end of the pipe when the process has ended, and there may be more to read.
    exec {from}<&"${REPLUG[0]}"
    said=
}
# await EVENT SECONDS: reads until it says so; `took` is how long that was, in milliseconds.
await() {
    local line begun
    now; begun=$now
    while IFS= read -r -t "$2" -u $from line; do
        case $line in
        *'"event":"result"'*) results_seen=$((results_seen + 1)) ;;
        *) said="$said$line"$'\n' ;;
        esac
        now
        case $line in *"\"event\":\"$1\""*) took=$((now - begun)); last=$line; return 0 ;; esac
        [ $((now - begun)) -gt $(($2 * 1000)) ] && break
    done
    took=never
    return 1
}
results_seen=0
drain() { await 'nothing is called that' "$1" || true; }
stop() {
    kill -TERM "$pid" 2>/dev/null
    await stopped 20
    wait "$pid" 2>/dev/null
    exec {from}<&-
}
count() { grep -c "\"event\":\"$1\"" <<< "$said"; }

# loaded: how long after the change replug had loaded it.
loaded() { if await loaded 90; then took=$((now - changed)); fi; }

# looked MOUNT HOW: how long after the change had begun that poller saw anything of it.
looked() {
    local line
    while :; do
        line=$(awk -v begun="$begun" '$1 + 0 >= begun { print $1; exit }' "/run/$1.$2")
        [ -n "$line" ] && { took=$((line - begun)); return; }
        now
        [ $((now - begun)) -gt $((patience * 1000)) ] && { took=never; return; }
        drain 1
    done
}

# changes MOUNT FILE CHANGE..: the same changes for replug and the two others, each of which has its own mount.
changes() {
    local mount=$1 file=$2 change how lookers=()
    shift 2
    start "/mnt/$mount/$mount/lib.so"
    for how in stat notify; do
        "$looker" $how "/mnt/$mount.$how/$mount/lib.so" $interval > "/run/$mount.$how" 2>&1 &
        lookers+=($!)
    done
    await waiting 20
    drain 2
    for change in "$@"; do
        case $change in
        new-file | rename) publish rename_in "$file" ;;
        in-place) publish write_in_place "$file" ;;
        link) publish link_in "$file" ;;
        quiet-rename) drain 100; publish rename_in "$file" ;;
        esac
        loaded; say "$mount $change replug $took"
        for how in stat notify; do looked $mount $how; say "$mount $change $how $took"; done
        drain 3
    done
    kill "${lookers[@]}"
    stop
    say "$mount said missing $(count missing) degraded $(count degraded) loaded $(count loaded)"
    case $file in HOST/*) ;; *) rm -f "$file"* ;; esac
}

# Written through another client than the one that watches.
two_clients() {
    local mount=$1 file=/mnt/$1.second/$1/lib.so change
    start "/mnt/$mount/$mount/lib.so"
    await waiting 20
    drain 2
    for change in new-file rename in-place link; do
        case $change in
        new-file | rename) publish rename_in "$file" ;;
        in-place) publish write_in_place "$file" ;;
        link) publish link_in "$file" ;;
        esac
        loaded; say "$mount second-$change replug $took"
        drain 3
    done
    stop
    say "$mount second-said missing $(count missing) degraded $(count degraded) loaded $(count loaded)"
    rm -f "$file"*
}

# Requests over the wire for each idle poll: those of a longer watch without those of a shorter one, which reads just as
# often, if it is long enough for all readings. Audits would come at other times. Many libraries take an emulated client so long
# that polls are rare.
requests() {
    local mount=$1 artifacts=$2 short=$3 long=$4 directory=/mnt/export/many$2 number seconds
    local -A sent polls
    mkdir -p "$directory"
    for number in $(seq 1 "$artifacts"); do ln "$plugin_on_server" "$directory/lib$number.so"; done
    for seconds in $short $long; do
        sent[$seconds]=$(sent_so_far "$mount")
        start "/mnt/$mount/many$artifacts" --every-ms 2000 --audit off
        drain $seconds
        stop
        sent[$seconds]=$(($(sent_so_far "$mount") - ${sent[$seconds]}))
        polls[$seconds]=${last##*\"polls\":}
        polls[$seconds]=${polls[$seconds]%%,*}
    done
    rm -r "$directory"
    say "$mount requests artifacts $artifacts requests $((sent[$long] - sent[$short])) polls $((polls[$long] - polls[$short]))"
}
sent_so_far() {
    awk -v mount="/mnt/$1" '$1 == "device" { ours = $5 == mount } ours && $1 == "xprt:" { sum += $8 } END { print sum }' \
        /proc/self/mountstats
}

# The server goes away for half a minute under a host that goes on calling.
outage() {
    local mount=$1 file=/mnt/export/$1/lib.so
    publish rename_in "$file"
    start "/mnt/$mount/$mount/lib.so"
    await loaded 60
    drain 2
    rpc.nfsd 0
    now; stopped_at=$now
    results_seen=0
    local stalled=never
    if await stalled 20; then stalled=$took; fi
    publish rename_in "$file"
    drain 25
    calls=$results_seen
    rpc.nfsd -L 10 -G 10 2
    now; local back=$now
    local loaded=never recovered=never line
    while [ "$loaded" = never ] || [ "$recovered" = never ]; do
        IFS= read -r -t 60 -u $from line || break
        now
        case $line in
        *'"event":"loaded"'*) loaded=$((now - back)) ;;
        *'"event":"recovered"'*) recovered=$((now - back)) ;;
        esac
        case $line in *'"event":"result"'*) ;; *) said="$said$line"$'\n' ;; esac
    done
    drain 3
    stop
    say "$mount outage stalled $stalled calls $calls recovered $recovered loaded $loaded missing $(count missing) loads $(count loaded)"
    rm -f "$file"*
}

# It is told to end while the server does not answer.
hung_stop() {
    local mount=$1 file=/mnt/export/$1/lib.so begun
    publish rename_in "$file"
    start "/mnt/$mount/$mount/lib.so"
    await loaded 60
    drain 2
    rpc.nfsd 0
    await stalled 20
    now; begun=$now
    stop
    now
    say "$mount hung-stop said $took ended $((now - begun))"
    rpc.nfsd -L 10 -G 10 2
    rm -f "$file"*
}

serve
say "kernel $(uname -r)"
plugin_on_server=/mnt/export/.plugin
cp "$plugins/1.so" "$plugin_on_server"
for mount in v4 v3; do requests $mount 1 20 50; requests $mount 100 80 200; done
for mount in v4 v3; do two_clients $mount; done
for mount in v4 v3; do outage $mount; done
for mount in v4 v3; do hung_stop $mount; done
for mount in v4 v3; do changes $mount /mnt/export/$mount/lib.so new-file rename in-place link quiet-rename; done
# What such a client does not see soon it does not see at all.
patience=5
changes 9p HOST/lib.so new-file rename in-place link
