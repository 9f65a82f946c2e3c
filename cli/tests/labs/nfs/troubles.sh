# Cases: a server that is away, a mount that is away, an export that is taken back. Each is called with `mount` set.

# prepare NAME: a library of its own on the server.
prepare() {
    mkdir -p "/mnt/export/$1"
    file=/mnt/export/$1/libone.so
    publish rename_in "$file"
}

# away SECONDS: the server goes away for so long under a host that goes on calling, and a build waits for its return.
# `recovered` before that is counted apart.
away() {
    server_down
    heard[result.]=0
    stalled=never
    if await stalled 20; then stalled=$took; fi
    publish rename_in "$file"
    drain "$1"
    calls=$(count result)
    early=$(count recovered)
    server_up
    now
    back_again "$now"
}
# back_again SINCE: when it was recovered, and the waiting build loaded.
back_again() {
    local loads=$(($(count loaded) + 1)) recoveries=$(($(count recovered) + 1))
    back_loaded=never back_recovered=never
    until [ "$(count loaded)" -ge $loads ] && [ "$(count recovered)" -ge $recoveries ]; do
        local loads_before recoveries_before
        loads_before=$(count loaded) recoveries_before=$(count recovered)
        await nothing 1 || true
        now
        [ $back_loaded = never ] && [ "$(count loaded)" -gt "$loads_before" ] && back_loaded=$(since loaded "$1")
        [ $back_recovered = never ] && [ "$(count recovered)" -gt "$recoveries_before" ] && back_recovered=$(since recovered "$1")
        [ $((now - $1)) -gt 60000 ] && break
    done
}
# since EVENT TIME: how long after TIME it said so first.
since() { awk -v since="$2" -v event="\"event\":\"$1\"" '$1 >= since && index($0, event) { print $1 - since; exit }' <<< "$said"; }

outage() {
    prepare outage
    start "/mnt/$mount/outage/libone.so"
    await loaded 60
    drain 2
    away 25
    drain 3
    stop
    say "$mount outage stalled $stalled calls $calls early $early recovered $back_recovered loaded $back_loaded"
    counted outage-said
    rm -r /mnt/export/outage
}

# A mount that gives up: each look ends with an error, and none of them ends the trouble.
soft() {
    prepare soft
    attach soft soft,timeo=10,retrans=1
    start "/mnt/soft/soft/libone.so"
    await loaded 60
    drain 2
    away 35
    drain 3
    stop
    say "$mount soft stalled $stalled calls $calls early $early recovered $back_recovered loaded $back_loaded"
    counted soft-said
    detach soft
    rm -r /mnt/export/soft
}

# The server is away when it begins. The first time it is told to stop, the second time the server comes back.
hung_start() {
    local started stalled
    prepare hung
    server_down
    start "/mnt/$mount/hung/libone.so"
    if await started 10; then started=$(field t_ms); else started=never; fi
    if await stalled 10; then stalled=$(field t_ms); else stalled=never; fi
    stop
    say "$mount hung_start started $started stalled $stalled said $stopped ended $ended"
    start "/mnt/$mount/hung/libone.so"
    if await started 10; then started=$(field t_ms); else started=never; fi
    if await stalled 10; then stalled=$(field t_ms); else stalled=never; fi
    drain 5
    server_up
    now; changed=$now
    loaded
    drain 3
    stop
    say "$mount hung_back started $started stalled $stalled loaded $took"
    counted hung_back-said
    rm -r /mnt/export/hung
}

# It is told to end while the server does not answer.
hung_stop() {
    prepare hung
    start "/mnt/$mount/hung/libone.so"
    await loaded 60
    drain 2
    server_down
    await stalled 20
    stop
    say "$mount hung_stop said $stopped ended $ended"
    server_up
    rm -r /mnt/export/hung
}

# Unmounted under a watched file and a watched directory, both below the root of the mount, and mounted again.
unmounted() {
    local what path degraded recovered
    prepare below/deep
    for what in file directory; do
        path=/mnt/$mount/below/deep
        [ $what = file ] && path=$path/libone.so
        start "$path"
        await loaded 60
        drain 2
        umount -l "/mnt/$mount"
        if await degraded 10; then degraded=$took; else degraded=never; fi
        drain 3
        say "$mount unmounted-$what degraded $degraded missing $(count missing)"
        publish rename_in "$file"
        attach "$mount"
        now; back_again "$now"
        say "$mount mounted-$what recovered $back_recovered loaded $back_loaded"
        drain 2
        stop
        counted "unmounted-$what-said"
    done
    rm -r /mnt/export/below
}

# Begun before the mount.
before_mount() {
    local first placed on
    prepare before
    detach "$mount"
    start "/mnt/$mount/before/libone.so"
    await started 20
    first=$(field filesystem)
    drain 5
    attach "$mount"
    now; changed=$now
    on=never
    if await placed 20; then on=$(field filesystem) placed=$((at - changed)); else placed=never; fi
    [ "$(count loaded)" = 0 ] && await loaded 60
    took=$(since loaded "$changed")
    drain 2
    stop
    say "$mount before_mount first $first placed $placed on $on loaded ${took:-never}"
    counted before_mount-said
    rm -r /mnt/export/before
}

# The export is taken back, and given again.
withdrawn() {
    local degraded reason
    prepare withdrawn
    start "/mnt/$mount/withdrawn/libone.so"
    await loaded 60
    drain 2
    exportfs -u 127.0.0.1:/mnt/export
    if await degraded 30; then degraded=$took reason=$last; else degraded=never reason=none; fi
    drain 8
    publish rename_in "$file"
    say "$mount withdrawn degraded $degraded missing $(count missing)"
    say "$mount withdrawn reason ${reason// /_}"
    allow 127.0.0.1
    now; back_again "$now"
    say "$mount given-again recovered $back_recovered loaded $back_loaded"
    drain 2
    stop
    counted withdrawn-said
    rm -r /mnt/export/withdrawn
}
