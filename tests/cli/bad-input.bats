# Input that is missing, no trace, damaged or cut: status, message with file and offset, and nothing left behind.
bats_require_minimum_version 1.5.0
load helper

HEADER='\x03\xf0\x01\x20' # of a window, as it stands in a file

setup_file() {
    export WHOLE="$BATS_FILE_TMPDIR/whole.xen"
    zstd -dcq "$SOURCE/examples/pedf/trace.xen.zst" >"$WHOLE"
    # its first windows, up to 60 kB, are enough for most
    SIZE=0
    while ((SIZE < 60000)); do
        SIZE=$((SIZE + 12 + $(word $((SIZE + 8)))))
    done
    truncate -s $SIZE "$WHOLE"
    export SIZE
    # where the first window ends
    FIRST_END=$((12 + $(word 8)))
    export FIRST_END
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    mkdir spool
}

# word OFFSET: 32 bits of the whole trace
word() {
    od -An -tu4 -j "$1" -N 4 "$WHOLE" | tr -d ' '
}

# patch OFFSET BYTES: a copy of the whole trace with these bytes, as bad.xen
patch() {
    cp "$WHOLE" bad.xen
    printf "$2" | dd of=bad.xen bs=1 seek="$1" conv=notrunc status=none
}

# Refused: status 3, nothing on stdout, nothing left, a message that has each of these.
refused() {
    local command=("$1")
    shift
    for command in "stats ${command[0]}" "dump ${command[0]}" "import ${command[0]} --db new.db"; do
        # shellcheck disable=SC2086 # a command and its arguments, none with blanks
        run --separate-stderr env TMPDIR="$PWD/spool" "$XENTRAIL" $command
        [ "$status" = 3 ] || { echo "$command: status $status: $stderr"; false; }
        [ -z "$output" ] || { echo "$command: $output"; false; }
        for part in "$@"; do
            [[ $stderr == *"$part"* ]] || { echo "$command lacks '$part': $stderr"; false; }
        done
        [ ! -e new.db ] && [ -z "$(ls spool)" ]
    done
}

# The first damage of bad.xen is at OFFSET: salvaged it tells what the whole trace cut there tells.
salvaged_up_to() {
    mkdir -p cut
    head -c "$1" "$WHOLE" >cut/bad.xen
    run --separate-stderr "$XENTRAIL" stats cut/bad.xen --json
    local expected=$output expected_status=$status
    run --separate-stderr "$XENTRAIL" stats bad.xen --json --salvage
    [ "$status" = "$expected_status" ] || { echo "status $status, of the cut file $expected_status: $stderr"; false; }
    [ "$output" = "$expected" ] || { diff <(echo "$expected") <(echo "$output"); false; }
    [[ $stderr == *"offset $1"* ]]
}

@test "an empty file" {
    : >bad.xen
    refused bad.xen "bad.xen: is empty (0 bytes)"
}

@test "a picture, text, zeros, archives: the message says what it is" {
    printf '\x89PNG\r\n\x1a\n\0\0\0\rIHDR' >picture
    refused picture "picture: is no xentrace file" "offset 0" "PNG"
    echo "To whom it may concern" >letter
    refused letter "letter: is no xentrace file" "offset 0" "text"
    head -c 100000 /dev/zero >nothing
    refused nothing "nothing: is no xentrace file" "offset 0" "zeros"
    echo hello | gzip >packed
    refused packed "packed: is no xentrace file" "gzip"
    head -c 4096 "$XENTRAIL" >program
    refused program "program: is no xentrace file" "ELF"
    seq 1 10000 | zstd -q >text.zst
    refused text.zst "text.zst: is no xentrace file" "text"
}

@test "one word, three bytes" {
    printf "$HEADER" >bad.xen
    refused bad.xen "bad.xen" "offset 4"
    printf 'abc' >bad.xen
    refused bad.xen "bad.xen" "offset 0"
}

