#!/usr/bin/env bash
# Runs in the guest that `host.sh` boots: an NFS server on an ext4 of its own, mounted over loopback with NFS v4.2 and v3 as
# distributions mount it. Writers work on the server's disk, replug watches through a mount. Writes a line for each result.
set -uo pipefail
kernel=$1
replug=$2
plugins=$3
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
results=/mnt/out/results
interval=250

say() { printf '%s\n' "$*" | tee -a "$results"; }
fail() { say "FAILED $*"; finish; }
finish() {
    say done
    sync
    echo o > /proc/sysrq-trigger
    sleep 60
}
trap finish EXIT

# Milliseconds since the guest started, without a process.
now() { local time=${EPOCHREALTIME/./}; now=$((time / 1000)); }

serve() {
    ip link set lo up
    for module in brd ext4 nfs nfsv3 nfsv4 nfsd; do
        options=
        [ $module = brd ] && options=rd_size=131072
        modprobe -d "$kernel" $module $options || fail "module $module"
    done
    mkdir -p /mnt/export /mnt/v3 /mnt/v4 /run/rpcbind /var/lib/nfs/{rpc_pipefs,v4recovery,sm,sm.bak}
    touch /var/lib/nfs/{etab,rmtab,state}
    mkfs.ext4 -q /dev/ram0 && mount /dev/ram0 /mnt/export || fail export
    mount -t nfsd nfsd /proc/fs/nfsd
    mount -t rpc_pipefs rpc_pipefs /var/lib/nfs/rpc_pipefs
    rpcbind -w
    exportfs -i -o rw,sync,no_root_squash,no_subtree_check,insecure,fsid=0 127.0.0.1:/mnt/export || fail exportfs
    rpc.statd --no-notify
    rpc.mountd
    rpc.nfsd -L 10 -G 10 2 || fail nfsd
    mount -t nfs -o vers=4.2,nosharecache 127.0.0.1:/ /mnt/v4 || fail 'mount v4.2'
    mount -t nfs -o vers=3,nosharecache 127.0.0.1:/mnt/export /mnt/v3 || fail 'mount v3'
}

build=0
next_build() { build=$((build % 30 + 1)); }

# The ways of publishing, on the server's disk.
rename_in() { next_build; cp "$plugins/$build.so" "$1.new"; mv "$1.new" "$1"; }
write_in_place() { next_build; cat "$plugins/$build.so" > "$1"; }
link_in() { next_build; cp "$plugins/$build.so" "$1.deps$build"; rm -f "$1"; ln "$1.deps$build" "$1"; }

# start PATH [OPTIONS]: replug watches PATH; what it says is read with `await`.
start() {
    local path=$1
    shift
    coproc REPLUG { exec "$replug" run --json --interval-ms $interval --every-ms 200 --stage-dir /run "$@" "$path" 2>>/mnt/out/stderr; }
    said=
}
# await EVENT SECONDS: the milliseconds until it says so, in `took`.
await() {
    local line begun
    now; begun=$now
    while IFS= read -r -t "$2" -u "${REPLUG[0]}" line; do
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
    kill -TERM "$REPLUG_PID" 2>/dev/null
    await stopped 10
    wait "$REPLUG_PID" 2>/dev/null
}
count() { grep -c "\"event\":\"$1\"" <<< "$said"; }

# plain FILE SECONDS: how long plain stat shows what was.
plain() {
    local before=$1 file=$2 begun
    now; begun=$now
    while [ "$(stat -c '%Y %y %s %i' "$file" 2>/dev/null)" = "$before" ]; do
        now
        [ $((now - begun)) -gt $(($3 * 1000)) ] && { took="more than $(($3 * 1000))"; return; }
        sleep 0.2
    done
    now; took=$((now - begun))
}

