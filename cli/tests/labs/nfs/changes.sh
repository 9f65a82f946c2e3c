# Cases: changes of the library itself, and of what lies on the way to it. Each is called with `mount` set, and watches
# through /mnt/$mount what it writes in a directory of its own on the server.

# looked HOW: how long after the change had begun that poller saw anything of it.
looked() {
    local line
    while :; do
        line=$(awk -v begun="$begun" '$1 + 0 >= begun { print $1; exit }' "/run/looker.$1")
        [ -n "$line" ] && { took=$((line - begun)); return; }
        now
        [ $((now - begun)) -gt $((patience * 1000)) ] && { took=never; return; }
        drain 1
    done
}

# changes FILE CHANGE..: the same changes for replug and the two others, each of which has its own mount, so that none
# profits from what another asked for.
changes() {
    local file=$1 change how seen lookers=()
    shift
    start "/mnt/$mount/files/lib.so"
    for how in stat notify; do
        "$looker" $how "/mnt/$mount.$how/files/lib.so" $interval > "/run/looker.$how" 2>&1 &
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
        loaded; seen="replug $took"
        for how in stat notify; do looked $how; seen="$seen $how $took"; done
        say "$mount files-$change $seen"
        drain 3
    done
    kill "${lookers[@]}"
    wait "${lookers[@]}" 2>/dev/null
    stop
    counted files-said
}
files() {
    mkdir "/mnt/export/files"
    attach "$mount.stat"
    attach "$mount.notify"
    changes /mnt/export/files/lib.so new-file rename in-place link quiet-rename
    detach "$mount.stat" "$mount.notify"
    rm -r /mnt/export/files
}

# Written through another client than the one that watches.
second() {
    local change file=/mnt/second/second/lib.so
    attach_second
    mkdir /mnt/export/second
    start "/mnt/$mount/second/lib.so"
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
    counted second-said
    detach second
    rm -r /mnt/export/second
}

