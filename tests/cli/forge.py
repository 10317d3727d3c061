#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Change bits of a root (unkeyed, sha256), plane or summary and make its checksum fit again."""
import hashlib
import sys

BLOCK = 4096
SLOTS = (0, 4096, 12288)


def crc32c(data):
    """As the kernel's and ISA-L's: not inverted at the end."""
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc.to_bytes(4, "little")


def main(path, block, byte, mask):
    with open(path, "r+b") as image:
        image.seek(block * BLOCK)
        data = bytearray(image.read(BLOCK))
        data[byte] ^= mask
        if block in SLOTS:
            data[476:480] = crc32c(data[:476])
            data[480:512] = hashlib.sha256(data[:480]).digest()
        else:
            data[60:64] = bytes(4)
            data[60:64] = crc32c(data)
        image.seek(block * BLOCK)
        image.write(data)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
