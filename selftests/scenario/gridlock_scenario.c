// SPDX-License-Identifier: GPL-2.0
/*
 * gridlock_scenario - kernel locks that user space takes and drops by name.
 *
 * A test opens /dev/gridlock_scenario and writes commands, one per write:
 *
 *	lock KIND N		take lock N of KIND, here, in the writer's context
 *	unlock KIND N		drop it
 *	churn COUNT KIND N...	take these locks in this order and drop them again,
 *				COUNT times
 *	begin CLASS		begin an acquire context of this class of ww_mutexes;
 *				it gets older than those that are begun later
 *	end CLASS		end it; its locks are dropped by then
 *	leak			forget some memory, for kmemleak to find
 *
 * KIND is one of mutex, rwsem-w, rwsem-r, rtmutex, sem and ww. Programs compose any
 * circle from these, also together with locks of user space: the order of
 * events is theirs to make. A ww N is a ww_mutex of class N % 2, where a younger
 * context that has another lock of the class is refused by an older one: EDEADLK.
 *
 * mmap() of the file takes and drops mutex N, N being the page offset, under
 * the caller's own mmap_lock, and then fails with ENODEV.
 *
 * Everything unwinds: every wait ends on SIGKILL, and what a task holds is
 * dropped, by the task itself, when it closes the file or exits. For the latter
 * its descriptor table must be its own (no CLONE_FILES): lock fails with EBUSY
 * if it is not. One file belongs to one task at a time, else EPERM.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fdtable.h>
#include <linux/fs.h>
#include <linux/lockdep.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rtmutex.h>
#include <linux/rwsem.h>
#include <linux/sched/signal.h>
#include <linux/semaphore.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/ww_mutex.h>

/* Enough for rings; a ring of 13 is the longest that the tests make. */
#define MAX_LOCKS	64

/* Locks that one task can hold at once. */
#define MAX_HELD	16

/* What "leak" forgets. */
#define LEAK_BYTES	200

/* "churn COUNT" and MAX_HELD times "rwsem-w NN" fit. */
#define MAX_COMMAND	256

/*
 * The circles made here are on purpose: keep lockdep from judging them, and
 * from the return to user space with locks held.
 */
#ifdef lockdep_set_notrack_class
#define untrack(lock)	lockdep_set_notrack_class(lock)
#else
#define untrack(lock)	lockdep_set_novalidate_class(lock)
#endif

static struct mutex mutexes[MAX_LOCKS];
static struct rw_semaphore rwsems[MAX_LOCKS];
static struct rt_mutex rtmutexes[MAX_LOCKS];
static struct semaphore sems[MAX_LOCKS];

static DEFINE_WD_CLASS(first_class);
static DEFINE_WD_CLASS(second_class);
static struct ww_class *const ww_classes[] = { &first_class, &second_class };
static struct ww_mutex ww_mutexes[MAX_LOCKS];

struct session;

static int mutex_take(struct session *s, unsigned int n)
{
	return mutex_lock_killable(&mutexes[n]);
}

static void mutex_drop(unsigned int n)
{
	mutex_unlock(&mutexes[n]);
}

static int rwsem_take_write(struct session *s, unsigned int n)
{
	return down_write_killable(&rwsems[n]);
}

static void rwsem_drop_write(unsigned int n)
{
	up_write(&rwsems[n]);
}

static int rwsem_take_read(struct session *s, unsigned int n)
{
	return down_read_killable(&rwsems[n]);
}

static void rwsem_drop_read(unsigned int n)
{
	up_read(&rwsems[n]);
}

static int rtmutex_take(struct session *s, unsigned int n)
{
	return rt_mutex_lock_killable(&rtmutexes[n]);
}

static void rtmutex_drop(unsigned int n)
{
	rt_mutex_unlock(&rtmutexes[n]);
}

static int sem_take(struct session *s, unsigned int n)
{
	return down_killable(&sems[n]);
}

static void sem_drop(unsigned int n)
{
	up(&sems[n]);
}

static int ww_take(struct session *s, unsigned int n);

static void ww_drop(unsigned int n)
{
	ww_mutex_unlock(&ww_mutexes[n]);
}

/**
 * struct kind - one kind of lock
 * @name: its name in commands
 * @take: waits for lock n; 0, or -EINTR when the task was killed, or its own errnos
 * @drop: lets go of lock n; called by the task that took it
 */
struct kind {
	const char *name;
	int (*take)(struct session *s, unsigned int n);
	void (*drop)(unsigned int n);
};

static const struct kind kinds[] = {
	{ "mutex", mutex_take, mutex_drop },
	{ "rwsem-w", rwsem_take_write, rwsem_drop_write },
	{ "rwsem-r", rwsem_take_read, rwsem_drop_read },
	{ "rtmutex", rtmutex_take, rtmutex_drop },
	{ "sem", sem_take, sem_drop },
	{ "ww", ww_take, ww_drop },
};

