# Input that is no trace, or half of one: a message that says where, exit 3, and no database left behind.
bats_require_minimum_version 1.5.0
load helper

# refused FILE PATTERN: stats, dump and import refuse FILE with a message that matches PATTERN
refused() {
    for command in stats dump "import --db $BATS_TEST_TMPDIR/x.db"; do
        # shellcheck disable=SC2086 # a command and its options
        run --separate-stderr "$XENTRAIL" $command "$1"
        [ "$status" = 3 ] || { echo "$command $1: status $status: $stderr"; false; }
        [ -z "$output" ] || { echo "$command $1: $output"; false; }
        [[ $stderr =~ $2 ]] || { echo "$command $1: $stderr"; false; }
        [[ $stderr == *"$1"* ]] || { echo "$command does not name $1: $stderr"; false; }
        [ "$(echo "$stderr" | wc -l)" -le 3 ] || { echo "$stderr"; false; }
    done
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    zstd -qd "$SOURCE/examples/credit/trace.xen.zst" -o whole.xen
}

@test "an empty file" {
    : >empty.xen
    refused empty.xen 'empty'
}

@test "a PNG, named for what it is" {
    printf '\x89PNG\r\n\x1a\n\0\0\0\rIHDR' >picture.xen
    head -c 4096 /dev/urandom >>picture.xen
    refused picture.xen 'PNG'
}

@test "a text file" {
    seq 1 10000 >text.xen
    refused text.xen 'offset 0|text'
}

@test "a folder without a trace" {
    mkdir folder
    refused folder 'trace\.xen'
}

@test "a compressed file that is no trace, and one cut short" {
    seq 1 10000 | zstd -q >text.zst
    refused text.zst 'offset 0|text'
    head -c 1000 "$SOURCE/examples/credit/trace.xen.zst" >cut.zst
    refused cut.zst '[a-z]'
}

@test "a file of zeros" {
    head -c 100000 /dev/zero >zeros.xen
    refused zeros.xen 'offset'
}

@test "a file cut at every byte of its first records never crashes, and never counts what is not there" {
    whole=$(head -c 4096 whole.xen | wc -c)
    [ "$whole" = 4096 ]
    for ((n = 1; n <= 200; n++)); do
        head -c "$n" whole.xen >cut.xen
        run --separate-stderr "$XENTRAIL" stats --json cut.xen
        case $status in
        0) [ "$(jq '.run[0].records' <<<"$output")" -le $((n / 4)) ] ;;
        3) [ -z "$output" ] && [[ $stderr == *cut.xen* ]] ;;
        *) echo "cut at $n: status $status: $stderr"; false ;;
        esac
    done
}

@test "a record that claims words beyond its window is refused with its offset, or what stands before it is used on request" {
    # The last record's header of the first window gets the largest count of words.
    cp whole.xen bad.xen
    size=$(od -An -tu4 -j8 -N4 whole.xen | tr -d ' ')
    last=$("$XENTRAIL" dump --raw --json whole.xen | jq -s "map(select(.offset < 12 + $size)) | max_by(.offset).offset")
    # header: bits 0-27 event, 28-30 words, 31 time stamp: byte 3 holds the count
    byte=$(od -An -tu1 -j$((last + 3)) -N1 whole.xen | tr -d ' ')
    printf '%b' "$(printf '\\x%02x' $((byte | 0x70)))" | dd of=bad.xen bs=1 seek=$((last + 3)) conv=notrunc status=none
    ! cmp -s whole.xen bad.xen
    refused bad.xen "offset $last|$last"
    run --separate-stderr "$XENTRAIL" stats --salvage bad.xen
    [ "$status" = 0 ]
}
