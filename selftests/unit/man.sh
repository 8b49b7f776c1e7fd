#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The man page tells of every command, of every option where that command is told of, of
# every file and parameter of the module, and of the numbers of a starvation: they are
# looked up in the sources.
here=$(dirname "$(readlink -f "$0")")
tree=$here/../..
: "${KSFT:=${XDG_CACHE_HOME:-$HOME/.cache}/gridlock/kselftest/tools/testing/selftests}"
[ -e "$KSFT/kselftest/ktap_helpers.sh" ] || KSFT=$here/../..
. "$KSFT/kselftest/ktap_helpers.sh" 2>/dev/null || {
	echo "1..0 # SKIP no kselftest in $KSFT: name it by KSFT="
	exit 4
}

# The page as plain text: without fonts, and with hyphens that are no commands.
page=$(sed -e 's/\\f[A-Z]//g' -e 's/\\-/-/g' -e 's/\\ / /g' "$tree/userspace/man/gridlock.8")

# Rows of tables: { "name", 'x', ...; { "name", KEY, ...
options() {
	sed -n -e "s/^\t{ \"\([a-z-]*\)\", '\(.\)', .*/--\1 -\2/p" \
		-e 's/^\t{ "\([a-z-]*\)", KEY_.*/--\1/p' "$tree/userspace/$1"
}

commands() {
	sed -n 's/^\t{ "\([a-z]*\)", cmd_.*/\1/p' "$tree/userspace/main.c"
}

files() {
	sed -n 's/^\t{ "\([a-z.]*\)",\t.*_fops.*/\1/p' "$tree/kmod/debugfs.c"
}

parameters() {
	sed -n 's/^module_param[a-z_]*(\([a-z_]*\), .*/\1/p' "$tree/kmod/main.c" | grep -v ^drop_ends$
}

facts() {
	sed -n 's/.*finding_add_fact(f, "\([a-z_]*\)", .*/\1/p' "$tree/userspace/detect_starvation.c"
}

# section NAME...: the page's sections of these names, their titles included
section() {
	awk -v names=" $* " '/^\.S[HS] / { on = index(names, " " $2 " ") } on' <<<"$page"
}

# sections_of SOURCE: where its options are told of. Some are of all commands, some of
# check and of watch, which refers to check.
sections_of() {
	local command=${1#./cmd_}

	case $command in
	./*) echo check ;;
	*) echo "COMMANDS ${command%.c}" ;;
	esac
}

# has WORD SECTION...: does it stand there, and not as a part of another one?
has() {
	local word=$1
	shift
	section "$@" | grep -E -- "(^|[^a-z_.-])${word//./\\.}([^a-z_-]|\$)" >/dev/null
}

# test_of NAME SECTIONS WORD...: are all of them there? None at all were not found in the
# source.
test_of() {
	local name=$1 sections=$2 word missing=""
	shift 2
	for word in "$@"; do
		# shellcheck disable=SC2086
		has "$word" $sections || missing+=" $word"
	done
	[ $# -gt 0 ] || missing=" all that $name has"
	if [ -z "$missing" ]; then
		ktap_test_pass "$name"
	else
		ktap_print_msg "the man page's $sections lack$missing"
		ktap_test_fail "$name"
	fi
}

untold=""
cd "$tree/userspace" || exit 1
sources=$(grep -l 'struct argp_option options' ./*.c)
ktap_print_header
ktap_set_plan $(($(wc -w <<<"$sources") + 5))
for source in $sources; do
	# shellcheck disable=SC2046
	test_of "options of ${source#./}" "$(sections_of "$source")" $(options "$source")
done
# The title of a section of its own.
for command in $(commands); do
	[ -n "$(section "$command")" ] || untold+=" $command"
done
if [ -n "$(commands)" ] && [ -z "$untold" ]; then
	ktap_test_pass "commands"
else
	ktap_print_msg "the man page has no section on${untold:- any command}"
	ktap_test_fail "commands"
fi
# shellcheck disable=SC2046
test_of "files" FILES $(files)
# shellcheck disable=SC2046
test_of "parameters" FILES $(parameters)
# shellcheck disable=SC2046
test_of "facts of a starvation" check $(facts)
# The test can fail.
if has --nonsense check || has --lock locks || has max_group FILES ||
	! has --lock-filter locks || has --lock-filter check || has --exec check; then
	ktap_test_fail "what is not there is missed"
else
	ktap_test_pass "what is not there is missed"
fi
ktap_finished
