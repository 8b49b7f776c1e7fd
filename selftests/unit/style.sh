#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Kernel coding style: each source is one test for the kernel's own checker, out
# of the kernel's source package. Nothing else may ask for the kernel's version
# than compat.h.
here=$(dirname "$(readlink -f "$0")")
tree=$here/../..
: "${KSFT:=${XDG_CACHE_HOME:-$HOME/.cache}/gridlock/kselftest/tools/testing/selftests}"
checkpatch=$KSFT/../../../scripts/checkpatch.pl
. "$KSFT/kselftest/ktap_helpers.sh" 2>/dev/null && [ -x "$checkpatch" ] || {
	echo "1..0 # SKIP no kselftest and checkpatch.pl in $KSFT: name it by KSFT="
	exit 4
}

# What the checker takes for a fault and is none: lists of names made by macros;
# the version, which compat.h is about; bits, in a header that is user space's too;
# a delay under a spinlock.
IGNORE=USLEEP_RANGE,COMPLEX_MACRO,MACRO_ARG_UNUSED,MACRO_ARG_REUSE,BRACKET_SPACE,LINUX_VERSION_CODE
IGNORE+=,CONSTANT_COMPARISON,BIT_MACRO
# What people read is not split; a name is no word.
IGNORE+=,LONG_LINE_STRING,EMBEDDED_FUNCTION_NAME,REPEATED_WORD
# Rules for what runs in the kernel: its types, functions, attributes and errors.
IN_USER_SPACE=PREFER_KERNEL_TYPES,PREFER_DEFINED_ATTRIBUTE_MACRO,USE_NEGATIVE_ERRNO,ENOSYS
IN_USER_SPACE+=,STRCPY,VOLATILE,SYMBOLIC_PERMS,CAMELCASE,SPLIT_STRING
# Made to be expanded where declarations stand.
IN_USER_SPACE+=,MULTISTATEMENT_MACRO_USE_DO_WHILE,TRAILING_SEMICOLON

# What the checker says of a file that is as it should be.
NOTHING="0 errors, 0 warnings, 0 checks"

# ignored FILE: what is not asked of it
ignored() {
	local ignore=$IGNORE

	[[ $1 == kmod/* ]] || ignore+=,$IN_USER_SPACE
	# A pointer to what a macro of the harness names is no product.
	! grep -q FIXTURE_DATA "$1" || ignore+=,SPACING
	# Trace events are laid out as the kernel's own are.
	! grep -q ^TRACE_EVENT "$1" || ignore+=,OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT
	echo "$ignore"
}

# style IGNORE FILE...: what is wrong with each, by lines that begin with "FILE:", and then
# how much, in a line "FILE total: ...". On stderr the checker misses a kernel tree. To start
# it takes as long as it takes for a short file: it starts once for all.
style() {
	"$checkpatch" --no-tree --strict --terse -q --show-types --summary-file \
		--ignore "$1" --file "${@:2}" 2>/dev/null
}

cd "$tree" || exit 1
mapfile -t files < <(find kmod userspace selftests -name '*.[ch]' ! -name '*.mod.c' ! -name '*.skel.h' ! -path '*/reader/*' | LC_ALL=C sort)

# What is wrong with each file; and files by what is not asked of them.
declare -A said of
for file in "${files[@]}"; do
	of[$(ignored "$file")]+=$file$'\n'
	[ "$file" = kmod/compat.h ] || said[$file]=$(grep -n LINUX_VERSION_CODE "$file")
done
for ignore in "${!of[@]}"; do
	mapfile -t alike <<<"${of[$ignore]%$'\n'}"
	lines=$(style "$ignore" "${alike[@]}")
	for file in "${alike[@]}"; do
		# Nothing is well of which the checker does not say so: it may end before.
		grep -q "^$file total: $NOTHING, [1-9]" <<<"$lines" ||
			said[$file]+=$(grep "^$file[: ]" <<<"$lines" || echo "the checker says nothing")
	done
done

ktap_print_header
ktap_set_plan $((${#files[@]} + 1))
for file in "${files[@]}"; do
	if [ -z "${said[$file]}" ]; then
		ktap_test_pass "$file"
	else
		ktap_print_msg "${said[$file]}"
		ktap_test_fail "$file"
	fi
done

# The test can fail.
bad=$(mktemp --suffix .c) && printf 'int a;\nvoid f(void)\n{\n  a=1;\n}\n' >"$bad"
lines=$(style "$(ignored "$bad")" "$bad")
rm -f "$bad"
if [[ $lines == *POINTER_LOCATION* || $lines == *SPACING* ]]; then
	ktap_test_pass "a bad file is told"
else
	ktap_test_fail "a bad file is told"
fi
ktap_finished
