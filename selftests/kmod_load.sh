#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The module comes and goes a hundred times under contention, with its files
# being read all the while; and it refuses what it cannot do in one sentence.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

TIMES=100
work=$(mktemp -d)
storm=() readers=()

# Every task of the storm waits for kernel locks and futexes most of the time.
start_storm() {
	"$here/scenario/scenario" "a*: kmutex:0 krwsem-w:1 shm:2" "b*: kmutex:0 krwsem-w:1 shm:2" \
		"c*: kmutex:0 krwsem-w:1 shm:2" "d*: kmutex:0 krwsem-w:1 shm:2" \
		<"$work/hold" >"$work/ready" &
	storm+=($!)
	exec 9>"$work/hold"
	for _ in $(seq 600); do
		! grep -q ready "$work/ready" || return 0
		sleep 0.1
	done
	return 1
}

# Opens a file over and over and holds it open for a moment, as a slow reader does.
read_on() {
	while [ ! -e "$work/stop" ]; do
		{ head -c 100 >/dev/null && sleep 0.02 && cat >/dev/null; } <"$debugfs/$1"
	done 2>/dev/null
}

stop_all() {
	touch "$work/stop"
	exec 9>&-
	wait "${storm[@]}" "${readers[@]}"
}

# A file that is open holds the module: ask again until it is closed.
unload() {
	for _ in $(seq 500); do
		! rmmod gridlock 2>/dev/null || return 0
		sleep 0.02
	done
	rmmod gridlock
}

loads_and_unloads() {
	local n
	for n in $(seq $TIMES); do
		insmod "$GRIDLOCK_KO" || { ktap_print_msg "load $n failed"; return 1; }
		# Odd rounds: long enough for probes to record something.
		[ $((n % 2)) = 0 ] || gridlock locks >/dev/null || return 1
		unload || { ktap_print_msg "unload $n failed"; return 1; }
	done
}

leaves_nothing() {
	[ ! -e "$debugfs" ] && [ ! -e /sys/module/gridlock ] &&
		! grep -q '\[gridlock\]' /sys/kernel/debug/kprobes/list
}

# refuses TEXT PARAMETER...: insmod fails, and says TEXT in the kernel log
refuses() {
	local text=$1
	shift
	dmesg -C
	if insmod "$GRIDLOCK_KO" "$@" 2>/dev/null; then
		rmmod gridlock
		return 1
	fi
	dmesg | grep -qF -- "$text"
}

log_is_clean() {
	! dmesg --level=emerg,alert,crit,err,warn | grep -v "taint\|gridlock: .* is out of range"
}

# loads_with PARAMETER...: tables of any size work under load
loads_with() {
	insmod "$GRIDLOCK_KO" "$@" && sleep 0.5 && cat "$debugfs"/* >/dev/null && unload
}

[ "$(id -u)" = 0 ] && [ -e "$GRIDLOCK_KO" ] && [ -e "$here/scenario/gridlock_scenario.ko" ] || {
	ktap_print_header
	ktap_skip_all "needs root, \$GRIDLOCK_KO and gridlock_scenario.ko"
	exit "$KSFT_SKIP"
}
ktap_print_header
ktap_set_plan 10

[ ! -d /sys/module/gridlock ] || rmmod gridlock
[ -e /dev/gridlock_scenario ] || insmod "$here/scenario/gridlock_scenario.ko"
dmesg -C
mkfifo "$work/hold"
check "storm_is_on" start_storm
for file in waits.bin locks stats; do
	read_on $file &
	readers+=($!)
done
check "module_loads_and_unloads_${TIMES}_times" loads_and_unloads
check "nothing_stays_behind" leaves_nothing
check "least_tables_work" loads_with max_waits=16 max_locks=16
check "most_tables_work" loads_with max_waits=1048576 max_locks=65536
check "futex_probes_can_be_left_out" loads_with futex=0
check "log_has_no_warning" log_is_clean
stop_all
check "too_few_waits_are_refused" refuses "max_waits=15 is out of range" max_waits=15
check "too_many_locks_are_refused" refuses "max_locks=65537 is out of range" max_locks=65537
insmod "$GRIDLOCK_KO"
check "it_is_back" test -e "$debugfs/stats"
rm -rf "$work"

ktap_finished
