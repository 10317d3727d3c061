#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Change bits of a plane or summary block and make its checksum fit again."""
import sys

BLOCK = 4096
CRC_AT = 60


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc


def main(path, block, byte, mask):
    with open(path, "r+b") as image:
        image.seek(block * BLOCK)
        data = bytearray(image.read(BLOCK))
        data[byte] ^= mask
        data[CRC_AT:CRC_AT + 4] = bytes(4)
        # the kernel's and ISA-L's crc32c are not inverted at the end
        data[CRC_AT:CRC_AT + 4] = crc32c(data).to_bytes(4, "little")
        image.seek(block * BLOCK)
        image.write(data)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
