// SPDX-License-Identifier: GPL-2.0
/*
 * lens_attach - uprobes on the functions for mutexes, rwlocks, conditions and semaphores
 * of one process (lens_attach.h).
 *
 * Of each file with code that the process maps, the file itself is opened,
 * whatever its path leads to by now and in whichever mount namespace it is.
 * Those that define glibc's functions or musl's get the probes, be it the C
 * library, an old libpthread or a program with it inside.
 */
#include <assert.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "array.h"
#include "lens_attach.h"
#include "lens_link.h"
#include "lens_sight.h"
#include "lens.skel.h"
#include "bpf/lens_abi.h"
#include "proc.h"
#include "text.h"

/* A function may be there in versions that differ. */
#define MAX_PLACES	4

/** struct function - what is probed; and where it is in a file */
struct function {
	const char *name;
	enum lens_call call;
	/** @rare: few programs use it */
	bool rare;
	/** @exported: others may call it, which then import it */
	bool exported;
	/** @place: [nr] offsets in the file */
	uint64_t place[MAX_PLACES];
	uint32_t nr;
};

#define TO_WRITE	LENS_RWLOCK
#define TO_READ		(LENS_RWLOCK | LENS_SHARED)

/*
 * Where each probe takes its time to set, the rare ones are set only if some file of
 * the process calls the function. Whether threads may be cancelled goes by that, too.
 *
 * In this order: no lock is noted as taken whose end would not be seen, and no
 * return is seen whose call was not.
 */
static const struct function functions[] = {
	{ .name = "pthread_mutex_unlock", .call = LENS_UNLOCK },
	{ .name = "pthread_mutex_lock", .call = LENS_LOCK },
	{ .name = "pthread_mutex_trylock", .call = LENS_TRY },
	{ .name = "pthread_mutex_timedlock", .call = LENS_TRY, .rare = true },
	{ .name = "pthread_mutex_clocklock", .call = LENS_TRY, .rare = true },
	{ .name = "pthread_rwlock_unlock", .call = LENS_UNLOCK | LENS_RWLOCK, .rare = true },
	{ .name = "pthread_rwlock_wrlock", .call = LENS_LOCK | TO_WRITE, .rare = true },
	{ .name = "pthread_rwlock_trywrlock", .call = LENS_TRY | TO_WRITE, .rare = true },
	{ .name = "pthread_rwlock_timedwrlock", .call = LENS_TRY | TO_WRITE, .rare = true },
	{ .name = "pthread_rwlock_clockwrlock", .call = LENS_TRY | TO_WRITE, .rare = true },
	{ .name = "pthread_rwlock_rdlock", .call = LENS_LOCK | TO_READ, .rare = true },
	{ .name = "pthread_rwlock_tryrdlock", .call = LENS_TRY | TO_READ, .rare = true },
	{ .name = "pthread_rwlock_timedrdlock", .call = LENS_TRY | TO_READ, .rare = true },
	{ .name = "pthread_rwlock_clockrdlock", .call = LENS_TRY | TO_READ, .rare = true },
	{ .name = "pthread_cond_wait", .call = LENS_WAIT, .rare = true },
	{ .name = "pthread_cond_timedwait", .call = LENS_WAIT, .rare = true },
	{ .name = "pthread_cond_clockwait", .call = LENS_WAIT, .rare = true },
	{ .name = "sem_post", .call = LENS_UNLOCK | LENS_SEM, .rare = true },
	{ .name = "sem_wait", .call = LENS_LOCK | LENS_SEM, .rare = true },
	{ .name = "sem_trywait", .call = LENS_TRY | LENS_SEM, .rare = true },
	{ .name = "sem_timedwait", .call = LENS_TRY | LENS_SEM | LENS_TIMED, .rare = true },
	{ .name = "sem_clockwait", .call = LENS_TRY | LENS_SEM | LENS_CLOCKED, .rare = true },
	{ .name = "pthread_cancel" },
};

/* The place of that one, which gets no probe. */
#define CANCEL		(ARRAY_SIZE(functions) - 1)

static_assert(ARRAY_SIZE(functions) * MAX_PLACES <= LENS_MAX_PLACES,
	      "all places of all functions must find room in struct lens_places");
static_assert(ARRAY_SIZE(functions) <= 32, "each function must find its bit in a uint32_t");

