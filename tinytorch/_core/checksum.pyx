"""CRC-32C, the checksum of TensorBoard's records."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

cdef extern from "crc32c.h" nogil:
    void crc32c_prepare()
    uint32_t crc32c_of(const uint8_t* data, int64_t n)

crc32c_prepare()


def crc32c(const uint8_t[::1] data not None) -> int:
    """Return the checksum of bytes.

    Example:
        >>> hex(crc32c(b"123456789"))
        '0xe3069283'
    """
    cdef uint32_t result
    if data.shape[0] == 0:
        return 0
    with nogil:
        result = crc32c_of(&data[0], data.shape[0])
    return result
