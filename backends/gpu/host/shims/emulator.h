/* Runs the kernels of a graphics processor on a CPU: blocks one after the other, the threads of a block as fibers that
 * switch at barriers only. A launch works on copies of its arguments with pages around them that cannot be touched.
 */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

#define GATEWRIGHT_EMULATOR 1

namespace gatewright {

struct Index {
    unsigned x, y, z;
    unsigned operator[](unsigned axis) const { return axis == 0 ? x : axis == 1 ? y : z; }
};

enum Problem { NONE, NOT_ALL, DIFFERENT, TOUCHED, DIVIDED, MEMORY, UNEXPECTED, WRITTEN, DEEP };

/** What went wrong, and where: written by `gatewright_launch`. */
struct Report {
    int32_t problem, line, other, argument;
    int64_t offset;
    uint32_t thread[3], block[3];
};

typedef void (*Entry)(void **);

struct Kernel {
    Entry entry;
    bool waits;
};

static const unsigned WARP = 32, MOST = 1024;
static unsigned current, count;
static const size_t STACK = (256 << 10) + 64 * 17, SHARED = 256 << 10, GAP = 64, MARK = 256;
static const unsigned char POISON = 0xa5;
alignas(64) char shared[SHARED];
size_t shared_used = 0, shared_declared = 0;
static Index thread_index, block_index, threads, blocks;

enum State { FRESH, READY, AT_BLOCK, AT_WARP, DONE };

static char *stacks = nullptr;
static void body();

#if defined(__x86_64__) && defined(__ELF__) && !defined(GATEWRIGHT_SETJMP)

/** Where a flow of control goes on: its registers are on its stack. */
struct Place {
    void *stack;
};

extern "C" __attribute__((visibility("hidden"))) void gatewright_switch(void **from, void *to);
asm(R"(
    .text
    .hidden gatewright_switch
    .globl gatewright_switch
    .type gatewright_switch, @function
gatewright_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    popq %rcx
    jmpq *%rcx
    .size gatewright_switch, . - gatewright_switch
)");

static void go(Place &from, Place &to) { gatewright_switch(&from.stack, to.stack); }

static void begin(Place &from, Place &to, char *low, size_t size) {
    uint64_t *top = (uint64_t *)((uintptr_t)(low + size) & ~(uintptr_t)63) - 7;  /* functions begin 8 past 16 */
    top[0] = 0;                 /* where `body` would return to */
    top[-1] = (uint64_t)&body;  /* what the switch returns to; six registers are below */
    memset(top - 7, 0, 6 * sizeof *top);
    to.stack = top - 7;
    go(from, to);
}

#else

struct Place {
    jmp_buf at;
};

static void go(Place &from, Place &to) {
    if (!_setjmp(from.at))
        _longjmp(to.at, 1);
}

static void begin(Place &from, Place &, char *low, size_t size) {
    if (_setjmp(from.at))
        return;
    ucontext_t fresh;
    getcontext(&fresh);
    fresh.uc_stack.ss_sp = low, fresh.uc_stack.ss_size = size, fresh.uc_link = nullptr;
    makecontext(&fresh, body, 0);
    setcontext(&fresh);
}

#endif

struct Fiber {
    Place at;
    State state;
    int line;
};

static Fiber fibers[MOST];
static Place scheduler;
static bool descending;
static sigjmp_buf escape;
static const Kernel *running;
static void **operands;
static Report *report;
static void *touched;

static Index places[MOST];

static Index place(unsigned number) { return places[number]; }

/** Count the threads of a block once: a division at every switch would take longer than the switch. */
static void number_threads() {
    for (unsigned i = 0; i < count; i++)
        places[i] = {i % threads.x, i / threads.x % threads.y, i / threads.x / threads.y};
}

static void locate(const Index &where, uint32_t (&into)[3]) {
    into[0] = where.x, into[1] = where.y, into[2] = where.z;
}

[[noreturn]] static void fail(Problem problem, int line = 0, int other = 0) {
    report->problem = problem, report->line = line, report->other = other;
    locate(thread_index, report->thread);
    locate(block_index, report->block);
    siglongjmp(escape, 1);
}

static void pause(State state, int line) {
    if (!running->waits)
        fail(UNEXPECTED, line);
    Fiber &me = fibers[current];
    me.state = state, me.line = line;
    const unsigned next = descending ? current - 1 : current + 1;
    if (next < count && fibers[next].state == READY) {
        current = next;
        thread_index = place(next);
        go(me.at, fibers[next].at);
    } else
        go(me.at, scheduler);
}

/** Wait for every thread of the block. */
__attribute__((noinline)) static void barrier(int line) {
    pause(AT_BLOCK, line);
    asm volatile("" ::: "memory");
}

/** Wait for the 32 threads that run together. */
__attribute__((noinline, unused)) static void warp_barrier(int line) {
    pause(AT_WARP, line);
    asm volatile("" ::: "memory");
}

static void body() {
    for (;;) {
        running->entry(operands);
        fibers[current].state = DONE;
        go(fibers[current].at, scheduler);
    }
}

static void resume(unsigned number) {
    Fiber &fiber = fibers[number];
    current = number;
    thread_index = place(number);
    if (fiber.state == FRESH) {
        memset(stacks + number * STACK, POISON, MARK);
        begin(scheduler, fiber.at, stacks + number * STACK + MARK, STACK - MARK);
    } else
        go(scheduler, fiber.at);
}

/** Let threads go on that wait for those of their warp, once all of these do; say whether any does. */
static bool release_warps() {
    bool any = false;
    for (unsigned first = 0; first < count; first += WARP) {
        unsigned last = first + WARP < count ? first + WARP : count, waiting = 0;
        for (unsigned i = first; i < last; i++)
            waiting += fibers[i].state == AT_WARP;
        if (waiting == last - first) {
            for (unsigned i = first; i < last; i++)
                fibers[i].state = READY;
            any = true;
        }
    }
    return any;
}

/** Let all threads go on where all wait for each other; say whether any is left. */
static bool release_block() {
    unsigned waiting = 0, done = 0, one = 0, ended = 0;
    for (unsigned i = 0; i < count; i++) {
        if (fibers[i].state == DONE)
            done++, ended = i;
        else
            waiting += fibers[i].state == AT_BLOCK, one = i;
    }
    if (done == count)
        return false;
    if (waiting != count) {
        thread_index = place(done ? ended : one);
        fail(NOT_ALL, fibers[one].line);
    }
    for (unsigned i = 0; i < count; i++) {
        if (fibers[i].line != fibers[0].line) {
            thread_index = place(i);
            fail(DIFFERENT, fibers[i].line, fibers[0].line);
        }
        fibers[i].state = READY;
    }
    return true;
}

static void run_fibers(bool backward) {
    descending = backward;
    for (unsigned i = 0; i < count; i++)
        if (fibers[i].state != FRESH)
            fibers[i].state = READY;
    do {
        do {
            for (unsigned i = 0; i < count; i++) {
                unsigned number = backward ? count - 1 - i : i;
                if (fibers[number].state == FRESH || fibers[number].state == READY)
                    resume(number);
            }
        } while (release_warps());
    } while (release_block());
}

static void run_plain(bool backward) {
    for (unsigned i = 0; i < count; i++) {
        thread_index = place(backward ? count - 1 - i : i);
        running->entry(operands);
    }
}

static void run_blocks(bool backward) {
    unsigned total = blocks.x * blocks.y * blocks.z;
    for (unsigned i = 0; i < total; i++) {
        unsigned number = backward ? total - 1 - i : i;
        block_index = {number % blocks.x, number / blocks.x % blocks.y, number / blocks.x / blocks.y};
        memset(shared, POISON, i ? shared_used : SHARED);
        running->waits ? run_fibers(backward) : run_plain(backward);
    }
}

/* Copies of arguments between pages that cannot be touched. */

static const int MOST_ARGUMENTS = 64;

struct Slot {
    char *base;
    size_t room;
    char *copy, *source;
    size_t bytes;
    bool writes;
};

static Slot slots[MOST_ARGUMENTS];
static int slot_count;
static size_t page;

static size_t up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

static void stage(Slot &slot, bool at_end) {
    size_t room = up(slot.bytes, page);
    if (room > slot.room) {
        if (slot.base)
            munmap(slot.base, slot.room + 2 * page);
        void *got = mmap(nullptr, room + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        slot.base = got == MAP_FAILED ? nullptr : (char *)got;
        slot.room = slot.base ? room : 0;
        if (!slot.base)
            fail(MEMORY);
    }
    char *data = slot.base + page;
    if (mprotect(data, slot.room, PROT_READ | PROT_WRITE))
        fail(MEMORY);
    size_t rest = up(slot.bytes, 16) - slot.bytes;
    slot.copy = at_end ? data + slot.room - slot.bytes - rest : data;
    memcpy(slot.copy, slot.source, slot.bytes);
    memset(slot.copy + slot.bytes, POISON, rest);
    if (!slot.writes)
        mprotect(data, slot.room, PROT_READ);
}

static void unstage() {
    for (int i = 0; i < slot_count; i++) {
        Slot &slot = slots[i];
        for (size_t k = slot.bytes; k < up(slot.bytes, 16); k++)
            if (slot.writes && (unsigned char)slot.copy[k] != POISON) {
                touched = slot.copy + k;
                fail(WRITTEN);
            }
        if (slot.writes)
            memcpy(slot.source, slot.copy, slot.bytes);
    }
}

/** Give arguments that overlap one copy. */
static void gather(int n, char *const *data, const size_t *bytes, const unsigned char *writes) {
    slot_count = 0;
    for (int i = 0; i < n; i++) {
        char *low = data[i], *high = data[i] + bytes[i];
        bool write = writes[i];
        for (int k = 0; k < slot_count;) {
            Slot &other = slots[k];
            if (other.source < high && low < other.source + other.bytes && (write || other.writes)) {
                low = other.source < low ? other.source : low;
                high = other.source + other.bytes > high ? other.source + other.bytes : high;
                write |= other.writes;
                Slot last = slots[--slot_count];
                slots[slot_count] = other;
                if (k != slot_count)
                    slots[k] = last;
                k = 0;
            } else
                k++;
        }
        Slot &slot = slots[slot_count++];
        slot.source = low, slot.bytes = high - low, slot.writes = write;
    }
}

static char *copy_of(char *source, size_t bytes, bool write) {
    for (int k = 0; k < slot_count; k++)
        if (slots[k].source <= source && source + bytes <= slots[k].source + slots[k].bytes && (slots[k].writes || !write))
            return slots[k].copy + (source - slots[k].source);
    return nullptr;
}

static void on_fault(int signal, siginfo_t *info, void *) {
    touched = signal == SIGFPE ? nullptr : info->si_addr;
    report->problem = signal == SIGFPE ? DIVIDED : TOUCHED;
    locate(thread_index, report->thread);
    locate(block_index, report->block);
    siglongjmp(escape, 1);
}

static const int FAULTS[] = {SIGSEGV, SIGBUS, SIGFPE};

struct Guard {
    struct sigaction before[3];
    stack_t stack;
    Guard() {
        static char room[64 << 10];
        stack_t own = {};
        own.ss_sp = room, own.ss_size = sizeof room;
        sigaltstack(&own, &stack);
        struct sigaction action = {};
        action.sa_sigaction = on_fault;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
        for (int i = 0; i < 3; i++)
            sigaction(FAULTS[i], &action, &before[i]);
    }
    ~Guard() {
        for (int i = 0; i < 3; i++)
            sigaction(FAULTS[i], &before[i], nullptr);
        sigaltstack(&stack, nullptr);
    }
};

/** Say which argument an address belongs to or is nearest to, and how far from its beginning it is. */
static void blame(int n, char *const *data, const size_t *bytes, const unsigned char *writes) {
    report->argument = -1;
    int64_t nearest = 1 << 20;
    for (int i = 0; i < n && touched; i++) {
        char *copy = copy_of(data[i], bytes[i], writes[i]);
        if (!copy)
            continue;
        int64_t offset = (char *)touched - copy, away = offset < 0 ? -offset : offset - (int64_t)bytes[i];
        if (away < nearest)
            nearest = away, report->argument = i, report->offset = offset;
    }
}

static bool prepare_stacks() {
    if (stacks)
        return true;
    void *got = mmap(nullptr, MOST * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (got == MAP_FAILED)
        return false;
    stacks = (char *)got;
    return true;
}

/** Look whether a thread's own memory went beyond its stack (a page around each would take too many mappings). */
static void check_stacks() {
    for (unsigned i = 0; i < count && running->waits; i++)
        if (stacks[i * STACK] != (char)POISON || memcmp(stacks + i * STACK, stacks + i * STACK + 1, MARK - 1)) {
            thread_index = place(i);
            fail(DEEP);
        }
}

static void forget() {
    for (Fiber &fiber : fibers)
        fiber.state = FRESH;
}

/** Give all memory back. */
static void release() {
    for (Slot &slot : slots) {
        if (slot.base)
            munmap(slot.base, slot.room + 2 * page);
        slot.base = nullptr, slot.room = 0;
    }
    if (stacks)
        munmap(stacks, MOST * STACK);
    stacks = nullptr;
    forget();
}

/**
 * Run a kernel. `data`: where its arguments begin, of `bytes` each; only those with `writes` may be written to.
 * `backward`: threads and blocks in the opposite order, and the arguments at the beginning of their pages.
 */
static int launch(const Kernel &kernel, const uint32_t *grid, const uint32_t *shape, int n, char *const *data,
                  const size_t *bytes, const unsigned char *writes, int backward, Report *into) {
    report = into;
    memset(into, 0, sizeof *into);
    page = (size_t)sysconf(_SC_PAGESIZE);
    running = &kernel;
    blocks = {grid[0], grid[1], grid[2]};
    threads = {shape[0], shape[1], shape[2]};
    count = shape[0] * shape[1] * shape[2];
    void *copies[MOST_ARGUMENTS];
    if (n > MOST_ARGUMENTS || count > MOST || !prepare_stacks())
        return report->problem = MEMORY;
    Guard guard;
    if (sigsetjmp(escape, 1)) {
        blame(n, data, bytes, writes);
        forget();
        return report->problem;
    }
    number_threads();
    gather(n, data, bytes, writes);
    for (int k = 0; k < slot_count; k++)
        stage(slots[k], !backward);
    for (int i = 0; i < n; i++)
        copies[i] = copy_of(data[i], bytes[i], writes[i]);
    operands = copies;
    shared_used = shared_declared = 0;
    run_blocks(backward);
    check_stacks();
    unstage();
    return NONE;
}

template <unsigned... I> struct Sequence {};
template <unsigned N, unsigned... I> struct Make : Make<N - 1, N - 1, I...> {};
template <unsigned... I> struct Make<0, I...> { using type = Sequence<I...>; };

template <typename... A, unsigned... I> void spread(void (*entry)(A...), void **operands, Sequence<I...>) {
    entry((A)operands[I]...);
}
template <typename... A> void call(void (*entry)(A...), void **operands) {
    spread(entry, operands, typename Make<sizeof...(A)>::type());
}

template <typename To, typename From> static inline To bits(From value) {
    static_assert(sizeof(To) == sizeof(From), "a change of type keeps the size");
    To result;
    memcpy(&result, &value, sizeof result);
    return result;
}

static inline int dot4(int a, int b, int c) {
    for (int i = 0; i < 4; i++)
        c += (int)(signed char)(a >> 8 * i) * (int)(signed char)(b >> 8 * i);
    return c;
}

}  // namespace gatewright

#define GATEWRIGHT_SHARED(type, name, size)                                                       \
    type *name = (type *)(gatewright::shared + gatewright_shared);                                \
    gatewright_shared += (sizeof(type) * (size) + 2 * gatewright::GAP - 1) & ~(gatewright::GAP - 1); \
    gatewright_declared += sizeof(type) * (size);                                                    \
    gatewright::shared_declared = gatewright_declared;                                               \
    gatewright::shared_used = gatewright_shared;
