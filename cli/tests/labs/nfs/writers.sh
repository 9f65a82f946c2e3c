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
