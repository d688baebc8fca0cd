"""CRC32, as zlib and gzip have it, by ISA-L where it is installed: eight times as fast as by zlib."""

try:
    from isal.isal_zlib import crc32
except ImportError:
    from zlib import crc32

__all__ = ["crc32"]
