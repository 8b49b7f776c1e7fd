#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The command line: help, JSON, pipes that close early, and bad input, each of
# which gets one sentence on stderr and exit status 2.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

COMMANDS="check chain graph waits locks status"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One Python for all: it starts slowly. Told the name of a file with JSON it says "JSON";
# told a key as well, the key's value; and else what is wrong.
coproc JSON { exec python3 -u -c '
import json, sys
for line in sys.stdin:
    path, *key = line.split()
    try:
        with open(path) as file:
            value = json.load(file)
        print(value[key[0]] if key else "JSON")
    except (ValueError, KeyError) as error:
        print(repr(error))
'; }

# json_says ANSWER FILE [KEY]: is that what it says?
json_says() {
	local answer
	echo "${*:2}" >&"${JSON[1]}"
	read -r answer <&"${JSON[0]}" && [ "$answer" = "$1" ]
}

has_help() {
	gridlock "$1" --help | grep -qi "^usage: gridlock $1"
}

# arguments COMMAND: what it needs to run at all, and quickly
arguments() {
	case $1 in
	check) echo "check --for 0.2" ;;
	chain) echo "chain $$" ;;
	*) echo "$1" ;;
	esac
}

prints_json() {
	local words option
	read -ra words <<<"$(arguments "$1")"
	for option in --json -j; do
		gridlock "${words[@]}" "$option" >"$work/json"
		json_says JSON "$work/json" || return
	done
}

# A reader that has gone is no error worth a message, and no reason to go on.
survives_head() {
	local words
	read -ra words <<<"$(arguments "$1")"
	timeout 30 gridlock "${words[@]}" 2>"$work/err" | head -n 1 >/dev/null
	[ "${PIPESTATUS[0]}" != 124 ] && [ ! -s "$work/err" ]
}

# A folder as the module's, from its real files, which are read once.
copy_of_debugfs() {
	local file
	if [ ! -e "$work/real" ]; then
		rm -rf "$work/part" && mkdir "$work/part"
		for file in version stats coverage locks waits locks.bin waits.bin groups.bin; do
			cat "$debugfs/$file" >"$work/part/$file" || return 1
		done
		mv "$work/part" "$work/real"
	fi
	rm -rf "$work/copy"
	cp -r "$work/real" "$work/copy"
}

reads_a_copy() {
	copy_of_debugfs && GRIDLOCK_DEBUGFS=$work/copy gridlock waits >/dev/null
}

# with_copy COMMAND...: gridlock on the copy
with_copy() {
	GRIDLOCK_DEBUGFS=$work/copy gridlock "$@"
}

truncated() {
	copy_of_debugfs && truncate -s "$1" "$work/copy/waits.bin" &&
		one_sentence 2 "waits.bin" with_copy waits
}

# The header's magic number is its first 8 bytes, its version the next 4.
foreign() {
	copy_of_debugfs &&
		printf '\xff\xff' | dd of="$work/copy/waits.bin" bs=1 seek="$1" conv=notrunc status=none &&
		one_sentence 2 "waits.bin" with_copy waits
}

# What a module says that is older than the counting by groups.
without_groups() {
	copy_of_debugfs && rm "$work/copy/groups.bin" &&
		one_sentence 2 "older than this reader" with_copy locks --threads
}

without_files() {
	mkdir -p "$work/none"
	GRIDLOCK_DEBUGFS=$work/none one_sentence 2 "" gridlock "$1"
}

# check still looks at procfs, and says that the rows were not to be had.
check_on_foreign_rows_still_looks() {
	copy_of_debugfs && truncate -s 100 "$work/copy/waits.bin" || return 1
	with_copy check --for 0.2 >"$work/out" 2>"$work/err" && grep -q "waits.bin" "$work/err"
}

as_nobody() {
	setpriv --reuid 65534 --regid 65534 --clear-groups -- "$@"
}

# Without root check sees its own tasks only, and must not say that all is well.
nobody_is_told_the_view_is_partial() {
	as_nobody gridlock check --for 0.2 --json 2>"$work/err" >"$work/out"
	case $? in
	0) json_says False "$work/out" complete ;;
	2) [ -s "$work/err" ] ;;
	*) false ;;
	esac
}

nobody_with_strict_fails() {
	as_nobody gridlock check --for 0.2 --strict >/dev/null 2>&1
	[ $? = 2 ]
}

quiet_machine_has_no_finding() {
	gridlock check --for 0.5 >"$work/out" && head -n 1 "$work/out" | grep -q "^no finding"
}

version_is_one_line() {
	[ "$(gridlock --version | wc -l)" = 1 ]
}

need_root_and_module
ktap_print_header
ktap_set_plan 42

for command in $COMMANDS; do
	check "${command}_has_help" has_help "$command"
	check "${command}_prints_json" prints_json "$command"
	check "${command}_survives_head" survives_head "$command"
	check "${command}_refuses_unknown_option" \
		one_sentence 2 "nonsense" gridlock "$command" --nonsense
done
check "version_is_one_line" version_is_one_line
check "quiet_machine_has_no_finding" quiet_machine_has_no_finding
check "unknown_command_is_refused" one_sentence 2 "nonsense" gridlock nonsense
check "chain_of_unknown_tid_is_refused" one_sentence 2 "4194303" gridlock chain 4194303
check "chain_of_no_number_is_refused" one_sentence 2 "abc" gridlock chain abc
check "window_of_no_number_is_refused" one_sentence 2 "abc" gridlock check --for abc
check "window_of_0_is_refused" one_sentence 2 "0" gridlock check --for 0
check "a_copy_of_the_files_is_read" reads_a_copy
check "empty_waits_bin_is_refused" truncated 0
check "waits_bin_cut_in_its_header_is_refused" truncated 20
check "foreign_magic_is_refused" foreign 0
check "foreign_version_is_refused" foreign 8
check "waits_without_files_is_refused" without_files waits
check "locks_without_files_is_refused" without_files locks
check "locks_of_an_older_module_are_explained" without_groups
check "check_on_foreign_rows_still_looks" check_on_foreign_rows_still_looks
check "nobody_is_told_the_view_is_partial" nobody_is_told_the_view_is_partial
check "nobody_with_strict_fails" nobody_with_strict_fails

ktap_finished