/** struct lock - one lock named in a command */
struct lock {
	const struct kind *kind;
	unsigned int n;
};

/**
 * struct session - one open file
 * @owner: the task that holds locks through it, or NULL; compared, never followed
 * @held: [nr_held] locks in the order taken; @owner alone touches them
 * @nr_held: entries in @held
 * @ctx: acquire contexts, by class
 * @begun: bits of the classes whose context was begun
 */
struct session {
	struct task_struct *owner;
	struct lock held[MAX_HELD];
	unsigned int nr_held;
	struct ww_acquire_ctx ctx[ARRAY_SIZE(ww_classes)];
	unsigned long begun;
};

static int ww_take(struct session *s, unsigned int n)
{
	unsigned int class = n % ARRAY_SIZE(ww_classes);
	struct ww_acquire_ctx *ctx = s->begun & BIT(class) ? &s->ctx[class] : NULL;

	return ww_mutex_lock_interruptible(&ww_mutexes[n], ctx);
}

/* The task that asks becomes the owner, unless the file has another one. */
static int session_claim(struct session *s)
{
	struct task_struct *old;

	if (atomic_read(&current->files->count) != 1)
		return -EBUSY;
	old = cmpxchg(&s->owner, NULL, current);
	return old && old != current ? -EPERM : 0;
}

static void session_unclaim(struct session *s)
{
	if (!s->nr_held && !s->begun)
		WRITE_ONCE(s->owner, NULL);
}

static int session_lock(struct session *s, const struct lock *lock)
{
	int err = session_claim(s);

	if (err)
		return err;
	if (s->nr_held == MAX_HELD)
		return -ENOSPC;
	err = lock->kind->take(s, lock->n);
	if (!err)
		s->held[s->nr_held++] = *lock;
	session_unclaim(s);
	return err;
}

static int session_unlock(struct session *s, const struct lock *lock)
{
	unsigned int i;

	if (READ_ONCE(s->owner) != current)
		return -EPERM;
	for (i = s->nr_held; i-- > 0;) {
		if (s->held[i].kind != lock->kind || s->held[i].n != lock->n)
			continue;
		lock->kind->drop(lock->n);
		memmove(&s->held[i], &s->held[i + 1],
			(--s->nr_held - i) * sizeof(s->held[0]));
		session_unclaim(s);
		return 0;
	}
	return -ENOENT;
}

static void session_unlock_all(struct session *s)
{
	unsigned int class;

	while (s->nr_held) {
		const struct lock *lock = &s->held[--s->nr_held];

		lock->kind->drop(lock->n);
	}
	for (class = 0; class < ARRAY_SIZE(ww_classes); class++)
		if (s->begun & BIT(class))
			ww_acquire_fini(&s->ctx[class]);
	s->begun = 0;
	session_unclaim(s);
}

static int session_begin(struct session *s, unsigned int class)
{
	int err = session_claim(s);

	if (err)
		return err;
	if (s->begun & BIT(class))
		return -EEXIST;
	ww_acquire_init(&s->ctx[class], ww_classes[class]);
	s->begun |= BIT(class);
	return 0;
}

static int session_end(struct session *s, unsigned int class)
{
	unsigned int i;

	if (READ_ONCE(s->owner) != current)
		return -EPERM;
	if (!(s->begun & BIT(class)))
		return -ENOENT;
	for (i = 0; i < s->nr_held; i++)
		if (s->held[i].kind->take == ww_take &&
		    s->held[i].n % ARRAY_SIZE(ww_classes) == class)
			return -EBUSY;
	ww_acquire_fini(&s->ctx[class]);
	s->begun &= ~BIT(class);
	session_unclaim(s);
	return 0;
}

static int churn_once(struct session *s, const struct lock *locks, unsigned int nr)
{
	unsigned int i;
	int err;

	for (i = 0; i < nr; i++) {
		err = session_lock(s, &locks[i]);
		if (err)
			return err;
	}
	while (i-- > 0)
		session_unlock(s, &locks[i]);
	cond_resched();
	return signal_pending(current) ? -EINTR : 0;
}

static const char *next_word(char **command)
{
	const char *word;

	do {
		word = strsep(command, "\n ");
	} while (word && !*word);
	return word;
}

static int parse_number(char **command, unsigned int max, unsigned int *ret)
{
	const char *word = next_word(command);
	int err = word ? kstrtouint(word, 10, ret) : -EINVAL;

	if (err)
		return err;
	return *ret > max ? -ERANGE : 0;
}

/* Return: 0; -ENODATA at the end of the command; -EINVAL, -ERANGE for nonsense. */
static int parse_lock(char **command, struct lock *ret)
{
	const char *word = next_word(command);
	unsigned int i;

	if (!word)
		return -ENODATA;
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(word, kinds[i].name))
			continue;
		ret->kind = &kinds[i];
		return parse_number(command, MAX_LOCKS - 1, &ret->n);
	}
	return -EINVAL;
}

