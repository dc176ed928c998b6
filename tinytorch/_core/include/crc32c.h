/* CRC-32C (Castagnoli), eight bytes at a time by eight tables (Kounavis, Berry). */
#ifndef TT_CRC32C_H
#define TT_CRC32C_H
#include <stdint.h>
#include <string.h>

static uint32_t crc32c_tables[8][256];

static void crc32c_prepare(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c & 1 ? (c >> 1) ^ 0x82f63b78u : c >> 1;
        crc32c_tables[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int k = 1; k < 8; k++) {
            const uint32_t before = crc32c_tables[k - 1][i];
            crc32c_tables[k][i] = (before >> 8) ^ crc32c_tables[0][before & 255];
        }
}

static uint32_t crc32c_of(const uint8_t *data, int64_t n) {
    uint32_t c = 0xffffffffu;
    for (; n >= 8; n -= 8, data += 8) {
        const uint32_t low = c ^ (data[0] | (uint32_t)data[1] << 8 |
                                  (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24);
        c = crc32c_tables[7][low & 255] ^ crc32c_tables[6][low >> 8 & 255] ^
            crc32c_tables[5][low >> 16 & 255] ^ crc32c_tables[4][low >> 24] ^
            crc32c_tables[3][data[4]] ^ crc32c_tables[2][data[5]] ^
            crc32c_tables[1][data[6]] ^ crc32c_tables[0][data[7]];
    }
    for (; n > 0; n--, data++) c = (c >> 8) ^ crc32c_tables[0][(c ^ *data) & 255];
    return ~c;
}
#endif
