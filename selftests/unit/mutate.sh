#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests of the tests: with any one detector, or any one rule of the graph, left
# out of the reader, at least one of the unit tests has to fail. Rows of the
# table of detectors are found in the source; the rules are listed below.
#
# The reader is one shared library, and each test is linked once; a mutant is a small
# library of its own, which is loaded before. So each costs one compiler run, and the tests
# up to the first that fails; that one is asked first about the next.
here=$(dirname "$(readlink -f "$0")")
reader=$here/../../userspace
: "${KSFT:=${XDG_CACHE_HOME:-$HOME/.cache}/gridlock/kselftest/tools/testing/selftests}"
: "${CC:=gcc}"
[ -e "$KSFT/kselftest_harness.h" ] || KSFT=$here/../..
. "$KSFT/kselftest/ktap_helpers.sh" 2>/dev/null || {
	echo "1..0 # SKIP no kselftest in $KSFT: name it by KSFT="
	exit 4
}

# What is slow, or is about other parts of the reader.
LEAVE_OUT="abi_test scale_test snapshot_test ustack_test property_test waittab_test"
LEAVE_OUT+=" alike_test futex_double_test proc_test text_test lens_names_test remote_test"
LEAVE_OUT+=" lens_calls_test lens_sems_test lens_until_test form_test hold_test hold_model_test"

