# A running replug, and what it says. `now` is in `writers.sh`.

# start PATH [OPTIONS]: replug watches PATH; what it says is read with `await`.
start() {
    local path=$1
    shift
    coproc REPLUG { exec "$replug" run --json --interval-ms $interval --every-ms 200 --stage-dir /run "$@" "$path" 2>>/mnt/out/stderr; }
    pid=$REPLUG_PID
    # The shell forgets its own end of the pipe when the process has ended, and there may be more to read.
    exec {from}<&"${REPLUG[0]}"
    said= gone_from=() gone_to=()
    heard=()
    echo "== $doing $mount $path" >> /mnt/out/stderr
}
declare -A heard

# await EVENT SECONDS: reads until it says so; `took` is how long that was, in milliseconds, `at` when it was said, and
# `last` the line.
await() {
    local line begun limit event
    now; begun=$now
    printf -v limit %.0f "${2}e3"
    while IFS= read -r -t "$2" -u "$from" line; do
        event=
        [[ $line =~ ^\{\"event\":\"([a-z]+)\" ]] && event=${BASH_REMATCH[1]}
        heard[$event.]=$((${heard[$event.]:-0} + 1))
        now
        [ "$event" = result ] || said="$said$now $line"$'\n'
        if [ "$event" = "$1" ]; then took=$((now - begun)) at=$now last=$line; return 0; fi
        [ $((now - begun)) -gt "$limit" ] && break
    done
    took=never at=never
    return 1
}
drain() { await 'nothing is called that' "$1" || true; }
count() { echo "${heard[$1.]:-0}"; }
# field NAME: what the last line says there.
field() {
    local rest=${last#*\"$1\":}
    rest=${rest%%[,\}]*}
    echo "${rest//\"/}"
}

# Tells it to end: `stopped` is how long it took to say so, `ended` until the process had gone.
stop() {
    local told state try
    now; told=$now
    kill -TERM "$pid" 2>/dev/null
    await stopped 20
    stopped=$took ended=never
    for try in {1..100}; do
        state=$(awk '/^State/ { print $2 }' "/proc/$pid/status" 2>/dev/null)
        case $state in '' | Z) now; ended=$((now - told)); break ;; esac
        sleep 0.1
    done
    [ $ended = never ] && kill -KILL "$pid"
    wait "$pid" 2>/dev/null
    exec {from}<&-
    { echo "== $doing $mount"; echo "$said"; } >> /mnt/out/said
}

# loaded [SECONDS]: how long after the change replug had loaded it.
loaded() { if await loaded "${1:-90}"; then took=$((at - changed)); fi; }

# From `gone` to `there`, the library is not where it is looked for.
gone() { now; gone_from+=("$now"); gone_to+=(9999999999999); }
there() { gone_to[-1]=$changed; }
# How often `missing` was said of a library that was there, or had not been gone for a second.
untrue() {
    local at rest each untrue=0 true
    while read -r at rest; do
        [[ $rest == '{"event":"missing"'* ]] || continue
        true=0
        for each in "${!gone_from[@]}"; do
            [ "$at" -ge $((${gone_from[$each]} + 1000)) ] && [ "$at" -le $((${gone_to[$each]} + 300)) ] && true=1
        done
        [ $true = 1 ] || untrue=$((untrue + 1))
    done <<< "$said"
    echo $untrue
}
# counted NAME: what was said in all.
counted() {
    say "$mount $1 loads $(count loaded) missing $(count missing) untrue $(untrue) degraded $(count degraded)" \
        "recovered $(count recovered) stalled $(count stalled) kept $(count kept)"
}