/* What tells whose C library it is, alone or linked into a program. */
static const struct mark {
	const char *name;
	bool musl;
} marks[] = {
	{ "gnu_get_libc_version", false }, { "__libc_setup_tls", false },
	{ "__dls3", true }, { "static_init_tls", true },
};

/** struct library - a file, and where the functions are in it */
struct library {
	int fd;
	Elf *elf;
	/** @known: it is glibc or musl; @musl: the latter */
	bool known;
	bool musl;
	/** @cancels: threads may be cancelled */
	bool cancels;
	/** @imported: bits of those functions that it calls, and others have */
	uint32_t imported;
	struct function function[ARRAY_SIZE(functions)];
};

static bool place_in_file(Elf *elf, uint64_t addr, uint64_t *ret)
{
	size_t nr = 0;

	elf_getphdrnum(elf, &nr);
	for (size_t i = 0; i < nr; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(elf, i, &ph) || ph.p_type != PT_LOAD || !(ph.p_flags & PF_X) ||
		    addr < ph.p_vaddr || addr - ph.p_vaddr >= ph.p_filesz)
			continue;
		*ret = addr - ph.p_vaddr + ph.p_offset;
		return true;
	}
	return false;
}

static void note_place(struct function *f, uint64_t place)
{
	for (uint32_t i = 0; i < f->nr; i++)
		if (f->place[i] == place)
			return;
	if (f->nr < MAX_PLACES)
		f->place[f->nr++] = place;
}

static void note_function(struct library *lib, uint32_t index, const GElf_Sym *sym, bool exported)
{
	struct function *f = &lib->function[index];
	uint64_t place;

	if (sym->st_shndx == SHN_UNDEF) {
		lib->imported |= 1U << index;
		return;
	}
	if (!place_in_file(lib->elf, sym->st_value, &place))
		return;
	note_place(f, place);
	f->exported |= exported;
}

static void note_mark(struct library *lib, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		if (strcmp(name, marks[i].name))
			continue;
		lib->known = true;
		lib->musl = marks[i].musl;
	}
}

static void note_symbol(struct library *lib, const char *name, const GElf_Sym *sym, bool exported)
{
	if (sym->st_shndx != SHN_UNDEF && GELF_ST_TYPE(sym->st_info) != STT_FUNC)
		return;
	if (sym->st_shndx != SHN_UNDEF)
		note_mark(lib, name);
	for (uint32_t i = 0; i < ARRAY_SIZE(functions); i++)
		if (!strcmp(name, functions[i].name))
			note_function(lib, i, sym, exported);
}

static void read_symbols(struct library *lib, Elf_Scn *section, const GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata(section, NULL);
	GElf_Sym sym;

	for (int i = 0; data && gelf_getsym(data, i, &sym); i++) {
		const char *name = elf_strptr(lib->elf, header->sh_link, sym.st_name);

		if (name)
			note_symbol(lib, name, &sym, header->sh_type == SHT_DYNSYM);
	}
}

/* Symbols for linking; a program that is linked already may have others only: @all. */
static void read_library(struct library *lib, bool all)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	memcpy(lib->function, functions, sizeof(functions));
	lib->elf = elf_begin(lib->fd, ELF_C_READ, NULL);
	if (!lib->elf || elf_kind(lib->elf) != ELF_K_ELF || gelf_getclass(lib->elf) != ELFCLASS64)
		return;
	while ((section = elf_nextscn(lib->elf, section)))
		if (gelf_getshdr(section, &header) &&
		    (header.sh_type == SHT_DYNSYM || (all && header.sh_type == SHT_SYMTAB)))
			read_symbols(lib, section, &header);
}

/*
 * What @f does, as its probes are to tell it; 0: they need not. musl's waits for a
 * condition call its functions for mutexes.
 *
 * A thread that is cancelled is unwound, and that ends at a return that the kernel has
 * turned to itself: what the program has to do on the way would be left out. So where
 * threads may be cancelled no function in which they may be has a probe at its return.
 * Of a condition one at the call is enough to go by, of a semaphore it is not.
 */
static uint32_t call_of(const struct library *lib, const struct function *f)
{
	bool waits = (f->call & LENS_CALL) == LENS_WAIT;

	if (!f->call || (waits && lib->musl) || (f->call & LENS_SEM && lib->cancels))
		return 0;
	return f->call | (lib->musl ? LENS_MUSL : 0) |
	       (waits && lib->cancels ? LENS_UNTOLD : 0);
}

