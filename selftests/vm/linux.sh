# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What setup builds of Debian's source package of Linux 7.3: the debug kernels,
# and a perf with its BPF programs, which Debian's lacks. Sourced by setup, whose
# functions it uses.

LINUX_SOURCE=linux-source-7.3

# The kernel's source package, as Debian packs it.
make_linux_source() {
	local recipe="$LINUX_SOURCE 1"
	! made linux-source "$recipe" || return 0
	rm -rf "$CACHE/linux-source.tmp"
	download "$CACHE/linux-source.tmp" trixie-backports $LINUX_SOURCE
	finish linux-source "$recipe"
}

# unpack_linux DIR [TAR-OPTION...]: the kernel's sources, or some of them, in DIR
unpack_linux() {
	local dir=$1
	shift
	mkdir -p "$dir"
	# tar may leave the stream when it has what it wants: no status tells anything.
	(
		set +o pipefail
		dpkg-deb --fsys-tarfile "$CACHE"/linux-source/*.deb |
			tar -xO "./usr/src/$LINUX_SOURCE.tar.xz" | xz -dc -T0 |
			tar -x -C "$dir" --strip-components=1 "$@"
	)
}

# configure DIR FRAGMENT...: prints each option of the fragments that got lost
configure() {
	local dir=$1 fragment option
	shift
	in_root "$CACHE/root-build" "$dir:src" -- sh -ec '
		mkdir -p /src/build
		cd /src/linux
		make -s O=/src/build tinyconfig
		cd /src/build
		../linux/scripts/kconfig/merge_config.sh -m .config "$@"
		make -s olddefconfig' sh "${@/#//src/}" >"$dir/log" 2>&1 || return
	# A later fragment overrides an earlier one.
	for fragment; do
		cat "$dir/$fragment"
	done | awk '
		/^CONFIG_/ { split($0, option, "="); want[option[1]] = $0 }
		/^# CONFIG_.* is not set$/ { want[$2] = $0 }
		END { for (name in want) print want[name] }' | sort | while IFS= read -r option; do
		case $option in
		"#"*) ! grep -q "^${option//[# a-z]/}=" "$dir/build/.config" || echo "$option" ;;
		*) grep -qxF "$option" "$dir/build/.config" || echo "$option" ;;
		esac
	done
}

# make_debug KERNEL FRAGMENT...: the part linux-KERNEL: bzImage, and in build what
# modules are built against
make_debug() {
	local kernel=$1 recipe dir=$CACHE/linux-$1.dir lost
	shift
	recipe="$(cat "$CACHE"/stamps/{linux-source,root-build} "${@/#/$VM_DIR/}") 1"
	! made "linux-$kernel" "$recipe" || return 0
	say "building the kernel $kernel (10 minutes on two processors)"
	remove "$dir" "$CACHE/linux-$kernel.tmp"
	mkdir -p "$CACHE/linux-$kernel.tmp"
	# Without most of what is large and never compiled here.
	unpack_linux "$dir/linux" --exclude '*/boot/dts/*' --exclude '*/Documentation/*/*' \
		--exclude '*/drivers/gpu/drm/amd/include/*' --exclude '*/tools/testing/*'
	cp "${@/#/$VM_DIR/}" "$dir/"
	lost=$(configure "$dir" "$@") || {
		tail -n 20 "$dir/log" >&2
		die "the kernel $kernel cannot be configured (above)"
	}
	[ -z "$lost" ] ||
		die "these options of $* do not take effect in Linux 7.3: "$'\n'"$lost"
	in_root "$CACHE/root-build" "$dir:src" -- sh -ec '
		cd /src/build
		make -s -j"$(nproc)" bzImage modules
		make -s run-command KBUILD_RUN_COMMAND="\${srctree}/scripts/package/install-extmod-build /src/modules"
	' >"$dir/log" 2>&1 || {
		grep -E 'error|Error' -A 5 "$dir/log" | head -n 40 >&2
		die "the kernel $kernel does not build (above; all of it is in $dir/log)"
	}
	mv "$dir/modules" "$CACHE/linux-$kernel.tmp/build"
	cp "$dir/build/arch/x86/boot/bzImage" "$dir/build/.config" "$CACHE/linux-$kernel.tmp/"
	finish "linux-$kernel" "$recipe"
	remove "$dir"
}

# make_perf: the part perf-7.3, a perf for the user land of kernel 7.3
make_perf() {
	local recipe dir=$CACHE/perf-7.3.dir
	recipe="$(cat "$CACHE"/stamps/{linux-source,root-perf}) 1"
	! made perf-7.3 "$recipe" || return 0
	say "building perf (5 minutes on two processors)"
	remove "$dir" "$CACHE/perf-7.3.tmp"
	unpack_linux "$dir/linux" --wildcards "$LINUX_SOURCE/tools/*" "$LINUX_SOURCE/scripts/*" \
		"$LINUX_SOURCE/Makefile" "$LINUX_SOURCE/kernel/bpf/*" "$LINUX_SOURCE/include/*" \
		"$LINUX_SOURCE/arch/x86/*" "$LINUX_SOURCE/arch/arm64/tools/*"
	in_root "$CACHE/root-perf" "$dir:src" -- sh -ec '
		mkdir /src/build
		cd /src/linux
		make -C tools/perf O=/src/build -j"$(nproc)" BUILD_BPF_SKEL=1 WERROR=0 NO_JEVENTS=1 \
			NO_LIBPYTHON=1 NO_LIBPERL=1 NO_SLANG=1 NO_GTK2=1 NO_JVMTI=1 NO_LIBCAPSTONE=1 \
			NO_LIBLLVM=1 NO_SHELLCHECK=1 NO_LIBBABELTRACE=1 NO_LIBUNWIND=1 NO_LIBNUMA=1
		# Without what its BPF programs need it is built without them, and says so.
		/src/build/perf version --build-options | grep -q "bpf_skeletons: . on"
		strip -o /src/perf /src/build/perf
	' >"$dir/log" 2>&1 || {
		tail -n 20 "$dir/log" >&2
		die "perf does not build (above; all of it is in $dir/log)"
	}
	mkdir "$CACHE/perf-7.3.tmp"
	mv "$dir/perf" "$CACHE/perf-7.3.tmp/"
	finish perf-7.3 "$recipe"
	remove "$dir"
}
