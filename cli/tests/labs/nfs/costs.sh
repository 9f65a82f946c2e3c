# Cases: requests over the wire for each idle poll, and how long a change takes among many libraries.

# idle NAME PATH LIBRARIES POLLS: counts over so many polls, or a minute. Audits would come at other times.
idle() {
    local polls requests
    count_polls
    start "$2" --every-ms 5000 --audit off
    while [ "$(count loaded)" -lt "$3" ]; do await loaded 120 || break; done
    # What was read is looked at once more for a while.
    drain 5
    poll_ends 1
    polls=$polls_now requests=$(sent_so_far)
    poll_ends "$4"
    requests=$(($(sent_so_far) - requests)) polls=$((polls_now - polls))
    say "$mount requests-$1 libraries $(count loaded) requests $requests polls $polls ms $idle_ms" \
        "each $(awk -v requests=$requests -v polls=$polls 'BEGIN { printf "%.1f", requests / (polls ? polls : 1) }')"
}
# poll_ends COUNT: waits until so many more polls have ended, but not much longer than a minute.
poll_ends() {
    local before begun
    now; begun=$now
    before=$(polls_so_far)
    while polls_now=$(polls_so_far) && [ $((polls_now - before)) -lt "$1" ]; do
        drain 0.1
        now
        [ $((now - begun)) -gt 70000 ] && break
    done
    now; idle_ms=$((now - begun))
}

requests() {
    local deep=/mnt/export/one/two/three
    mkdir -p $deep
    cp "$plugins/31.so" /mnt/export/lib.so
    cp "$plugins/31.so" $deep/lib.so
    idle depth-0 "/mnt/$mount/lib.so" 1 20
    check_polls
    idle depth-3 "/mnt/$mount/one/two/three/lib.so" 1 20
    stop
    rm -r /mnt/export/one /mnt/export/lib.so
}
# The kernel's count is that of replug itself.
check_polls() {
    local counted_last
    counted_last=$(polls_so_far)
    stop
    say "$mount polls counted $counted_last said $(field polls)"
}

many() {
    local libraries number times
    for libraries in 100 200; do
        mkdir /mnt/export/many
        # Files of their own: of one with many names, each look would be another when one name is taken away.
        tee /mnt/export/many/lib{1..200}.so < "$plugins/31.so" > /dev/null
        [ $libraries = 200 ] || rm /mnt/export/many/lib{101..200}.so
        idle many-$libraries "/mnt/$mount/many" $libraries 3
        times=()
        if [ $libraries = 200 ]; then
            for number in 7 107 193; do
                publish rename_in /mnt/export/many/lib$number.so
                loaded; times+=("$took")
                drain 3
            done
            say "$mount many-renamed took $(joined "${times[@]}")"
        fi
        stop
        rm -r /mnt/export/many
    done
}
