# SPDX-License-Identifier: GPL-2.0-or-later
# The pure core: the same files for the module, the tool and the tests; what is only done
# to a device that nobody has open is not part of the module.
TRIAD_CORE := geometry root record index list map plane summary space keep order guard lost log reader replay open commit params
TRIAD_OFFLINE := rollback
