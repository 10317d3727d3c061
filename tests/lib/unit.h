/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unit.h - what every unit test includes. */
#ifndef TEST_UNIT_H
#define TEST_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "disk.h"
#include "env.h"

/* A sanitizer looks at what is done, not at how often. */
#ifdef __SANITIZE_ADDRESS__
#define SOME(n)	(((n) + 7) / 8)
#else
#define SOME(n)	(n)
#endif

#endif
