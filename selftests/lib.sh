# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
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
# which argp breaks into lines. It says nothing on stdout.
one_sentence() {
	local want=$1 text=$2 err out status
	shift 2
	err=$(mktemp)
	out=$("$@" 2>"$err")
	status=$?
	if [ "$status" = "$want" ] && [ -z "$out" ] && head -n 1 "$err" | grep -qF -- "$text" &&
		! tail -n +2 "$err" | tr '\n' ' ' | grep -qv "^Try .*--help[^.]*\. $"; then
		rm -f "$err"
		return 0
	fi
	ktap_print_msg "'$*' exits $status, not $want with a line on '$text'; it says:"
	printf '%s\n' "$out" | cat - "$err" | head -n 20 | sed 's/^/#   /'
	rm -f "$err"
	return 1
}
