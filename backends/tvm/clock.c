/* What measures the networks of a library. They stand between the two parts of this file, with their kernels,
 * constants and memory, FIGURES (the most calls of one, and one more), clear(), networks[] and counts[].
 *
 * Whole numbers only: what converts or divides 64 bits is not inside of every processor. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct timespec_of { long seconds, nanoseconds; };
int clock_gettime(int, struct timespec_of *);
void *memset(void *, int, size_t);
void *mmap(void *, size_t, int, int, int, long);
int fork(void), waitpid(int, int *, int), kill(int, int), usleep(unsigned);
void _exit(int), (*signal(int, void (*)(int)))(int);

#ifdef __APPLE__
enum { MONOTONIC = 6, SHARED_ANONYMOUS = 0x1001 };
#else
enum { MONOTONIC = 1, SHARED_ANONYMOUS = 0x21 };
#endif
enum { READ_WRITE = 3, DO_NOT_WAIT = 1, KILL = 9, LAST_SIGNAL = 31, LONG_ENOUGH = 100000, LONG = 20000000 };
enum { TOO_LONG = -1000, NO_PROCESS = -1001 };

static uint64_t nanoseconds(void)
{
    struct timespec_of now;
    clock_gettime(MONOTONIC, &now);
    return (uint64_t)now.seconds * 1000000000u + (uint64_t)now.nanoseconds;
}

/* The finest clock that a program may read. */
static inline uint64_t ticks(void)
{
#if defined(__x86_64__)
    return __builtin_readcyclecounter();
#elif defined(__aarch64__)
    uint64_t now;
    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(now)::"memory");
    return now;
#else
    return nanoseconds();
#endif
}

static uint64_t least[FIGURES];

static inline void note(int number, uint64_t begin)
{
    uint64_t spent = ticks() - begin;
    if (spent < least[number]) least[number] = spent;
}

/* NETWORKS */

static int64_t *figures;

/* How often a network has to run for the clock's own time not to matter. */
static int64_t often(void (*network)(void))
{
    for (int64_t often = 1;; often *= 2) {
        uint64_t begin = nanoseconds();
        for (int64_t i = 0; i < often; i++) network();
        if (nanoseconds() - begin >= LONG_ENOUGH) return often;
    }
}

/* Give the least ticks of each call and of the whole, of how many runs that is, and ticks in nanoseconds. */
static void measure(void (*network)(void), int calls, int64_t turns)
{
    clear();
    memset(least, 0xff, sizeof least);
    network();
    int64_t runs = calls ? 1 : often(network);
    uint64_t since = nanoseconds(), first = ticks(), begin;
    for (int64_t turn = 0; turn < turns; turn++) {
        begin = ticks();
        for (int64_t i = 0; i < runs; i++) network();
        note(calls, begin);
    }
    while (nanoseconds() - since < LONG) continue;
    for (int i = 0; i <= calls; i++) figures[i] = (int64_t)least[i];
    figures[calls + 1] = runs;
    figures[calls + 2] = (int64_t)(ticks() - first);
    figures[calls + 3] = (int64_t)(nanoseconds() - since);
}

/* Measure in a process of its own; give how many figures there are, or what happened: the negative signal, ... */
int64_t gatewright_clock_measure(int64_t which, int64_t turns, int64_t limit_ms)
{
    int status = 0, calls = which % 2 ? counts[which / 2] : 0;
    if (!figures) {
        void *shared = mmap(NULL, (FIGURES + 3) * sizeof *figures, READ_WRITE, SHARED_ANONYMOUS, -1, 0);
        if (shared == (void *)-1) return NO_PROCESS;
        figures = shared;
    }
    int child = fork();
    if (child < 0) return NO_PROCESS;
    if (child == 0) {
        for (int i = 1; i <= LAST_SIGNAL; i++) signal(i, NULL);
        measure(networks[which], calls, turns);
        _exit(0);
    }
    for (int64_t waited = 0; waitpid(child, &status, DO_NOT_WAIT) != child; waited++) {
        if (waited > limit_ms) {
            kill(child, KILL);
            waitpid(child, &status, 0);
            return TOO_LONG;
        }
        usleep(1000);
    }
    return status & 0x7f ? -(status & 0x7f) : calls + 4;
}

int64_t gatewright_clock_figure(int64_t i)
{
    return figures[i];
}

/* The same for TVM's RPC server: functions of TVM's foreign-function interface (tvm/ffi/c_api.h, TVMFFISafeCallType). */
struct any { int32_t type; uint32_t zero; int64_t value; };
enum { INTEGER = 1 };

static int give(struct any *result, int64_t value)
{
    result->type = INTEGER;
    result->zero = 0;
    result->value = value;
    return 0;
}

int __tvm_ffi_measure(void *self, const struct any *p, int32_t count, struct any *result)
{
    (void)self;
    return give(result, count == 3 ? gatewright_clock_measure(p[0].value, p[1].value, p[2].value) : NO_PROCESS);
}

int __tvm_ffi_figure(void *self, const struct any *p, int32_t count, struct any *result)
{
    (void)self;
    return give(result, count == 1 ? gatewright_clock_figure(p[0].value) : 0);
}