# FILE|WHAT|SED: the rule WHAT of FILE is gone when SED has changed it
rules() {
	cat <<-'END'
		reduce.c|open resources are free|/if (g->open\[resource\])/,+1d
		reduce.c|dead resources block|s/return red->dead_blocks;/return false;/
		reduce.c|one releaser outside is enough|s/if (red->set\[g->by\[i\]\] != set)/if (false)/
		reduce.c|ANY waits need one|s/if (red->g->any\[task\])/if (false)/
		reduce.c|ALL waits need all|s/return red->left\[task\] > 0;/return false;/
		reduce.c|who runs releases|s/tail = release(red, resource, set, tail);/;/
		reduce.c|timed waits end|s/g->waits\[t\] && !(g->timed\[t\] && timers_run)/g->waits[t]/
		graph.c|exiting tasks wait no more|s/t->wait == NO_INDEX || t->exiting ||/t->wait == NO_INDEX ||/
		graph.c|suspended tasks can run|s/ || t->suspended)/)/
		graph.c|unknown releasers end ANY waits|/wait->needs == NEEDS_ANY && wait->unknown_releaser/,+1d
		graph.c|exiting tasks release nothing|/if (w->tasks\[task\].exiting)/,+1d
		graph.c|unknown holders are open|s/(resource->unknown || !nr_releasers)/!nr_releasers/
		graph.c|nobody found is open|s/(resource->unknown || !nr_releasers)/resource->unknown/
		graph.c|what lasts outlives who ends|s/!is_gone(ending, task) || !ending->lasting\[resource\]/true/
		cores.c|components are split on|s/s->nr_todo == nr_before + 1 \&\& s->nr_out == c.nr/s->nr_todo == nr_before + 1/
		walk.c|victims wait for stuck tasks|s/if (stuck\[g->wanted\[i\]\])/if (true)/
		walk.c|a circle is closed|s/start = first_place(walk, circle_ret\[nr - 1\]) - 1;/start = 0;/
		walk.c|the set itself is no victim|s/memmove(b.task, b.task + nr_set, /memmove(b.task, b.task, /
		detect_deadlock.c|inferred edges are likely|s/if (r->evidence == EVIDENCE_INFERRED)/if (false)/
		detect_deadlock.c|soft edges are likely|s/if (r->soft)/if (false)/
		detect_deadlock.c|unknown timers are likely|s/if (wait->timed == TIMED_UNKNOWN)/if (false)/
		detect_deadlock.c|a wait can cap the verdict|s/if (wait->cap < VERDICT_CONFIRMED)/if (false)/
		detect.c|members of cores are no victims|s/if (!told\[f->victims\[i\]\])/if (true)/
		detect_deadlock.c|a circle is told once|s/if (!is_known(&s, core))/if (true)/
		detect_orphan.c|deadlocked tasks are told there|s/return !c->deadlocked\[task\] \&\& /return /
		detect_orphan.c|ANY waits may end otherwise|s/(!c->g->any\[task\] || c->stuck\[task\])/true/
		inversion.c|behind a gate they never meet|s/s->all->share_a_gate(s->all, &t\[i\], &t\[k\])/false/
		inversion.c|one thread never meets itself|s/if (!window_task_compare(t\[i\].task, t\[k\].task) ||/if (/
		inversion.c|two locks are told once|s/^\t\t\treturn;$/;/
		inversion.c|deadlocked threads are told there|s/ \&\& !all->explained\[index\]//
		detect_nesting.c|two of many alike are asked|s/i < 2 || compare_locks(sorted\[i - 2\]/i < 1 || compare_locks(sorted[i - 1]/
		detect_nesting.c|what is long ago is silent|s/if (all->w->taken_ns < .* \&\&$/if (/
		detect_starvation.c|little is less than a fair share|s/share(ret) . UNFAIR . .* < 1;/true;/
		detect_starvation.c|who came first is allowed a turn|s/nr - s->nr_ahead : 0;/nr : 0;/
		detect_starvation.c|all who ask for a kernel lock share it|s/return goes_by_turns(e) \&\& .*/return nr;/
		detect_starvation.c|who always asks is seen all the time|s/s->nr_looks < LEAST_LOOKS || //
		lens_holds.c|locks of two processes are two|s/if (x->pid != y->pid)/if (false)/
		lens_holds.c|the longest is told with its call|s/to->site = h->site;//
		lens_nestings.c|orders of what may be a lock are not known|s/if (uses->held\[i\] == LENS_USE_UNKNOWN)/if (false)/
		lens_nestings.c|what is asked for is a lock|s/if (uses->wanted != LENS_USE_LOCK)/if (false)/
		lens_nestings.c|each call stays with its lock|s/row->held_site\[i\]/row->held_site[to]/
		lens_nestings.c|what is no lock is not held|s/if (uses->held\[i\] == LENS_USE_OTHER)/if (false)/
		lens_turns.c|a lock nobody waits for is left out|s/if (!is_waited(waited, key->tgid, word))/if (false)/
		known.c|a switch is a run|s/a->nr_switches == b->nr_switches \&\& //
		known.c|time on a CPU is a run|s/ \&\& a->run_ns == b->run_ns//
		known.c|another state is another sleep|s/ \&\& a->state == b->state//
		known.c|who has another table has run|s/ a->files == b->files \&\&//
		known.c|who has another address space has run|s/a->mm == b->mm \&\& //
		known.c|who is on a CPU does not sleep|s/ \&\& !r->on_cpu//
		known.c|a number comes round again|s/a->start_ns == b->start_ns;/true;/
		known.c|who leaves may have changed it|/if (!k->slept) {/,+1{/note_run/d}
		known.c|who ends may have changed it|/if (k->look != all->look) {/,+1{/note_run/d}
		known.c|who comes may change it|/k->now = NO_INDEX;/,+1{/note_run/d}
		ran.c|without an order two looks count|s/ \&\& !is_in(which, r->past, r->nr_past)//
		census.c|a wait is kept while its address space sleeps|s/(k->idle->own_call ? k->slept : k->quiet)/k->slept/
		census.c|a table is kept while all sleep who have it|s/ || !ran_not(\&c->all.tables, k->record.files)//
		census_walk.c|a piece is told anew where the next one is gone|s/nr--;/;/
		again.c|only of one address space is it kept|s/(wait->own_space || wait->own_call) \&\& //
		again.c|who is known to end it keeps it in|s/!wait->nr_blockers \&\& //
		again.c|one who comes back stays in|s/!wait->comes_back \&\& //
		again.c|one that was refused stays in|s/!wait->refused \&\&//
		again.c|a PI mutex stays in|s/wait->kind != GL_KIND_FUTEX_PI;/true;/
		again.c|what somebody unseen can end is kept alone|s/wait->unknown_releaser \&\&/true \&\&/
		again.c|a row of another wait is no row of it|s/return row->gen == past->gen \&\& row->begin_ns == past->begin_ns;/return true;/
		fdscan_again.c|what was not read is not kept|s/ || from->fds->incomplete//
		way_out.c|file locks end with their holder|/case GL_KIND_FLOCK:/d
		way_out.c|uninterruptible tasks do not end|s/return !wait || wait->interruptible ||/return true ||/
		way_out.c|kernel threads do not end|s/if (t->kthread)/if (false)/
		way_out.c|the most freed wins|s/a->nr_frees > b->nr_frees/false/
		picture.c|different waits are not alike|s/order = compare_waits(wait_of(w, x), wait_of(w, y));/;/
		picture.c|different holdings are not alike|/order = compare_lists(&p->frees/,+1d
		view_dot.c|quotes are escaped|s/if (\*c == '"' || \*c == '\\\\')/if (false)/
		view_dot.c|soft edges are dashed|s/? "dashed" : "solid"/? "solid" : "solid"/
		view_chain.c|a circle ends the walk|s/if (c->visit\[task\] == VISIT_OPEN)/if (false)/
	END
}

# detectors: a rule for each row of the table
detectors() {
	sed -n '/detectors\[\] = {/,/^}/s/^\t&\(.*\),$/\1/p' "$reader/detect.c" | while read -r row; do
		echo "detect.c|$row|/^\t&$row,\$/d"
	done
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags="-O0 -w -fPIC -std=gnu11 -D_GNU_SOURCE -I$reader -I$here -I$KSFT $(pkg-config --cflags json-c)"
libs="$(pkg-config --libs json-c) $(pkg-config --libs libdw 2>/dev/null)"
no_dw=ustack_none
pkg-config --exists libdw && no_dw="ustack_dwfl ustack_modules"

# Those that are tried, in this order.
tests=()

# compile SOURCE OBJECT
compile() {
	# shellcheck disable=SC2086
	"$CC" $flags -c -o "$2" "$1"
}

# share OBJECT: a library of it, to be loaded before the reader's. A mutant that calls what
# there is not would fail each test that gets there, for no reason of its own: it is none.
share() {
	# shellcheck disable=SC2086
	"$CC" -shared -Wl,-z,defs -Wl,-rpath,"$work" -o "${1%.o}.so" "$1" -L"$work" -lreader $libs
}

build_all() {
	local source name shared=() skip="main census_bpf lens_bpf lens_attach lens_link lens_sems lens_sight"
	for source in "$reader"/*.c; do
		name=$(basename "$source" .c)
		[[ $name == cmd_* || " $skip $no_dw " == *" $name "* ]] ||
			compile "$source" "$work/$name.o" || return
	done
	# Of what is left out nothing is called.
	# shellcheck disable=SC2086
	"$CC" -shared -o "$work/libreader.so" "$work"/*.o $libs || return
	mkdir "$work/tests" "$work/mutant"
	for source in "$here"/*.c; do
		name=$(basename "$source" .c)
		[[ " $LEAVE_OUT " == *" $name "* ]] ||
			compile "$source" "$work/tests/$name.o" || return
	done
	for source in "$work"/tests/*.o; do
		[[ $source == *_test.o ]] || shared+=("$source")
	done
	for source in "$work"/tests/*_test.o; do
		# shellcheck disable=SC2086
		"$CC" -Wl,--allow-shlib-undefined -Wl,-rpath,"$work" -o "${source%.o}" "$source" \
			"${shared[@]}" -L"$work" -lreader $libs || return
		tests+=("${source%.o}")
	done
}

# run_test TEST LIBRARY...: A mutant may run for ever, or take all memory; so may a test's
# own children.
run_test() (
	ulimit -t 20 -v 4000000
	test=$1
	shift
	exec timeout 60 env LD_PRELOAD="$*" "$test"
)

# fails LIBRARY...: does a test fail with these in the place of the reader's own?
fails() {
	local i failed
	for i in "${!tests[@]}"; do
		run_test "${tests[i]}" "$@" >/dev/null 2>&1 && continue
		failed=${tests[i]}
		unset "tests[i]"
		tests=("$failed" "${tests[@]}")
		return 0
	done
	return 1
}

# passes_unchanged FILE...: no test fails, with each of these loaded before the reader, too
passes_unchanged() {
	local file libraries=()
	for file in "$@"; do
		share "$work/${file%.c}.o" || return
		libraries+=("$work/${file%.c}.so")
	done
	! fails "${libraries[@]}"
}

# mutant_is_caught FILE SED
mutant_is_caught() {
	local mutant=$work/mutant/${1%.c}

	sed "$2" "$reader/$1" >"$mutant.c"
	if cmp -s "$reader/$1" "$mutant.c"; then
		ktap_print_msg "the source has changed: the rule is no longer there to be left out"
		return 1
	fi
	compile "$mutant.c" "$mutant.o" && share "$mutant.o" && fails "$mutant.so"
}

ktap_print_header
mapfile -t table < <(detectors && rules)
mapfile -t files < <(printf '%s\n' "${table[@]%%|*}" | sort -u)
ktap_set_plan $((${#table[@]} + 1))
if ! build_all || ! passes_unchanged "${files[@]}"; then
	ktap_test_fail "tests pass without a mutation"
	ktap_finished
fi
ktap_test_pass "tests pass without a mutation"
for row in "${table[@]}"; do
	IFS='|' read -r file what change <<<"$row"
	if mutant_is_caught "$file" "$change"; then
		ktap_test_pass "$file: $what"
	else
		ktap_test_fail "$file: $what"
	fi
done
ktap_finished
