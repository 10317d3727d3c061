# SPDX-License-Identifier: GPL-2.0-or-later
# Of the module and the tool.  Modules of two versions can be loaded at once.
TRIAD_VERSION ?= 0.2.0