changes() {
    local mount=$1 file=/mnt/export/lib$1.so seen=/mnt/$1/lib$1.so
    stat "$seen" 2>/dev/null
    start "$seen"
    await waiting 20
    drain 2
    rename_in "$file"
    await loaded 90; say "$mount new-file replug $took"
    drain 3
    rename_in "$file"
    await loaded 90; say "$mount rename replug $took"
    drain 3
    write_in_place "$file"
    await loaded 90; say "$mount in-place replug $took"
    drain 3
    link_in "$file"
    await loaded 90; say "$mount link replug $took"
    drain 100
    rename_in "$file"
    await loaded 90; say "$mount quiet-rename replug $took"
    stop
    say "$mount said missing $(count missing) degraded $(count degraded) loaded $(count loaded)"
}

changes_seen_plainly() {
    local mount=$1 file=/mnt/export/plain.so seen=/mnt/$1/plain.so before
    rename_in "$file"
    before=$(stat -c '%Y %y %s %i' "$seen")
    sleep 3
    rename_in "$file"
    plain "$before" "$seen" 90; say "$mount rename plain-stat $took"
    # Looked at all the time, as a poller does, nothing changes for a hundred seconds.
    before=$(stat -c '%Y %y %s %i' "$seen")
    for _ in $(seq 1 200); do stat "$seen" > /dev/null; sleep 0.5; done
    before=$(stat -c '%Y %y %s %i' "$seen")
    rename_in "$file"
    plain "$before" "$seen" 90; say "$mount quiet-rename plain-stat $took"
    stat "/mnt/$mount/late.so" 2>/dev/null
    before=$(stat -c '%Y %y %s %i' "/mnt/$mount/late.so" 2>/dev/null)
    next_build; cp "$plugins/$build.so" /mnt/export/late.so
    plain "$before" "/mnt/$mount/late.so" 90; say "$mount new-file plain-stat $took"
    rm -f /mnt/export/late.so
}

# Requests over the wire for each idle poll: those of a longer watch without those of a shorter one, which reads and audits
# just as often.
requests() {
    local mount=$1 artifacts=$2 directory=/mnt/export/many$2 number seconds
    local -A sent polls
    mkdir -p "$directory"
    for number in $(seq 1 "$artifacts"); do ln "$plugin_on_server" "$directory/lib$number.so"; done
    for seconds in 20 50; do
        sent[$seconds]=$(sent_so_far "$mount")
        start "/mnt/$mount/many$2" --every-ms 1000
        drain $seconds
        stop
        sent[$seconds]=$(($(sent_so_far "$mount") - ${sent[$seconds]}))
        polls[$seconds]=${last##*\"polls\":}
        polls[$seconds]=${polls[$seconds]%%,*}
    done
    rm -r "$directory"
    local more=$((sent[50] - sent[20])) idle=$((polls[50] - polls[20]))
    say "$mount requests artifacts $artifacts requests $more polls $idle"
}
sent_so_far() {
    awk -v mount="/mnt/$1" '$1 == "device" { ours = $5 == mount } ours && $1 == "xprt:" { sum += $8 } END { print sum }' \
        /proc/self/mountstats
}

# The server goes away for half a minute under a host that goes on calling.
outage() {
    local mount=$1 file=/mnt/export/lib$1.so seen=/mnt/$1/lib$1.so before
    rename_in "$file"
    start "$seen"
    await loaded 60
    drain 2
    rpc.nfsd 0
    now; stopped_at=$now
    results_seen=0
    local stalled=never
    if await stalled 20; then stalled=$took; fi
    rename_in "$file"
    drain 25
    calls=$results_seen
    rpc.nfsd -L 10 -G 10 2
    now; local back=$now
    local loaded=never recovered=never line
    while [ "$loaded" = never ] || [ "$recovered" = never ]; do
        IFS= read -r -t 60 -u "${REPLUG[0]}" line || break
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
}

serve
say "kernel $(uname -r)"
plugin_on_server=/mnt/export/.plugin
cp "$plugins/1.so" "$plugin_on_server"
for mount in v4 v3; do changes $mount; done
for mount in v4 v3; do outage $mount; done
for mount in v4 v3; do for artifacts in 1 100; do requests $mount $artifacts; done; done
for mount in v4 v3; do changes_seen_plainly $mount; done
