# The ways of publishing BUILD as FILE, on either side. `begun` is when the last step began, `changed` when the file was as it
# stays: with that step if it is a rename or a link, but a write in place takes its time.

# Milliseconds since 1970, without a process.
now() { local time=${EPOCHREALTIME/./}; now=$((time / 1000)); }
begin() { now; begun=$now changed=$now; }
end() { now; changed=$now; }

rename_in() { cp "$2" "$1.new"; begin; mv "$1.new" "$1"; }
write_in_place() { begin; cat "$2" > "$1"; end; }
link_in() { local other=$1.$RANDOM; cp "$2" "$other"; rm -f "$1"; begin; ln "$other" "$1"; }
# Written and renamed without a pause, by one process; not over the old file, whose successor ext4 would write out first.
rename_at_once() {
    begun=$(perl -MTime::HiRes=time -e '
        my ($file, $build) = @ARGV;
        local $/; open my $from, "<", $build or die; my $bytes = <$from>;
        unlink $file;
        open my $to, ">", "$file.new" or die; syswrite $to, $bytes; close $to; rename "$file.new", $file or die;
        print int(1000 * time)' "$1" "$2")
    changed=$begun
}
# Linked in the place of the old one, which was removed half a second before, within one whole second of the clock.
link_within_second() {
    local other=$1.$RANDOM
    cp "$2" "$other"
    within_second 'unlink $old; sleep 0.5; link $new, $old or die' "$other" "$1"
}
# The same with the directory of FILE.
move_within_second() {
    local old=${1%/*}
    mkdir "$old.new"
    cp "$2" "$old.new/${1##*/}"
    within_second 'rename $old, "$old.$$" or die; sleep 0.5; rename $new, $old or die' "$old.new" "$old"
}
# within_second STEPS NEW OLD: what Perl does when a second begins.
within_second() {
    begun=$(perl -MTime::HiRes=time,sleep -e '
        my ($steps, $new, $old) = @ARGV;
        sleep 1 - time + int time;
        eval "$steps; 1" or die $@;
        print int(1000 * time)' "$@")
    changed=$begun
}
