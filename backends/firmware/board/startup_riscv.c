/* Start-up of a RISC-V core: stack, data, then main. */
#include <stdint.h>

extern uint32_t _data[], _data_end[], _data_load[], _bss[], _bss_end[];
extern int main(void);
extern void gw_reset(void);
void gw_start(void);

__asm__(
    ".section .vectors, \"ax\"\n"
    ".globl gw_reset\n"
    ".type gw_reset, @function\n"
    "gw_reset:\n"
    "    la sp, _estack\n"
    "    j gw_start\n"
    ".size gw_reset, . - gw_reset\n"
    ".text\n");

__attribute__((used)) void gw_start(void)
{
    volatile uint32_t *to;
    const uint32_t *from = _data_load;
    for (to = _data; to < _data_end; to++) *to = *from++;
    for (to = _bss; to < _bss_end; to++) *to = 0;
    (void)main();
    for (;;) __asm__ volatile("");
}