/* Of all functions, or only of those whose return tells something. */
static void collect(const struct library *lib, pid_t pid, bool at_return,
		    struct lens_places *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		const struct function *f = &lib->function[i];
		uint32_t call = call_of(lib, f);

		if (!call || (at_return && ((call & LENS_CALL) == LENS_UNLOCK ||
					    call & LENS_UNTOLD)))
			continue;
		for (uint32_t k = 0; k < f->nr; k++) {
			ret->offset[ret->nr] = f->place[k];
			ret->cookie[ret->nr++] = call | (uint64_t)pid << LENS_TGID_SHIFT;
		}
	}
}

static int attach_library(struct lens_bpf *skel, pid_t pid, const struct library *lib)
{
	struct lens_places calls = { 0 }, returns = { 0 };
	int err;

	collect(lib, pid, false, &calls);
	collect(lib, pid, true, &returns);
	err = lens_link(skel->progs.lens_enter, false, pid, lib->fd, &calls);
	return err ?: lens_link(skel->progs.lens_return, true, pid, lib->fd, &returns);
}

/** struct attempt - at one process after the other; @why: [@size] why it failed, in words */
struct attempt {
	struct lens_bpf *skel;
	pid_t pid;
	/** @wanted: bits of the functions that are worth a probe each */
	uint32_t wanted;
	/** @cancels: threads may be cancelled, here or in another process that is named */
	bool cancels;
	char *why;
	size_t size;
};

static bool same_file(const struct proc_map *a, const struct proc_map *b)
{
	return a->inode == b->inode && a->dev_major == b->dev_major && a->dev_minor == b->dev_minor;
}

static void say_why(const struct attempt *a, const struct proc_map *map, const char *what,
		    const char *error)
{
	char name[128];

	snprintf(a->why, a->size, "process %d maps %s, which cannot be %s: %s", a->pid,
		 text_escape(map->path, name, sizeof(name)), what, error);
}

static bool is_mapped_still(pid_t pid, const struct proc_map *map)
{
	struct proc_maps maps;
	bool found = false;

	if (proc_maps_read_here(pid, &maps))
		return false;
	for (uint32_t i = 0; i < maps.nr && !found; i++)
		found = maps.map[i].executable && same_file(&maps.map[i], map);
	proc_maps_free(&maps);
	return found;
}

/*
 * The file may be the C library: who cannot read it cannot say that it is not.
 * Devices are not opened, they are none. -1: this is one, or it is mapped no longer.
 */
static int open_file(const struct attempt *a, const struct proc_map *map)
{
	struct stat st;
	char path[64];
	int fd = -1, err;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", a->pid,
		 (unsigned long long)map->start, (unsigned long long)map->end);
	if (!stat(path, &st)) {
		if (!S_ISREG(st.st_mode))
			return -1;
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	}
	err = errno;
	if (fd < 0 && (err != ENOENT || is_mapped_still(a->pid, map)))
		say_why(a, map, "opened", strerror(err));
	return fd;
}

/* What it has inside and exports to nobody it uses. */
static void leave_out_unwanted(struct library *lib, uint32_t wanted)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(functions); i++)
		if (lib->function[i].exported && !(wanted & 1U << i))
			lib->function[i].nr = 0;
}

static bool attach_to(const struct attempt *a, struct library *lib)
{
	int err;

	if (!lib->known || !lib->function[0].nr || !lib->function[1].nr)
		return false;
	lib->cancels = a->cancels || a->wanted & 1U << CANCEL ||
		       (lib->function[CANCEL].nr && !lib->function[CANCEL].exported);
	leave_out_unwanted(lib, a->wanted);
	err = attach_library(a->skel, a->pid, lib);
	if (err)
		snprintf(a->why, a->size, "the kernel sets no probe in process %d: %s", a->pid,
			 strerror(-err));
	return !err;
}

/* Is it one that has the probes now? Or there is nothing to attach to, or @a says why. */
static bool attach_file(const struct attempt *a, const struct proc_map *map)
{
	struct library lib = { .fd = open_file(a, map) };
	bool attached = false;

	if (lib.fd < 0)
		return false;
	read_library(&lib, true);
	if (lib.elf)
		attached = attach_to(a, &lib);
	else
		say_why(a, map, "read", elf_errmsg(-1));
	elf_end(lib.elf);
	close(lib.fd);
	return attached;
}

