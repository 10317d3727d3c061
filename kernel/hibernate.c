// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hibernation: nothing is written behind the memory image.
 *
 * The image holds the letters, the end of the log and the free space as they are on the
 * disk.  A kernel that goes on from it would contradict whatever reached the disk
 * later.  So before devices are stopped for the image (all of them still work then, and
 * kernel threads are frozen already) every instance ends its commit and its records,
 * and from then on writes wait until tasks are thawed: in this kernel, if the image
 * failed, or in the one that was restored.
 *
 * Where the image will be written cannot be known before: a swap file on a filesystem
 * on a volume on an instance looks like any file.  But it is certain when it
 * happens: the task that froze all others writes.  It gets an error, which undoes the
 * hibernation.  A thread may write in its stead (dm-crypt's), which looks like any
 * filesystem's; then that task waits, and nothing but an error can wake it.
 */
#include <linux/platform_device.h>
#include <linux/pm.h>
#include <linux/sched/task.h>
#include <linux/suspend.h>

#include "triad.h"

#define WATCH_SECONDS	5

static bool holding;
static bool stuck;			/* and all that is held back gets errors */
static struct task_struct *sleeper;	/* who hibernates, while holding */
static unsigned long nr_switches;	/* of it, when it was looked at last */

bool triad_hibernate_holds(void)
{
	return READ_ONCE(holding);
}

static void say_refused(struct triad *t)
{
	DMERR_LIMIT("%s: a hibernation image cannot be written to a dm-triad device: hibernate to a swap area elsewhere (resume=). No data is affected",
		    triad_name(t));
}

bool triad_hibernate_refuses(struct triad *t)
{
	if (!triad_hibernate_holds() ||
	    (!(current->flags & PF_SUSPEND_TASK) && !READ_ONCE(stuck)))
		return false;
	say_refused(t);
	return true;
}

static void refuse(struct triad *t)
{
	if (triad_write_refuse(t))
		say_refused(t);
}

/*
 * With its image on a disk elsewhere the task is woken all the time.  A disk that does not
 * answer for so long looks the same; then writes fail that only matter if it answers
 * with an error in the end and this kernel goes on.
 */
static void watch(struct work_struct *work);
static DECLARE_DELAYED_WORK(watching, watch);

static void watch(struct work_struct *work)
{
	unsigned long nr = READ_ONCE(sleeper->nvcsw) + READ_ONCE(sleeper->nivcsw);

	if (nr == nr_switches && READ_ONCE(sleeper->__state) & TASK_UNINTERRUPTIBLE) {
		WRITE_ONCE(stuck, true);
		triad_device_each(refuse);
	}
	nr_switches = nr;
	schedule_delayed_work(&watching, WATCH_SECONDS * HZ);
}

static void settle(struct triad *t)
{
	triad_write_drain(t);
	flush_work(&t->commit_work);
	wait_event(t->wait, list_empty_careful(&t->in_flight));
}

static void go_on(struct triad *t)
{
	triad_write_kick(t);
	queue_work(t->commit_wq, &t->commit_work);
}

static void release(struct work_struct *work)
{
	cancel_delayed_work_sync(&watching);
	WRITE_ONCE(holding, false);
	WRITE_ONCE(stuck, false);
	put_task_struct(sleeper);
	triad_device_each(go_on);
}

static DECLARE_WORK(thawed, release);

static int prepare(struct device *dev)
{
	cancel_delayed_work_sync(&watching);
	/* without an image there is nothing that could be contradicted */
	if (pm_suspend_target_state != PM_SUSPEND_ON || holding)
		return 0;
	sleeper = get_task_struct(current);
	WRITE_ONCE(holding, true);
	triad_device_each(settle);
	return 0;
}

/* Devices work again: in the restored kernel, or in this one, which writes the image now. */
static void resumed(struct device *dev)
{
	if (!holding)
		return;
	nr_switches = 0;
	schedule_delayed_work(&watching, WATCH_SECONDS * HZ);
	/* frozen like all who wait for the end of this */
	queue_work(system_freezable_wq, &thawed);
}

static const struct dev_pm_ops pm_ops = {
	.prepare = prepare,
	.complete = resumed,
};

/* A device for the sake of two calls: notifiers come before tasks are frozen. */
static struct platform_driver driver = {
	.driver = { .name = "dm-triad-" TRIAD_VERSION, .pm = &pm_ops },
};
static struct platform_device *device;

int triad_hibernate_init(void)
{
	int r = platform_driver_register(&driver);

	if (r)
		return r;
	device = platform_device_register_simple("dm-triad-" TRIAD_VERSION, PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(device)) {
		platform_driver_unregister(&driver);
		return PTR_ERR(device);
	}
	return 0;
}

void triad_hibernate_exit(void)
{
	platform_device_unregister(device);
	platform_driver_unregister(&driver);
	flush_work(&thawed);
}
