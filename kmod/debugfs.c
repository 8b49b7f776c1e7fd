// SPDX-License-Identifier: GPL-2.0
/*
 * debugfs - /sys/kernel/debug/gridlock/: short texts, and the snapshots both
 * as binary files and as tables for people.
 *
 * All files are 0400 and without ioctl or mmap, so that a locked-down kernel
 * still opens them. An open file holds the module.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "debugfs.h"

#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/printk.h>
#include <linux/seq_file.h>
#include <linux/utsname.h>

#include "count.h"
#include "coverage.h"
#include "cpu.h"
#include "episode.h"
#include "event.h"
#include "form.h"
#include "probe.h"
#include "release.h"
#include "snapshot.h"
#include "turn.h"
#include "wait.h"

static struct dentry *dir;

static const char *const kind_names[] = {
#define GL_KIND_NAME(name, string)	string,
	GL_KIND_LIST(GL_KIND_NAME)
#undef GL_KIND_NAME
};

/* --- short texts --- */

static int version_show(struct seq_file *m, void *unused)
{
	seq_printf(m, "gridlock %s abi %d kernel %s\n", THIS_MODULE->version, GL_ABI_VERSION,
		   utsname()->release);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(version);

static int stats_show(struct seq_file *m, void *unused)
{
	enum gl_event event;

	gl_probes_show(m);
	seq_printf(m, "enabled %d\n", READ_ONCE(gl_enabled));
	for (event = 0; event < GL_NR_EVENTS; event++)
		seq_printf(m, "%s %llu\n", gl_event_names[event], gl_event_sum(event));
	seq_printf(m, "cost.longest_ns %llu\n", gl_cpu_longest_ns());
	seq_printf(m, "lost.kprobe_missed %llu\n", gl_probes_missed());
	seq_printf(m, "table.wait_slots %u\n", gl_waits.nr_slots);
	seq_printf(m, "table.wait_bytes %llu\n", gl_waittab_bytes(&gl_waits));
	seq_printf(m, "table.lock_rows_per_cpu %u\n", gl_nr_rows);
	seq_printf(m, "table.groups_per_cpu %u\n", gl_nr_groups);
	seq_printf(m, "table.lock_bytes %llu\n", gl_cpu_bytes());
	seq_printf(m, "table.hold_bytes %llu\n", gl_release_bytes());
	seq_printf(m, "table.episode_bytes %llu\n", gl_episodes_bytes());
	seq_printf(m, "table.turn_bytes %llu\n", gl_turns_bytes());
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

static int coverage_show(struct seq_file *m, void *unused)
{
	gl_coverage_show(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(coverage);

static int episodes_show(struct seq_file *m, void *unused)
{
	return gl_episodes_show(m);
}
DEFINE_SHOW_ATTRIBUTE(episodes);

static int turns_show(struct seq_file *m, void *unused)
{
	return gl_turns_show(m);
}
DEFINE_SHOW_ATTRIBUTE(turns);

/* --- binary snapshots --- */

static int open_binary(struct inode *inode, struct file *file)
{
	struct gl_snapshot *snap = gl_snapshot_take((unsigned long)inode->i_private);

	if (IS_ERR(snap))
		return PTR_ERR(snap);
	file->private_data = snap;
	return 0;
}

static ssize_t read_binary(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	struct gl_snapshot *snap = file->private_data;

	return simple_read_from_buffer(buf, len, pos, &snap->header, snap->bytes);
}

static int release_binary(struct inode *inode, struct file *file)
{
	gl_snapshot_free(file->private_data);
	return 0;
}

static const struct file_operations binary_fops = {
	.owner = THIS_MODULE,
	.open = open_binary,
	.read = read_binary,
	.release = release_binary,
	.llseek = default_llseek,
};

/* --- the same as text; seq_file's position 0 is the header line --- */

static void *start_table(struct seq_file *m, loff_t *pos)
{
	const struct gl_snapshot *snap = m->private;

	if (!*pos)
		return SEQ_START_TOKEN;
	if (*pos > snap->header.nr_records)
		return NULL;
	return (void *)&snap->records[(*pos - 1) * snap->header.record_size];
}

static void *next_row(struct seq_file *m, void *row, loff_t *pos)
{
	++*pos;
	return start_table(m, pos);
}

static void stop_table(struct seq_file *m, void *row)
{
}

/* "symbol", "0xaddress" or "#identity": what may be told. */
static void show_lock(struct seq_file *m, const char *name, u64 addr, u64 id)
{
	if (*name)
		seq_puts(m, name);
	else if (addr)
		seq_printf(m, "0x%llx", addr);
	else
		seq_printf(m, "#%llx", id);
}

/* A task's name may hold blanks and worse; columns must stay columns. */
static void show_comm(struct seq_file *m, const char *comm)
{
	char text[4 * GL_COMM_LEN + 1];
	int len;

	len = string_escape_str(comm, text, sizeof(text) - 1, ESCAPE_SPACE | ESCAPE_SPECIAL |
				ESCAPE_NP | ESCAPE_HEX | ESCAPE_APPEND, " \t\n\\");
	/* It says how long it would be, and ends nothing. */
	text[min_t(size_t, len, sizeof(text) - 1)] = '\0';
	seq_puts(m, len ? text : "-");
}

static int show_wait(struct seq_file *m, void *row)
{
	static const char *const owner_words[] = {
		[GL_OWNER_NONE] = "-", [GL_OWNER_UNKNOWN] = "?", [GL_OWNER_FREE] = "free",
		[GL_OWNER_KNOWN] = "owner", [GL_OWNER_HINT] = "hint", [GL_OWNER_DEAD] = "dead",
	};
	const struct gl_snapshot *snap = m->private;
	const struct gl_wait_record *rec = row;

	if (row == SEQ_START_TOKEN) {
		seq_puts(m, "kind tid tgid comm waited_ns lock state owner owner_tid\n");
		return 0;
	}
	seq_printf(m, "%s %d %d ", kind_names[rec->kind], rec->tid, rec->tgid);
	show_comm(m, rec->comm);
	seq_printf(m, " %llu ", snap->header.done_at_ns > rec->begin_ns ?
		   snap->header.done_at_ns - rec->begin_ns : 0);
	show_lock(m, rec->name, rec->res_addr, rec->res_id);
	seq_printf(m, " %s %s %d\n",
		   rec->flags & GL_WAIT_SPINNING ? "spinning" :
		   rec->flags & GL_WAIT_OFF_CPU ? "asleep" : "running",
		   owner_words[rec->owner_state], rec->owner_tid);
	return 0;
}

static void show_holds(struct seq_file *m, const struct gl_lock_record *rec)
{
	seq_printf(m, " %llu %llu %llu %llu", rec->nr_holds, rec->hold_total_ns,
		   div64_u64(rec->hold_total_ns, rec->nr_holds ?: 1), rec->hold_max_ns);
}

static int show_lock_row(struct seq_file *m, void *row)
{
	const struct gl_snapshot *snap = m->private;
	const struct gl_lock_record *rec = row;
	u64 ended;

	if (row == SEQ_START_TOKEN) {
		seq_puts(m, "kind lock begun ended failed lost total_ns min_ns avg_ns max_ns");
		seq_puts(m, " signal timeout deadlock form");
		seq_puts(m, snap->header.flags & GL_FILE_HOLDS ?
			 " holds hold_total_ns hold_avg_ns hold_max_ns\n" : "\n");
		return 0;
	}
	if (rec->row != GL_ROW_LOCK && !rec->nr_begun && !rec->nr_ended)
		return SEQ_SKIP;
	seq_printf(m, "%s ", kind_names[rec->kind]);
	if (rec->row == GL_ROW_TOTAL)
		seq_puts(m, "(total)");
	else if (rec->row == GL_ROW_OTHER)
		seq_puts(m, "(other)");
	else
		show_lock(m, rec->name, rec->res_addr, rec->res_id);
	ended = rec->nr_ended ?: 1;
	seq_printf(m, " %llu %llu %llu %llu %llu %llu %llu %llu", rec->nr_begun, rec->nr_ended,
		   rec->nr_failed, rec->nr_lost, rec->total_ns, rec->min_ns,
		   div64_u64(rec->total_ns, ended), rec->max_ns);
	seq_printf(m, " %llu %llu %llu", rec->nr_failed_by[GL_FAILED_SIGNAL],
		   rec->nr_failed_by[GL_FAILED_TIMEOUT], rec->nr_failed_by[GL_FAILED_DEADLOCK]);
	seq_printf(m, " %s", rec->form == GL_FORM_UNKNOWN ? "-" : gl_form_name(rec->form));
	if (snap->header.flags & GL_FILE_HOLDS)
		show_holds(m, rec);
	seq_putc(m, '\n');
	return 0;
}

static const struct seq_operations waits_ops = {
	.start = start_table, .next = next_row, .stop = stop_table, .show = show_wait
};

static const struct seq_operations locks_ops = {
	.start = start_table, .next = next_row, .stop = stop_table, .show = show_lock_row
};

static int open_table(struct file *file, u32 record_type, const struct seq_operations *ops)
{
	struct gl_snapshot *snap = gl_snapshot_take(record_type);
	int err;

	if (IS_ERR(snap))
		return PTR_ERR(snap);
	err = seq_open(file, ops);
	if (err) {
		gl_snapshot_free(snap);
		return err;
	}
	((struct seq_file *)file->private_data)->private = snap;
	return 0;
}

static int open_waits(struct inode *inode, struct file *file)
{
	return open_table(file, GL_RECORD_WAIT, &waits_ops);
}

static int open_locks(struct inode *inode, struct file *file)
{
	return open_table(file, GL_RECORD_LOCK, &locks_ops);
}

static int release_table(struct inode *inode, struct file *file)
{
	gl_snapshot_free(((struct seq_file *)file->private_data)->private);
	return seq_release(inode, file);
}

static const struct file_operations waits_fops = {
	.owner = THIS_MODULE,
	.open = open_waits,
	.read = seq_read,
	.release = release_table,
	.llseek = seq_lseek,
};

static const struct file_operations locks_fops = {
	.owner = THIS_MODULE,
	.open = open_locks,
	.read = seq_read,
	.release = release_table,
	.llseek = seq_lseek,
};

/* A file's name, what serves it, and, of a binary one, the records that it holds. */
static const struct {
	const char *name;
	const struct file_operations *fops;
	unsigned long record_type;
} files[] = {
	{ "version",	&version_fops },
	{ "stats",	&stats_fops },
	{ "coverage",	&coverage_fops },
	{ "episodes",	&episodes_fops },
	{ "turns",	&turns_fops },
	{ "waits",	&waits_fops },
	{ "locks",	&locks_fops },
	{ "waits.bin",	&binary_fops, GL_RECORD_WAIT },
	{ "locks.bin",	&binary_fops, GL_RECORD_LOCK },
	{ "groups.bin",	&binary_fops, GL_RECORD_GROUP },
};

static void say_why(const struct dentry *failed)
{
	if (PTR_ERR(failed) == -ENOMEM)
		pr_err("no memory for the files in debugfs\n");
	else
		pr_err("debugfs is not available (%pe): the kernel needs CONFIG_DEBUG_FS and must not be booted with debugfs=off\n",
		       failed);
}

/**
 * gl_debugfs_init() - make the files, all of them or none
 *
 * Context: process; may sleep. The tables are there.
 *
 * Return: 0 or -errno.
 */
int gl_debugfs_init(void)
{
	size_t i;

	dir = debugfs_create_dir("gridlock", NULL);
	if (IS_ERR(dir)) {
		say_why(dir);
		/* Of a module that is loaded, -EEXIST says that it is loaded already. */
		return PTR_ERR(dir) == -EEXIST ? -EBUSY : PTR_ERR(dir);
	}
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		struct dentry *file = debugfs_create_file(files[i].name, 0400, dir,
							  (void *)files[i].record_type,
							  files[i].fops);

		if (IS_ERR(file)) {
			say_why(file);
			debugfs_remove(dir);
			return PTR_ERR(file);
		}
	}
	return 0;
}

/**
 * gl_debugfs_exit() - remove the files; waits for those who read
 *
 * Context: process; may sleep.
 */
void gl_debugfs_exit(void)
{
	debugfs_remove(dir);
}