@test "a folder without a trace, a missing file, an unreadable one" {
    mkdir folder
    refused folder "folder"
    refused absent.xen "absent.xen: No such file or directory"
    if [ "$(id -u)" != 0 ]; then
        cp "$WHOLE" secret.xen
        chmod 0 secret.xen
        refused secret.xen "secret.xen: Permission denied"
    fi
}

@test "an endless stream of anything else is refused at once" {
    refused /dev/zero "/dev/zero: is no xentrace file"
    run --separate-stderr timeout 20 bash -c "yes | '$XENTRAIL' stats -"
    [ "$status" = 3 ]
    [[ $stderr == *"standard input: is no xentrace file"* ]]
}

@test "cut at every byte of the first 400" {
    for ((n = 0; n <= 400; n++)); do
        head -c $n "$WHOLE" >bad.xen
        status=0
        "$XENTRAIL" stats bad.xen --json >out 2>err || status=$?
        # From its first change of state on, a cut trace tells something.
        if [[ $(<out) == *'"dispatches"'* ]]; then
            [ $status = 0 ] || { echo "$n bytes: $status: $(cat err)"; false; }
            [ "$(jq '.run[0].records' out)" -le $((n / 12)) ]
        else
            [ $status = 3 ] || { echo "$n bytes: $status: $(cat err)"; false; }
            [ ! -s out ] || { echo "$n bytes: $(cat out)"; false; }
        fi
        [[ $(<err) =~ "bad.xen: "(.*"offset "[0-9]|"is empty (0 bytes)") ]] || { echo "$n bytes: $(<err)"; false; }
    done
    # None of these has one: 3 throughout
    [ $status = 3 ]
}

@test "cut at every byte of the last 400: what is whole is used, the cut is noted" {
    for ((n = 1; n <= 400; n++)); do
        head -c $((SIZE - n)) "$WHOLE" >bad.xen
        status=0
        "$XENTRAIL" stats bad.xen --json >out 2>err || status=$?
        [ $status = 0 ] || { echo "$n bytes less: $status: $(cat err)"; false; }
        [[ $(<out) == *'"dispatches"'* ]]
        [[ $(<err) =~ "bad.xen: cut at offset "([0-9]+)": the last window should go on to offset "([0-9]+) ]] ||
            { echo "$n bytes less: $(<err)"; false; }
        ((BASH_REMATCH[1] <= SIZE - n && BASH_REMATCH[1] > SIZE - n - 40 && BASH_REMATCH[2] > SIZE - n))
    done
}

@test "cut where a window ends: nothing to note" {
    head -c "$FIRST_END" "$WHOLE" >bad.xen
    run --separate-stderr "$XENTRAIL" stats bad.xen --tsc-hz 1e9
    [ "$status" = 0 ]
    [ -z "$stderr" ]
}

@test "a record that claims more words than its window has" {
    # the last record of the first window gets 7 words and a TSC
    local at=12 header bytes last=12
    while ((at < FIRST_END)); do
        header=$(word $at)
        bytes=$((4 + 8 * (header >> 31) + 4 * (header >> 28 & 7)))
        last=$at
        at=$((at + bytes))
    done
    header=$(word $last)
    patch $last "$(printf '\\x%02x\\x%02x\\x%02x\\x%02x' $((header & 255)) $((header >> 8 & 255)) $((header >> 16 & 255)) $((header >> 24 & 15 | 0xf0)))"
    refused bad.xen "bad.xen: damaged at offset $last" "does not fit" "--salvage"
    salvaged_up_to $last
}

@test "a window header inside a window" {
    patch 12 "$HEADER"
    refused bad.xen "bad.xen: damaged at offset 12" "a window begins inside another"
    run --separate-stderr "$XENTRAIL" stats bad.xen --salvage
    [ "$status" = 3 ] # nothing before it
    [[ $stderr == *"cut at offset 12"* ]]
}