/* Is it the first one of its file? */
static bool is_new_file(const struct proc_maps *maps, uint32_t index)
{
	const struct proc_map *map = &maps->map[index];

	if (!map->executable || !map->inode)
		return false;
	for (uint32_t i = 0; i < index; i++)
		if (maps->map[i].executable && same_file(&maps->map[i], map))
			return false;
	return true;
}

static uint32_t imported_by(const struct attempt *a, const struct proc_map *map)
{
	struct library lib = { .fd = open_file(a, map) };

	if (lib.fd < 0)
		return 0;
	read_library(&lib, false);
	elf_end(lib.elf);
	close(lib.fd);
	return lib.imported;
}

/* No lock is seen taken whose end is not, whoever finds the function in whichever way. */
static uint32_t with_unlock(uint32_t wanted, uint32_t kind)
{
	uint32_t unlock = 0, of_kind = 0;

	for (uint32_t i = 0; i < ARRAY_SIZE(functions); i++) {
		if (!(functions[i].call & kind))
			continue;
		of_kind |= 1U << i;
		if ((functions[i].call & LENS_CALL) == LENS_UNLOCK)
			unlock |= 1U << i;
	}
	return wanted & of_kind ? wanted | unlock : wanted;
}

static uint32_t find_imported(const struct attempt *a, const struct proc_maps *maps)
{
	uint32_t imported = 0;

	for (uint32_t i = 0; i < maps->nr && !*a->why; i++)
		if (is_new_file(maps, i))
			imported |= imported_by(a, &maps->map[i]);
	return imported;
}

static uint32_t find_wanted(const struct attempt *a, const struct proc_maps *maps)
{
	bool all = !lens_link_is_slow(a->skel);
	uint32_t wanted = find_imported(a, maps);

	for (uint32_t i = 0; i < ARRAY_SIZE(functions); i++)
		if (functions[i].call && (all || !functions[i].rare))
			wanted |= 1U << i;
	return with_unlock(with_unlock(wanted, LENS_RWLOCK), LENS_SEM);
}

int lens_attach_exit(struct lens_bpf *skel)
{
	struct bpf_link *link = bpf_program__attach(skel->progs.lens_exit);

	/* The links are kept as long as we are there. */
	return link ? 0 : -errno;
}

/* A thread that is not the first one of its process has a folder in /proc, too. */
static bool is_process(pid_t pid)
{
	int fd = syscall(SYS_pidfd_open, pid, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

bool lens_may_cancel(pid_t pid)
{
	char why[256] = "";
	struct attempt a = { .pid = pid, .why = why, .size = sizeof(why) };
	struct proc_maps maps;
	uint32_t imported;

	if (proc_maps_read_here(pid, &maps))
		return false;
	imported = find_imported(&a, &maps);
	proc_maps_free(&maps);
	return imported & 1U << CANCEL;
}

int lens_attach(struct lens_bpf *skel, pid_t pid, bool cancels, struct lens_file *ret, char *why,
		size_t size)
{
	struct attempt a = {
		.skel = skel, .pid = pid, .cancels = cancels, .why = why, .size = size,
	};
	int err = is_process(pid) ? 0 : -ESRCH, nr = 0;
	struct proc_maps maps;

	err = err ?: proc_maps_read_here(pid, &maps);
	*why = '\0';
	if (err) {
		snprintf(why, size, "process %d cannot be read: %s", pid, strerror(-err));
		return -1;
	}
	elf_version(EV_CURRENT);
	a.wanted = find_wanted(&a, &maps);
	for (uint32_t i = 0; i < maps.nr && !*why; i++) {
		if (!is_new_file(&maps, i) || !attach_file(&a, &maps.map[i]))
			continue;
		nr++;
		ret->inode = maps.map[i].inode;
		ret->dev_major = maps.map[i].dev_major;
		ret->dev_minor = maps.map[i].dev_minor;
	}
	proc_maps_free(&maps);
	if (!nr && !*why)
		snprintf(why, size,
			 "process %d has no C library that the lens knows: glibc or musl, for x86-64, and with symbols where it is part of the program",
			 pid);
	return *why ? -1 : 0;
}
