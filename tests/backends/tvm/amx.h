/* The tiles of a matrix unit as the manual of the instructions says it (Intel 64 and IA-32 Architectures Software
 * Developer's Manual, volume 2: LDTILECFG, TILELOADD, TILESTORED, TILEZERO, TDPBSSD and the like, TDPBF16PS, TILERELEASE).
 *
 * What the processor would answer with a fault, and what it leaves undefined, ends the program. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static struct { int live, rows[8], bytes[8]; uint8_t data[8][16][64]; } unit;

static void need(int holds)
{
    if (!holds) abort();
}

static void tile_configure(const uint8_t *shapes)
{
    need(shapes[0] == 1 && shapes[1] == 0);
    for (int i = 2; i < 16; i++) need(shapes[i] == 0);
    for (int i = 32; i < 48; i++) need(shapes[i] == 0);
    for (int i = 56; i < 64; i++) need(shapes[i] == 0);
    memset(&unit, 0, sizeof unit);
    for (int t = 0; t < 8; t++) {
        unit.bytes[t] = shapes[16 + 2 * t] + 256 * shapes[17 + 2 * t];
        unit.rows[t] = shapes[48 + t];
        need(unit.bytes[t] <= 64 && unit.rows[t] <= 16 && !unit.bytes[t] == !unit.rows[t]);
    }
    unit.live = 1;
}

static void tile_release(void)
{
    need(unit.live);
    unit.live = 0;
}

static void tile_zero(int t)
{
    need(unit.live && unit.rows[t]);
    memset(unit.data[t], 0, sizeof unit.data[t]);
}

static void tile_load(int t, const void *from, int64_t stride)
{
    tile_zero(t);
    for (int m = 0; m < unit.rows[t]; m++) memcpy(unit.data[t][m], (const char *)from + m * stride, unit.bytes[t]);
}

static void tile_store(int t, void *to, int64_t stride)
{
    need(unit.live && unit.rows[t]);
    for (int m = 0; m < unit.rows[t]; m++) memcpy((char *)to + m * stride, unit.data[t][m], unit.bytes[t]);
}

static int extended(uint8_t byte, int is_signed)
{
    return is_signed ? (int8_t)byte : byte;
}

static void tile_dot(int c, int a, int b, int a_signed, int b_signed)
{
    need(unit.live && c != a && c != b && a != b);
    need(unit.bytes[c] % 4 == 0 && unit.bytes[a] % 4 == 0 && unit.bytes[b] % 4 == 0);
    need(unit.rows[c] == unit.rows[a] && unit.bytes[a] / 4 == unit.rows[b] && unit.bytes[c] == unit.bytes[b]);
    for (int m = 0; m < unit.rows[c]; m++)
        for (int k = 0; k < unit.bytes[a] / 4; k++)
            for (int n = 0; n < unit.bytes[c] / 4; n++) {
                uint32_t sum;
                memcpy(&sum, &unit.data[c][m][4 * n], 4);
                for (int i = 0; i < 4; i++)
                    sum += (uint32_t)(extended(unit.data[a][m][4 * k + i], a_signed) *
                                      extended(unit.data[b][k][4 * n + i], b_signed));
                memcpy(&unit.data[c][m][4 * n], &sum, 4);
            }
}

static float widened(const uint8_t *from)
{
    uint32_t bits = 0;
    float found;
    memcpy((char *)&bits + 2, from, 2);
    if (!(bits & 0x7f800000)) bits &= 0x80000000; /* small numbers count as zero */
    memcpy(&found, &bits, 4);
    return found;
}

/* TDPBF16PS: the two products of a word are summed apart, over all words, and added to the sum at the end. */
static void tile_dot_bf16(int c, int a, int b)
{
    need(unit.live && c != a && c != b && a != b);
    need(unit.rows[c] == unit.rows[a] && unit.bytes[a] / 4 == unit.rows[b] && unit.bytes[c] == unit.bytes[b]);
    for (int m = 0; m < unit.rows[c]; m++)
        for (int n = 0; n < unit.bytes[c] / 4; n++) {
            float sum, part[2] = {0, 0};
            for (int k = 0; k < unit.bytes[a] / 4; k++)
                for (int i = 0; i < 2; i++)
                    part[i] += widened(&unit.data[a][m][4 * k + 2 * i]) * widened(&unit.data[b][k][4 * n + 2 * i]);
            memcpy(&sum, &unit.data[c][m][4 * n], 4);
            sum += part[0] + part[1];
            memcpy(&unit.data[c][m][4 * n], &sum, 4);
        }
}

#define tile_dot_ss(c, a, b) tile_dot(c, a, b, 1, 1)
#define tile_dot_su(c, a, b) tile_dot(c, a, b, 1, 0)
#define tile_dot_us(c, a, b) tile_dot(c, a, b, 0, 1)
#define tile_dot_uu(c, a, b) tile_dot(c, a, b, 0, 0)
