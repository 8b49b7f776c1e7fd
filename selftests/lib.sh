# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# Shared by the tests in shell: where things are, kselftest's helpers, and the
# two questions that tests ask of commands. Sourced, not run; needs bash.

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
debugfs=/sys/kernel/debug/gridlock
# shellcheck source=/dev/null
. "$here/../kselftest/ktap_helpers.sh"

# need_root_and_module: else the whole test is skipped
need_root_and_module() {
	local why=""
	[ "$(id -u)" = 0 ] || why="only root can load modules and read debugfs"
	[ -d /sys/module/gridlock ] || why="the module is not loaded: insmod \$GRIDLOCK_KO"
	[ -z "$why" ] && return
	ktap_print_header
	ktap_skip_all "$why"
	exit "$KSFT_SKIP"
}

# check NAME COMMAND...: one test: does COMMAND say yes?
check() {
	local name=$1
	shift
	if "$@"; then
		ktap_test_pass "$name"
	else
		ktap_test_fail "$name"
	fi
}

# one_sentence STATUS TEXT COMMAND...: COMMAND exits with STATUS and says why in
# one line on stderr, with TEXT in it; a second sentence may point to --help,
# which argp breaks into lines. It says nothing on stdout. $work is a folder of the test's
# own. By the shell alone: each program that looks at a line costs as much as COMMAND.
one_sentence() {
	local want=$1 text=$2 out status lines more=""
	shift 2
	out=$("$@" 2>"$work/said")
	status=$?
	mapfile -t lines <"$work/said"
	[ ${#lines[@]} -lt 2 ] || printf -v more '%s ' "${lines[@]:1}"
	if [ "$status" = "$want" ] && [ -z "$out" ] && [ ${#lines[@]} -gt 0 ] &&
		[[ ${lines[0]} == *"$text"* && (-z $more || $more =~ ^Try\ .*--help[^.]*\.\ $) ]]; then
		return 0
	fi
	ktap_print_msg "'$*' exits $status, not $want with a line on '$text'; it says:"
	printf '%s\n' "$out" | cat - "$work/said" | head -n 20 | sed 's/^/#   /'
	return 1
}
