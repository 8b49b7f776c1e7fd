#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# fuzz.sh [--seconds N] [--keep DIR] - fuzz the reader's decoder of the module's
# files, from the inputs in corpus/ on. An input that breaks it is printed in
# base64. With --keep, inputs that reach new code are left in DIR.
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=/dev/null
. "$here/../../kselftest/ktap_helpers.sh" 2>/dev/null ||
	. "${KSFT:?names the folder of kselftest}/kselftest/ktap_helpers.sh" || exit

seconds=20 keep=""
while [ $# -gt 1 ]; do
	case $1 in
	--seconds) seconds=$2 ;;
	--keep) keep=$2 ;;
	*) break ;;
	esac
	shift 2
done
[ $# -eq 0 ] && [[ $seconds =~ ^[1-9][0-9]*$ ]] || {
	echo "usage: fuzz.sh [--seconds N] [--keep DIR]" >&2
	exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/new"

# run_fuzzer NAME ARGUMENT...: what it says is shown when it fails
run_fuzzer() {
	local name=$1
	shift
	if "$here/snapshot_fuzz" -artifact_prefix="$work/" -timeout=10 -rss_limit_mb=1024 \
		-max_len=4096 -print_final_stats=1 "$@" >"$work/log" 2>&1 </dev/null; then
		ktap_print_msg "$(grep -E '^(Done|stat::number_of_executed_units)' "$work/log" | paste -sd ' ')"
		ktap_test_pass "$name"
		return
	fi
	tail -n 60 "$work/log" | sed 's/^/# /'
	for input in "$work"/{crash,timeout,oom,leak}-*; do
		[ ! -e "$input" ] || ktap_print_msg "the input, in base64: $(base64 -w 0 "$input")"
	done
	ktap_test_fail "$name"
}

ktap_print_header
[ -x "$here/snapshot_fuzz" ] || {
	ktap_skip_all "snapshot_fuzz is not built: it needs clang and libclang-rt-dev"
	exit "$KSFT_SKIP"
}
ktap_set_plan 2
run_fuzzer decoder_stands_the_corpus -runs=0 "$here/corpus"
run_fuzzer decoder_stands_new_inputs -max_total_time="$seconds" "${keep:-$work/new}" "$here/corpus"
ktap_finished
