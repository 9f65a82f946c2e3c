# The server of the lab, its clients' mounts, and what the kernel counts of them. `mount` is the version whose turn it is.

declare -A version=([v4]=4.2 [v3]=3) exported=([v4]=/ [v3]=/mnt/export)

serve() {
    ip link set lo up
    for module in brd ext4 nfs nfsv3 nfsv4 nfsd veth; do
        options=
        [ $module = brd ] && options=rd_size=262144
        modprobe -d "$kernel" $module $options || fail "module $module"
    done
    mkdir -p /mnt/export /run/rpcbind /var/lib/nfs/{rpc_pipefs,v4recovery,sm,sm.bak}
    touch /var/lib/nfs/{etab,rmtab,state}
    mkfs.ext4 -q /dev/ram0 && mount /dev/ram0 /mnt/export || fail export
    ip netns add second
    ip link add first0 type veth peer name second0 netns second
    ip address add 10.0.0.1/24 dev first0 && ip link set first0 up
    ip -n second link set lo up
    ip -n second address add 10.0.0.2/24 dev second0 && ip -n second link set second0 up || fail 'second network'
    ip netns exec second sh -c 'echo second > /sys/fs/nfs/net/nfs_client/identifier' || fail 'second identity'
    mount -t nfsd nfsd /proc/fs/nfsd
    mount -t rpc_pipefs rpc_pipefs /var/lib/nfs/rpc_pipefs
    mount -t tracefs tracefs /sys/kernel/tracing || fail tracefs
    rpcbind -w
    for client in 127.0.0.1 10.0.0.2; do allow $client; done
    rpc.statd --no-notify
    rpc.mountd
    server_up
}
# allow CLIENT [DIRECTORY NUMBER]: exports all, or a filesystem that is mounted in there.
allow() {
    exportfs -i -o "rw,sync,no_root_squash,no_subtree_check,insecure,fsid=${3:-0}" "$1:${2:-/mnt/export}" || fail exportfs
}
server_up() { rpc.nfsd -L 10 -G 10 2 || fail nfsd; }
server_down() { rpc.nfsd 0; }

# attach NAME [OPTIONS [BELOW]]: mounts the export at /mnt/NAME, with what distributions mount with, and with nothing shared.
attach() {
    mkdir -p "/mnt/$1"
    mount -t nfs -o "vers=${version[$mount]},nosharecache${2:+,$2}" "127.0.0.1:${exported[$mount]%/}/${3:-}" "/mnt/$1" ||
        fail "mount $1 as $mount"
}
# The second client has a network and a name of its own.
attach_second() {
    local options=vers=${version[$mount]}
    [ "$mount" = v3 ] && options=$options,nolock
    mkdir -p /mnt/second
    nsenter --net=/run/netns/second mount -t nfs -o "$options" "10.0.0.1:${exported[$mount]}" /mnt/second ||
        fail "second $mount"
}
detach() {
    local name
    for name in "$@"; do umount "/mnt/$name" || umount -l "/mnt/$name" || say "left $name"; done
}

# Requests that the client sent over the wire for this mount.
sent_so_far() {
    awk -v mount="/mnt/$mount" '$1 == "device" { ours = $5 == mount } ours && $1 == "xprt:" { sum += $8 } END { print sum }' \
        /proc/self/mountstats
}
# Begins to count the waits of all threads. The worker of a replug waits once for each poll.
count_polls() {
    echo '!hist:keys=common_pid' > $waits/trigger 2>/dev/null
    echo 'hist:keys=common_pid' > $waits/trigger || fail 'no count of polls'
}
polls_so_far() {
    local task worker=none
    for task in /proc/"$pid"/task/*; do
        [ "$(< "$task/comm")" = replug-watcher ] && worker=${task##*/}
    done
    awk -v worker="$worker" '{ gsub(/[{},:]/, " ") } $1 == "common_pid" && $2 == worker { polls = $4 } END { print polls + 0 }' $waits/hist
}
waits=/sys/kernel/tracing/events/syscalls/sys_enter_futex
