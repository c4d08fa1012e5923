/* Start-up of an Arm M core: vectors, floating-point unit, data, then main. */
#include <stdint.h>

extern uint32_t _estack[], _data[], _data_end[], _data_load[], _bss[], _bss_end[];
extern int main(void);
void gw_reset(void);
static void stop(void);

typedef struct {
    uint32_t *stack;
    void (*handlers[15])(void);
} vector_table;

extern const vector_table gw_vectors;
__attribute__((section(".vectors"), used)) const vector_table gw_vectors = {
    _estack, {gw_reset, stop, stop, stop, stop, stop, 0, 0, 0, 0, stop, stop, 0, stop, stop}};

void gw_reset(void)
{
    volatile uint32_t *to;
    const uint32_t *from = _data_load;
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20; /* CPACR: access to the coprocessors 10 and 11 */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
#endif
    for (to = _data; to < _data_end; to++) *to = *from++;
    for (to = _bss; to < _bss_end; to++) *to = 0;
    (void)main();
    stop();
}

static void stop(void)
{
    for (;;) __asm__ volatile("");
}
