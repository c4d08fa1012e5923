/* Runs the self-test and tells a debugger or an emulator what it found, by semihosting. */
#include "{name}.h"

#if defined(__arm__)
static int32_t ask(int32_t what, const void *with)
{
    register int32_t r0 __asm__("r0") = what;
    register const void *r1 __asm__("r1") = with;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}
#else
static int32_t ask(int32_t what, const void *with)
{
    register int32_t a0 __asm__("a0") = what;
    register const void *a1 __asm__("a1") = with;
    __asm__ volatile(
        ".option push\n\t.option norvc\n\t.balign 16\n\tslli zero, zero, 0x1f\n\tebreak\n\tsrai zero, zero, 7\n\t.option pop"
        : "+r"(a0)
        : "r"(a1)
        : "memory");
    return a0;
}
#endif

static void print(const char *text)
{
    ask(4, text); /* SYS_WRITE0 */
}

static void leave(int32_t code)
{
    int32_t block[2];
    block[0] = 0x20026; /* ADP_Stopped_ApplicationExit */
    block[1] = code;
    ask(0x20, block); /* SYS_EXIT_EXTENDED */
}

int main(void)
{
    int wrong;
    {name}_init();
    wrong = {name}_selftest();
    print("{name}: ");
    if (wrong == 0) {
        print("the self-test passed\n");
    } else {
        print("the self-test failed at ");
        print({name}_layer_name(wrong - 1));
        print("\n");
    }
    leave(wrong);
    return 0;
}
