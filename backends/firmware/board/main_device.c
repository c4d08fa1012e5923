/* What MAIL asks for: the self-test, or one run on inputs that stand in MAIL, too. Answers in hexadecimal. */
#define MAIL ((const uint32_t *){mail}u)

extern uint32_t _estack[];

/* Print bytes, the first one first. */
static void answer(const void *what, uint32_t bytes)
{
    const unsigned char *from = what;
    char text[65];
    uint32_t i = 0;
    for (; bytes > 0; bytes--, from++) {
        text[i++] = "0123456789abcdef"[*from >> 4];
        text[i++] = "0123456789abcdef"[*from & 15];
        if (i < 64 && bytes > 1) continue;
        text[i] = 0;
        print(text);
        i = 0;
    }
}

/* MAIL: the task (0: a run, 1: the self-test), whether states follow, the numbers of inputs and outputs; where each
 * of these begins in the arena, and its bytes; the states; the inputs. */
int main(void)
{
    const uint32_t *const ports = MAIL + 4;
    const unsigned char *data = (const unsigned char *)(ports + 2 * (MAIL[2] + MAIL[3]));
    volatile uint32_t *sp, *p;
    uint32_t port, i;
    int32_t found[2];
    {name}_init();
    if (MAIL[0] != 0) leave({name}_selftest());
#ifdef {NAME}_STATE_BYTES
    if (MAIL[1] != 0) {name}_restore(data);
    if (MAIL[1] != 0) data += {NAME}_STATE_BYTES;
#endif
    for (port = 0; port < MAIL[2]; port++) {
        for (i = 0; i < ports[2 * port + 1]; i++) {name}_arena[ports[2 * port] + i] = *data++;
    }
    __asm__ volatile("mov %0, sp" : "=r"(sp));
    for (p = _estack - {painted}; p < sp; p++) *p = {paint}u;
    found[0] = {name}_run();
    for (p = _estack - {painted}; p < sp && *p == {paint}u; p++) { }
    found[1] = (int32_t)((uint32_t)(uintptr_t)sp - (uint32_t)(uintptr_t)p);
    answer(found, sizeof found);
#ifdef {NAME}_STATE_BYTES
    {
        static unsigned char kept[{NAME}_STATE_BYTES];
        {name}_save(kept);
        answer(kept, sizeof kept);
    }
#endif
    for (; port < MAIL[2] + MAIL[3]; port++) answer({name}_arena + ports[2 * port], ports[2 * port + 1]);
    leave(0);
    return 0;
}