@test "a broken chain of windows" {
    patch "$FIRST_END" '\xff'
    refused bad.xen "bad.xen: damaged at offset $FIRST_END" "window header"
    salvaged_up_to "$FIRST_END"
}

@test "an impossible pCPU" {
    patch $((FIRST_END + 4)) '\x9f\x86\x01\x00' # 99999
    refused bad.xen "bad.xen: damaged at offset $FIRST_END" "pCPU"
    salvaged_up_to "$FIRST_END"
    patch 4 '\x9f\x86\x01\x00'
    refused bad.xen "bad.xen: damaged at offset 0" "pCPU"
}

@test "a window whose size is no multiple of 4" {
    patch $((FIRST_END + 8)) '\x06\x00\x00\x00'
    refused bad.xen "bad.xen: damaged at offset $FIRST_END" "multiple of 4"
    salvaged_up_to "$FIRST_END"
}

@test "a window that goes on behind the file's end swallows the next header" {
    patch 8 '\x00\x00\x00\x40'
    refused bad.xen "bad.xen: damaged at offset $FIRST_END" "a window begins inside another"
    # the last window of a file: there it is a cut
    head -c "$FIRST_END" bad.xen >long.xen
    run --separate-stderr "$XENTRAIL" stats long.xen --tsc-hz 1e9
    [ "$status" = 0 ]
    [[ $stderr == *"long.xen: cut at offset $FIRST_END"* ]]
}

@test "more VCPUs than any host has" {
    python3 - >bad.xen <<'END'
import struct, sys
n = 140000
words = [w for i in range(n) for w in (0x21211 | 1 << 28 | 1 << 31, 1000 + i, 0, i % 32000 << 16 | i // 32000)]
sys.stdout.buffer.write(struct.pack("<III", 0x2001f003, 0, 4 * len(words)) + struct.pack(f"<{len(words)}I", *words))
END
    run --separate-stderr "$XENTRAIL" stats bad.xen --tsc-hz 1e9
    [ "$status" = 3 ]
    [ -z "$output" ]
    [[ $stderr == *"bad.xen: damaged: its records name more than 131072 VCPUs"* ]]
}

@test "hostile figures neither crash nor hang" {
    local all
    for all in '\xff' '\x00' '\x80' '\x7f'; do
        # every byte of a stretch of records, then lengths that still agree
        cp "$WHOLE" bad.xen
        for at in 16 40 64 88 200 333 4000; do
            printf "$all$all$all$all$all$all$all$all" | dd of=bad.xen bs=1 seek=$at conv=notrunc status=none
            for command in "stats" "dump --salvage"; do
                status=0
                # shellcheck disable=SC2086
                timeout 60 "$XENTRAIL" $command bad.xen >/dev/null 2>err || status=$?
                [ $status = 0 ] || [ $status = 3 ] || { echo "$command, $all at $at: $status: $(cat err)"; false; }
            done
        done
    done
}

@test "damaged and cut zstd data" {
    cp "$SOURCE/examples/pedf/trace.xen.zst" whole.zst
    local n
    n=$(stat -c %s whole.zst)
    head -c $((n / 2)) whole.zst >half.zst
    run --separate-stderr "$XENTRAIL" stats half.zst
    [ "$status" = 0 ]
    [[ $stderr == *"half.zst"*"cut"* ]]
    head -c 6 whole.zst >tiny.zst
    refused tiny.zst "tiny.zst"
    cp whole.zst bad.zst
    printf '\xff\xff\xff\xff\xff\xff\xff\xff' | dd of=bad.zst bs=1 seek=$((n / 2)) conv=notrunc status=none
    run --separate-stderr "$XENTRAIL" stats bad.zst
    [ "$status" = 3 ]
    [[ $stderr == *"bad.zst: damaged zstd data near byte"* ]]
    [ -z "$output" ]
}
