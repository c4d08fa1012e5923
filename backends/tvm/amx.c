/* Asks Linux, once the library is loaded, for the tiles of x86 AMX: arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA),
 * for all threads of the process (Documentation/arch/x86/xstate.rst, from Linux 5.16 on). Without them the first
 * instruction on a tile would end the process.
 *
 * Definitions are weak, so that two networks in one program may each bring them. */

#define HELPER __attribute__((weak, visibility("hidden")))

HELPER int gw_tiles_refused = 1;

__attribute__((constructor)) HELPER void gw_ask_for_tiles(void)
{
    long answer = 158; /* SYS_arch_prctl */
    __asm__ volatile("syscall" : "+a"(answer) : "D"(0x1023L), "S"(18L) : "rcx", "r11", "memory");
    gw_tiles_refused = answer != 0;
}
