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

#endif
