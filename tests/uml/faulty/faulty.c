// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One mistake, chosen by the parameter, made when it is loaded: each must be seen by the
 * kernel's checkers, or tests/uml and tests/vm/test-debug prove nothing.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

static char *fault = "";
module_param(fault, charp, 0);

static void *volatile sink;

static void use_after_free(void)
{
	char *p = kmalloc(100, GFP_KERNEL);

	sink = p;
	kfree(p);
	*(volatile char *)sink = 1;
}

static void out_of_bounds(void)
{
	volatile char *p = kmalloc(100, GFP_KERNEL);

	p[104] = 1;
	kfree((void *)p);
}

/* log buffers of dm-triad come from there */
static void vmalloc_out_of_bounds(void)
{
	volatile char *p = vzalloc(PAGE_SIZE - 8);

	(void)p[PAGE_SIZE - 8];
	vfree((void *)p);
}

static void double_free(void)
{
	sink = kmalloc(100, GFP_KERNEL);
	kfree(sink);
	kfree(sink);
}

static void leak(void)
{
	int i;

	for (i = 0; i < 10; i++)
		sink = kmalloc(1000, GFP_KERNEL);
	sink = NULL;
}

static void sleep_in_atomic(void)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	msleep(1);
	spin_unlock(&lock);
}

/* no sleep happens here, it only might */
static void allocate_in_atomic(void)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	kfree(kmalloc(100, GFP_KERNEL));
	spin_unlock(&lock);
}

/* nothing hangs: the order alone is wrong */
static void lock_order(void)
{
	static DEFINE_MUTEX(a);
	static DEFINE_MUTEX(b);

	mutex_lock(&a);
	mutex_lock(&b);
	mutex_unlock(&b);
	mutex_unlock(&a);
	mutex_lock(&b);
	mutex_lock(&a);
	mutex_unlock(&a);
	mutex_unlock(&b);
}

static void work(struct work_struct *w)
{
	msleep(1000);
}

static void free_active_work(void)
{
	struct work_struct *w = kmalloc(sizeof(*w), GFP_KERNEL);

	INIT_WORK(w, work);
	preempt_disable();	/* it must not run before */
	schedule_work(w);
	kfree(w);
	preempt_enable();
	msleep(2000);
}

static void expire(struct timer_list *t)
{
}

static void free_active_timer(void)
{
	struct timer_list *t = kmalloc(sizeof(*t), GFP_KERNEL);

	timer_setup(t, expire, 0);
	mod_timer(t, jiffies + HZ);
	kfree(t);
	msleep(2000);
}

static void corrupt_list(void)
{
	struct list_head *head = kmalloc(sizeof(*head), GFP_KERNEL);
	static struct list_head node;

	INIT_LIST_HEAD(head);
	list_add(&node, head);
	head->next = head;
	list_del(&node);
}

static void shift_too_far(void)
{
	volatile int by = 40;

	sink = (void *)(long)(1 << by);
}

static void release_twice(void)
{
	static refcount_t r = REFCOUNT_INIT(1);

	refcount_dec(&r);
	refcount_dec(&r);
}

static unsigned long raced;

static int race_on(void *unused)
{
	unsigned long end = jiffies + 2 * HZ;

	while (time_before(jiffies, end)) {
		raced++;
		cond_resched();
	}
	return 0;
}

/* takes two processors, and KCSAN */
static void race(void)
{
	kthread_run(race_on, NULL, "race");
	kthread_run(race_on, NULL, "race");
	msleep(3000);
}

static int hang_forever(void *unused)
{
	static DECLARE_COMPLETION(never);

	wait_for_completion(&never);
	return 0;
}

static void hang(void)
{
	kthread_run(hang_forever, NULL, "hang");
}

static const struct {
	const char *name;
	void (*make)(void);
} faults[] = {
	{ "use_after_free", use_after_free },
	{ "out_of_bounds", out_of_bounds },
	{ "vmalloc_out_of_bounds", vmalloc_out_of_bounds },
	{ "double_free", double_free },
	{ "leak", leak },
	{ "sleep_in_atomic", sleep_in_atomic },
	{ "allocate_in_atomic", allocate_in_atomic },
	{ "lock_order", lock_order },
	{ "free_active_work", free_active_work },
	{ "free_active_timer", free_active_timer },
	{ "corrupt_list", corrupt_list },
	{ "shift_too_far", shift_too_far },
	{ "release_twice", release_twice },
	{ "race", race },
	{ "hang", hang },
	{ "none", NULL },
};

static int __init faulty_init(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		if (strcmp(fault, faults[i].name))
			continue;
		if (faults[i].make)
			faults[i].make();
		return 0;
	}
	return -EINVAL;
}

static void __exit faulty_exit(void)
{
}

module_init(faulty_init);
module_exit(faulty_exit);

MODULE_DESCRIPTION("mistakes that the kernel's checkers must see");
MODULE_LICENSE("GPL");
