#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests of the tests, in a guest: with any one resolver left out of the reader,
# a test of it has to fail. A resolver that no test is named for fails at once.
# Not among the tests that `make check` runs, as it takes its time: `make mutate`.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

here=$(dirname "$(readlink -f "$0")")
reader=$here/../userspace
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# test_of RESOLVER: one test that stands or falls with it
test_of() {
	case $1 in
	resolve_klock) echo kernel_locks.py ;;
	resolve_futex) echo deadlock.py shared_mutex_abba_is_deadlock ;;
	resolve_filelock) echo graph.py circle_is_red ;;
	resolve_pipe) echo chain.py several_holders_are_branches ;;
	resolve_child) echo explain.py task_of_a_namespace_tells_its_number_there ;;
	resolve_eventfd) echo polls.py eventfds_crosswise_is_deadlock ;;
	resolve_poll) echo polls.py two_that_poll_each_other_is_deadlock ;;
	resolve_tcp) echo ipc.py tcp_both_receive_is_deadlock ;;
	resolve_fifo) echo named.py waits_are_told_by_their_kind ;;
	resolve_vfork) echo named.py vfork_and_a_pipe_is_deadlock ;;
	resolve_sysv) echo named.py sysv_semaphores_abba_is_deadlock ;;
	resolve_userfault) echo named.py waits_are_told_by_their_kind ;;
	resolve_lease) echo named.py lease_and_a_mutex_is_transient_cycle ;;
	resolve_unix) echo ipc.py stream_both_receive_is_deadlock ;;
	esac
}

rows() {
	sed -n '/resolvers\[\] = {/,/^}/s/^\t&\(.*\),$/\1/p' "$reader/resolve.c"
}

# without RESOLVER: a reader without it, in $work/RESOLVER/userspace
without() {
	local dir=$work/$1/userspace
	mkdir -p "$dir" && cp -a "$reader/." "$dir" && ln -s "$reader/../kmod" "$work/$1/kmod" ||
		return
	sed -i "/^\t&$1,\$/d" "$dir/resolve.c"
	! cmp -s "$reader/resolve.c" "$dir/resolve.c" &&
		make -s -C "$dir" gridlock >"$work/log" 2>&1
}

# passes DIR TEST...: with the reader of DIR
passes() {
	(cd "$here" && PATH=$1:$PATH timeout 300 "./$2" "${@:3}") >"$work/out" 2>&1
}

# mutant_is_caught RESOLVER
mutant_is_caught() {
	local test
	read -ra test <<<"$(test_of "$1")"
	if [ ${#test[@]} -eq 0 ]; then
		ktap_print_msg "no test is named for $1"
		return 1
	fi
	without "$1" || { ktap_print_msg "$(cat "$work/log")" && return 1; }
	passes "$reader" "${test[@]}" || { ktap_print_msg "$(cat "$work/out")" && return 1; }
	! passes "$work/$1/userspace" "${test[@]}"
}

need_root_and_module
ktap_print_header
mapfile -t table < <(rows)
ktap_set_plan ${#table[@]}
for row in "${table[@]}"; do
	check "a_test_fails_without_$row" mutant_is_caught "$row"
done
ktap_finished