static int run_churn(struct session *s, char *command)
{
	struct lock locks[MAX_HELD];
	unsigned int count, nr;
	int err;

	err = parse_number(&command, UINT_MAX, &count);
	for (nr = 0; !err && nr < MAX_HELD; nr++) {
		err = parse_lock(&command, &locks[nr]);
		if (err == -ENODATA)
			break;
	}
	if (err != -ENODATA)
		return err ?: -E2BIG;
	if (!nr || s->nr_held)
		return -EINVAL;
	for (err = 0; count-- && !err;) {
		err = churn_once(s, locks, nr);
		if (err && READ_ONCE(s->owner) == current)
			session_unlock_all(s);
	}
	return err;
}

static int run_context(struct session *s, char *command,
		       int (*run)(struct session *s, unsigned int class))
{
	unsigned int class;

	return parse_number(&command, ARRAY_SIZE(ww_classes) - 1, &class) ?: run(s, class);
}

/* On purpose: shows that the search for leaks finds one. Only tests write here. */
static int leak(void)
{
	void *forgotten = kmalloc(LEAK_BYTES, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(forgotten);
	return forgotten ? 0 : -ENOMEM;
}

static int run_command(struct session *s, char *command)
{
	const char *verb = next_word(&command);
	struct lock lock;
	int err;

	if (!verb)
		return -EINVAL;
	if (!strcmp(verb, "churn"))
		return run_churn(s, command);
	if (!strcmp(verb, "begin"))
		return run_context(s, command, session_begin);
	if (!strcmp(verb, "end"))
		return run_context(s, command, session_end);
	if (!strcmp(verb, "leak"))
		return leak();
	err = parse_lock(&command, &lock);
	if (err)
		return err == -ENODATA ? -EINVAL : err;
	if (next_word(&command))
		return -EINVAL;
	if (!strcmp(verb, "lock"))
		return session_lock(s, &lock);
	if (!strcmp(verb, "unlock"))
		return session_unlock(s, &lock);
	return -EINVAL;
}

static int scenario_open(struct inode *inode, struct file *file)
{
	struct session *s = kzalloc(sizeof(*s), GFP_KERNEL);

	file->private_data = s;
	return s ? 0 : -ENOMEM;
}

static ssize_t scenario_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	char *command;
	int err;

	if (count > MAX_COMMAND)
		return -E2BIG;
	command = memdup_user_nul(buf, count);
	if (IS_ERR(command))
		return PTR_ERR(command);
	err = run_command(file->private_data, command);
	kfree(command);
	return err ?: count;
}

static int scenario_mmap(struct file *file, struct vm_area_struct *vma)
{
	int err;

	if (vma->vm_pgoff >= MAX_LOCKS)
		return -ERANGE;
	err = mutex_take(file->private_data, vma->vm_pgoff);
	if (err)
		return err;
	mutex_drop(vma->vm_pgoff);
	return -ENODEV;
}

/* Each close(2) comes here, in the context of the task that closes or exits. */
static int scenario_flush(struct file *file, fl_owner_t id)
{
	struct session *s = file->private_data;

	if (READ_ONCE(s->owner) == current)
		session_unlock_all(s);
	return 0;
}

static int scenario_release(struct inode *inode, struct file *file)
{
	struct session *s = file->private_data;

	/*
	 * The owner began to share its descriptor table while it held locks, and
	 * is gone. Only an owner may drop an rt_mutex: leave them locked.
	 */
	if (s->nr_held)
		pr_notice("%u locks stay locked: their owner shared its descriptors\n", s->nr_held);
	/* Locks point to the context that they were taken in. */
	if (!s->nr_held || !s->begun)
		kfree(s);
	return 0;
}

static const struct file_operations scenario_fops = {
	.owner		= THIS_MODULE,
	.open		= scenario_open,
	.write		= scenario_write,
	.mmap		= scenario_mmap,
	.flush		= scenario_flush,
	.release	= scenario_release,
};

static struct miscdevice scenario_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= KBUILD_MODNAME,
	.fops	= &scenario_fops,
	.mode	= 0600,
};

static int __init scenario_init(void)
{
	unsigned int i;

	for (i = 0; i < MAX_LOCKS; i++) {
		mutex_init(&mutexes[i]);
		untrack(&mutexes[i]);
		init_rwsem(&rwsems[i]);
		untrack(&rwsems[i]);
		rt_mutex_init(&rtmutexes[i]);
		untrack(&rtmutexes[i]);
		sema_init(&sems[i], 1);
		ww_mutex_init(&ww_mutexes[i], ww_classes[i % ARRAY_SIZE(ww_classes)]);
	}
	return misc_register(&scenario_device);
}

static void __exit scenario_exit(void)
{
	misc_deregister(&scenario_device);
}

module_init(scenario_init);
module_exit(scenario_exit);

MODULE_AUTHOR("The gridlock developers");
MODULE_DESCRIPTION("Kernel locks for the tests of gridlock");
MODULE_LICENSE("GPL");
