# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# Shared by the scripts of the test bed: where things are, which kernels there
# are, and how a script says that it cannot go on. Sourced, not run.

VM_DIR=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
TREE=$(readlink -f "$VM_DIR/../..")
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/gridlock
STOCK_KERNELS="6.1 6.12 6.12-rt 7.3"
ALL_KERNELS="$STOCK_KERNELS debug"
# More that can be named: a kernel that looks for data races.
MORE_KERNELS="kcsan"

# Exit statuses of selftests/vm/run that are not the command's.
EX_SETUP=122
EX_LOG=123
EX_TIMEOUT=124
EX_DIED=125

die() {
	echo "${0##*/}: $*" >&2
	exit "$EX_SETUP"
}

# kernel_root KERNEL: the user land it runs with
kernel_root() {
	case $1 in
	6.1) echo "$CACHE/root-6.1" ;;
	6.12 | 6.12-rt) echo "$CACHE/root-6.12" ;;
	7.3 | debug | kcsan) echo "$CACHE/root-7.3" ;;
	*) die "there is no kernel '$1'; use one of: $ALL_KERNELS $MORE_KERNELS" ;;
	esac
}

# is_debug KERNEL: is it one that setup builds, not Debian?
is_debug() {
	[ "$1" = debug ] || [ "$1" = kcsan ]
}

# kernel_image KERNEL: the file that a machine boots. The debug kernels do not
# start uncompressed.
kernel_image() {
	if is_debug "$1"; then
		echo "$CACHE/linux-$1/bzImage"
	else
		echo "$CACHE/vmlinux-$1"
	fi
}

# kernel_version KERNEL: the newest installed version, e.g. 6.12.95+deb12-amd64
kernel_version() {
	local root image
	root=$(kernel_root "$1") || exit "$EX_SETUP"
	for image in "$root/boot/vmlinuz-${1%-rt}."*; do
		case $1:$image in
		*-rt:*-rt-amd64) echo "${image##*/vmlinuz-}" ;;
		*-rt:* | *-rt-amd64) ;;
		*) [ ! -e "$image" ] || echo "${image##*/vmlinuz-}" ;;
		esac
	done | sort -V | tail -n 1
}

# A name for this tree in the cache.
tree_hash() {
	sha256sum <<<"$TREE" | cut -c1-12
}

# The machine emulator that setup chose (see make_qemu there).
qemu_path() {
	if [ -x "$CACHE/qemu/usr/bin/qemu-system-x86_64" ]; then
		echo "$CACHE/qemu/usr/bin/qemu-system-x86_64"
	else
		echo qemu-system-x86_64
	fi
}

# What every machine has. A serial port takes the kernel's console; commands
# have a port of their own. quiet keeps the console short, the log is kept whole.
MACHINE=(-M q35 -nodefaults -no-user-config -display none -monitor none -no-reboot)
CMDLINE="console=ttyS0 quiet panic=-1 oops=panic audit=0 nokaslr mitigations=off"
CMDLINE+=" random.trust_cpu=on tsc=reliable no_timer_check log_buf_len=4M"

# kernel_cmdline KERNEL: what it needs more. The tests read GL_SLOW: how much longer
# everything may take. slab_debug keeps kmalloc from arrays of spare objects for each
# CPU: what they once held is still written there, and hides leaks from kmemleak.
# Statistics of locks warn about those that lockdep was told to leave alone.
kernel_cmdline() {
	case $1 in
	debug) echo "kmemleak=on slab_debug=F,kmalloc-* sysctl.kernel.lock_stat=0 GL_SLOW=4" ;;
	kcsan) echo "sysctl.kernel.lock_stat=0 GL_SLOW=4" ;;
	esac
}

# tsc_cmdline ACCEL: how fast an emulated machine's time-stamp counter runs. It is this
# machine's; at a boot beside other work the guest would mistake its speed.
tsc_cmdline() {
	local program=$CACHE/tsc_khz source=$TREE/selftests/vm/tsc_khz.c

	[ "$1" = tcg ] || return 0
	if [ ! "$program" -nt "$source" ]; then
		# Machines may be started at the same time.
		cc -O2 -o "$program.$$" "$source" && mv "$program.$$" "$program" || return 0
	fi
	echo "tsc_early_khz=$("$program")"
}

# machine_cpu ACCEL: the options for kvm, tcg or icount (tcg that counts instructions).
# A hypervisor flag would make the guest take locks that spin without the contention
# tracepoints; five-level page tables only slow emulation down.
machine_cpu() {
	case $1 in
	kvm) echo "-accel kvm -cpu host,-hypervisor" ;;
	icount) echo "-accel tcg,thread=single -icount shift=0,sleep=off -cpu max,la57=off,-hypervisor" ;;
	*) echo "-accel tcg,thread=multi -cpu max,la57=off,-hypervisor" ;;
	esac
}

# in_root ROOT FOLDER:PLACE... -- COMMAND...: run it in the user land ROOT, in a mount
# namespace of its own (no mount stays behind), with each FOLDER at its PLACE
in_root() {
	local map=() root=$1 mounts=()
	shift
	while [ "$1" != -- ]; do
		mounts+=("$1")
		shift
	done
	shift
	[ "$(id -u)" = 0 ] || map=(--map-root-user --map-auto)
	# shellcheck disable=SC2016
	unshare "${map[@]}" -m --propagation private bash -ec '
		root=$1
		shift
		while [ "$1" != -- ]; do
			mount --bind "${1%:*}" "$root/${1##*:}"
			shift
		done
		shift
		mount --rbind /dev "$root/dev"
		mount --rbind /proc "$root/proc"
		exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"
	' in_root "$root" "${mounts[@]}" -- "$@" </dev/null
}

# with_lock NAME COMMAND...: run it while no other script holds the cache's lock NAME
with_lock() {
	local name=$1
	shift
	mkdir -p "$CACHE/locks"
	(
		flock 9
		"$@" 9>&-
	) 9>"$CACHE/locks/$name"
}