# A write and a rename within one tick of the server's clock.
same_tick() {
    local number try=0 times=()
    mkdir /mnt/export/tick
    publish rename_in /mnt/export/tick/lib.so
    start "/mnt/$mount/tick/lib.so"
    await loaded 60
    while [ ${#times[@]} -lt 3 ] && [ $try -lt 20 ]; do
        try=$((try + 1))
        drain 1
        publish rename_at_once /mnt/export/tick/lib.so
        loaded 20
        # Only those count of which the last change of the file bears the time of the last write.
        [ "$(stat -c %.9Z /mnt/export/tick/lib.so)" = "$(stat -c %.9Y /mnt/export/tick/lib.so)" ] && times+=("$took")
    done
    stop
    say "$mount same_tick tries $try took $(joined "${times[@]}")"
    counted same_tick-said
    rm -r /mnt/export/tick
}

# way WHO ROOT QUIET: the directories on the way to the library, by whoever has the export at ROOT. First there are none; then
# each gives way to another, then the link among them leads elsewhere, and at last, after so many quiet seconds, they are
# removed and made again. There is half a minute before the first of that: a client believes directories that long at least.
way() {
    local who=$1 top=$2/way quiet=$3 level
    start "/mnt/$mount/way/now/target/debug/lib.so"
    await waiting 20
    drain 31
    mkdir -p "$top/first/target/debug"
    ln -s first "$top/now"
    publish rename_in "$top/first/target/debug/lib.so"
    loaded; say "$mount way-$who appeared $took"
    for level in "$top" "$top/first" "$top/first/target" "$top/first/target/debug"; do
        drain 3
        replace "$level"
        loaded; say "$mount way-$who ${level##*/} $took"
        rm -r "$level.old"
    done
    drain 3
    cp -r "$top/first" "$top/other"
    build_into "$top/other/target/debug/lib.so"
    ln -s other "$top/new"
    begin
    mv -T "$top/new" "$top/now"
    loaded; say "$mount way-$who link $took"
    drain "$quiet"
    gone
    rm -r "$top/other/target"
    drain 4
    mkdir -p "$top/other/target/debug"
    publish link_in "$top/other/target/debug/lib.so"
    there
    loaded; say "$mount way-$who rebuilt $took"
    drain 3
    stop
    counted "way-$who-said"
    rm -r "$top"
}
# replace DIRECTORY: with another that holds the next build.
replace() {
    cp -r "$1" "$1.new"
    build_into "$(find "$1.new" -name lib.so)"
    mv "$1" "$1.old"
    begin
    mv "$1.new" "$1"
}
way_server() { way server /mnt/export 31; }
way_second() {
    attach_second
    way second /mnt/second 3
    detach second
}

# A real cargo on the server, whose target directory is removed before each build.
cargo_builds() {
    local package=/mnt/export/cargo number begun_at end early=0 times=() building=()
    cargo_package $package
    start "/mnt/$mount/cargo/target/debug/libtiny.so"
    await waiting 20
    for number in 1 2 3 4 5 6 7 8 9 10; do
        sed -i "s/build [a-z0-9]*/build $mount$number/" $package/src/lib.rs
        now; begun_at=$now
        [ $number = 1 ] || gone
        rm -rf $package/target /run/cargo.end
        { cargo_build $package && now && echo "$now" > /run/cargo.end; } 2>>/mnt/out/stderr &
        building=$!
        # What it says is read while cargo runs, or it could not be known when it was said.
        until await loaded 1; do
            now
            [ -e /run/cargo.end ] && [ $((now - $(< /run/cargo.end))) -gt 60000 ] && break
            [ $((now - begun_at)) -gt 180000 ] && break
        done
        wait $building || { say "$mount cargo_builds failed $number"; break; }
        end=$(< /run/cargo.end)
        changed=$end
        [ "$at" != never ] && [ "$at" -lt "$end" ] && changed=$at
        [ $number = 1 ] || there
        if [ "$at" = never ]; then times+=(never); else times+=($((at - end))); fi
        drain 2
    done
    stop
    say "$mount cargo_builds took $(joined "${times[@]}")"
    counted cargo_builds-said
    rm -r $package
}
cargo_package() {
    mkdir -p "$1/src"
    printf '[package]\nname = "tiny"\nversion = "1.0.0"\nedition = "2024"\n[lib]\ncrate-type = ["cdylib"]\n[workspace]\n' > "$1/Cargo.toml"
    cat > "$1/src/lib.rs" <<'RUST'
use std::ffi::{CString, c_char};
#[unsafe(no_mangle)]
pub extern "C" fn plugin_function(_: *const c_char) -> *mut c_char { CString::new("build 0").unwrap().into_raw() }
#[unsafe(no_mangle)]
pub unsafe extern "C" fn plugin_free(text: *mut c_char) { drop(unsafe { CString::from_raw(text) }) }
RUST
}
cargo_build() {
    env -i PATH="$(dirname "$cargo"):/usr/bin:/bin" HOME=/run/home CARGO_HOME=/run/cargo TMPDIR=/run \
        "$cargo" build --quiet --offline --manifest-path "$1/Cargo.toml" < /dev/null
}

# Changes half a second apart, each looked for in between, within one tick of the server's clock. The ticks are those of a
# filesystem with small inodes, whole seconds, so that each of the two leaves the directory looking the same.
whole_seconds() {
    local change times=() top=/mnt/export/coarse
    mkdir $top
    mkfs.ext4 -q -F -I 128 /dev/ram1 2>> /mnt/out/stderr && mount /dev/ram1 $top || fail coarse
    allow 127.0.0.1 $top 1
    attach coarse '' coarse
    mkdir $top/in
    publish rename_in $top/in/lib.so
    start /mnt/coarse/in/lib.so
    await loaded 60
    for change in link_within_second link_within_second move_within_second move_within_second; do
        drain 4
        publish $change $top/in/lib.so
        loaded 20
        times+=("$took")
    done
    stop
    say "$mount whole_seconds took $(joined "${times[@]}")"
    counted whole_seconds-said
    detach coarse
    exportfs -u 127.0.0.1:$top
    umount $top
    rmdir $top
}
