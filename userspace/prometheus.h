/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * prometheus.h - the state of open devices in Prometheus' text exposition format.
 */
#ifndef TRIAD_PROMETHEUS_H
#define TRIAD_PROMETHEUS_H

#include "tool.h"

/* Of all devices, or of those that are named.  What they are is told, and no failure. */
int prometheus_print(const struct options *opt);

#endif
