/* What compilers take for granted even without a C library. A linker that has one need not use these. */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *to, const void *from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);

/* Keeps a compiler from seeing in a loop the very function that it stands in. */
#define GW_LOOP __asm__ volatile("")
typedef uint32_t __attribute__((may_alias)) word;

void *memcpy(void *to, const void *from, size_t bytes)
{
    unsigned char *t = to;
    const unsigned char *f = from;
    if ((((uintptr_t)t | (uintptr_t)f) & 3) == 0) {
        for (; bytes >= 4; bytes -= 4, t += 4, f += 4) {
            *(word *)(void *)t = *(const word *)(const void *)f;
            GW_LOOP;
        }
    }
    for (; bytes > 0; bytes--) {
        *t++ = *f++;
        GW_LOOP;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
    unsigned char *t = to;
    const unsigned char *f = from;
    if ((uintptr_t)t <= (uintptr_t)f || (uintptr_t)t >= (uintptr_t)f + bytes) return memcpy(to, from, bytes);
    while (bytes-- > 0) {
        t[bytes] = f[bytes];
        GW_LOOP;
    }
    return to;
}

void *memset(void *to, int value, size_t bytes)
{
    unsigned char *t = to;
    const uint32_t four = (uint32_t)(unsigned char)value * 0x01010101u;
    for (; bytes > 0 && ((uintptr_t)t & 3) != 0; bytes--) {
        *t++ = (unsigned char)value;
        GW_LOOP;
    }
    for (; bytes >= 4; bytes -= 4, t += 4) {
        *(word *)(void *)t = four;
        GW_LOOP;
    }
    for (; bytes > 0; bytes--) {
        *t++ = (unsigned char)value;
        GW_LOOP;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
    const unsigned char *x = a, *y = b;
    for (; bytes > 0; bytes--, x++, y++) {
        if (*x != *y) return *x - *y;
        GW_LOOP;
    }
    return 0;
}
