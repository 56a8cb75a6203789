#!/bin/sh
# The stress mission's program: PROCESS IDENT FAULT SECONDS OUTPUT INPUT...
process=$1 ident=$2 fault=$3 pause=$4 output=$5
shift 5
if [ -n "$DAXA_STRESS_STARTS" ]; then
    printf '%s %s\n' "$process" "$ident" >> "$DAXA_STRESS_STARTS"
fi
for input; do
    if ! [ -s "$input" ]; then
        echo "** $process: error (noInput), $input cannot be read" >&2
        exit 1
    fi
done
sleep "$pause"
case $fault in
status)
    exit 3 ;;
message)
    echo "** $process: error (noCalibration), no calibration for the mode of $ident" >&2
    exit 1 ;;
input)
    echo "** $process: error (badHeader), $output: keyword EXPOSURE is -$pause s" >&2
    exit 1 ;;
nothing)
    exit 0 ;;
full)
    if ! echo "$ident" > /dev/full; then
        echo "** $process: error (noSpace), No space left on device while writing $output" >&2
        exit 1
    fi ;;
leaves)
    setsid sleep 300 > /dev/null 2>&1 & ;;
esac
{
    if [ "$process" = ingest ]; then
        cat "$@"
    fi
    echo "$process of $ident"
    cat "$@" /dev/null | cksum
} > "$output"
