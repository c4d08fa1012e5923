/* Counts the blocks that an emulated core runs: how often each, how often it went on with what follows it, and the
 * instructions between the entry of a function and its return. Called by the emulator before every block. */
#include <stdint.h>

typedef struct {
    uint32_t address, size, instructions, function, conditional, unused;
    uint64_t count, sequential, code_reads, fetch_misses, read_misses, data_misses;
} Block;

/* Lines that are kept, the last used first in each set; a line that was never filled is NO_LINE. */
typedef struct {
    uint32_t *lines;
    uint32_t sets, ways, shift, unused;
} Cache;

typedef struct {
    uint32_t function, back;
    uint64_t since;
} Frame;

typedef struct {
    uint64_t inclusive, calls;
    uint32_t active, unused;
} Function;

typedef struct {
    Block *blocks;
    const uint32_t *starts;
    Function *functions;
    Frame *frames;
    int (*read)(void *, uint64_t, void *, uint64_t);
    int (*stop)(void *);
    int (*get)(void *, int, void *);
    int (*set)(void *, int, const void *);
    Cache *fetched, *loaded;
    uint64_t total, limit;
    uint32_t mask, used, function_count, frame_count;
    uint32_t depth, trap, code_begin, code_end, data_begin, data_end;
    int32_t link, arm, status;
    uint32_t last, unaligned;
    int32_t status_register, unused;
} Counter;

enum { RUNNING, LIMIT, BLOCKS_FULL, FRAMES_FULL, UNALIGNED, NO_LAST = 0xffffffffu };

static uint32_t length_of(void *engine, Counter *c, uint32_t address, uint32_t size, uint32_t *conditional)
{
    uint16_t half;
    uint32_t at = 0, count = 0;
    while (at < size && !c->read(engine, address + at, &half, 2)) {
        if (c->arm && half >> 8 == 0xbf && half & 15) *conditional = 1;
        int wide = c->arm ? half >> 11 >= 29 : (half & 3) == 3;
        at += wide ? 4 : 2;
        count++;
    }
    return count;
}

static uint32_t function_at(const Counter *c, uint32_t address)
{
    uint32_t low = 0, high = c->function_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (c->starts[middle] < address) low = middle + 1; else high = middle;
    }
    return low < c->function_count && c->starts[low] == address ? low + 1 : 0;
}

static uint32_t slot_of(Counter *c, uint32_t address, uint32_t size)
{
    uint32_t i = (address >> 1) & c->mask;
    while (c->blocks[i].size && (c->blocks[i].address != address || c->blocks[i].size != size)) i = (i + 1) & c->mask;
    return i;
}

static void leave(Counter *c)
{
    Frame *frame = &c->frames[--c->depth];
    Function *function = &c->functions[frame->function - 1];
    if (--function->active == 0) function->inclusive += c->total - frame->since;
}

static void enter(void *engine, Counter *c, uint32_t function)
{
    uint32_t back = 0;
    Frame *top = c->depth ? &c->frames[c->depth - 1] : 0;
    c->get(engine, c->link, &back);
    if (c->arm) back &= ~1u;
    if (top && top->function == function && top->back == back) return; /* a loop to its first instruction */
    if (c->depth == c->frame_count) {
        c->status = FRAMES_FULL;
        c->stop(engine);
        return;
    }
    c->frames[c->depth++] = (Frame){function, back, c->total};
    c->functions[function - 1].calls++;
    c->functions[function - 1].active++;
}

static int misses(Cache *cache, uint32_t address)
{
    uint32_t line = address >> cache->shift, i;
    uint32_t *set = cache->lines + line % cache->sets * cache->ways;
    for (i = 0; i + 1 < cache->ways && set[i] != line; i++) { }
    {
        int missed = set[i] != line;
        for (; i; i--) set[i] = set[i - 1];
        set[0] = line;
        return missed;
    }
}

static void fetch(Counter *c, Block *block)
{
    uint32_t step = 1u << c->fetched->shift, at = block->address >> c->fetched->shift << c->fetched->shift;
    if (block->address < c->code_begin || block->address >= c->code_end) return;
    for (; at < block->address + block->size; at += step) block->fetch_misses += (uint64_t)misses(c->fetched, at);
}

void gw_finish(Counter *c)
{
    while (c->depth) leave(c);
    c->last = NO_LAST;
}

void gw_block(void *engine, uint64_t at, uint32_t size, void *data)
{
    Counter *c = data;
    uint32_t address = (uint32_t)at, i;
    Block *block;
    if (address == c->trap) return;
    if (c->last != NO_LAST && c->blocks[c->last].address + c->blocks[c->last].size == address)
        c->blocks[c->last].sequential++;
    i = slot_of(c, address, size);
    block = &c->blocks[i];
    if (!block->size) {
        if (++c->used > c->mask / 2) {
            c->status = BLOCKS_FULL;
            c->stop(engine);
            return;
        }
        block->address = address;
        block->size = size;
        block->instructions = length_of(engine, c, address, size, &block->conditional);
        block->function = function_at(c, address);
    }
    while (c->depth && c->frames[c->depth - 1].back == address) leave(c);
    if (block->function) enter(engine, c, block->function);
    if (c->fetched) fetch(c, block);
    block->count++;
    c->total += block->instructions;
    c->last = i;
    if (c->total > c->limit) {
        c->status = LIMIT;
        c->stop(engine);
    }
}

/* Before a hook of a load or store, unicorn 2.1 puts the state of the IT block into the register that holds it, where it
 * is found again at the next block, whose first instructions are then skipped. */
static void forget_condition(void *engine, Counter *c)
{
    uint32_t status = 0;
    if (!c->arm || c->last == NO_LAST || !c->blocks[c->last].conditional) return;
    c->get(engine, c->status_register, &status);
    if (!(status & 0x0600fc00u)) return;
    status &= ~0x0600fc00u;
    c->set(engine, c->status_register, &status);
}

void gw_read(void *engine, int kind, uint64_t address, int size, int64_t value, void *data)
{
    Counter *c = data;
    Block *block;
    uint32_t at = (uint32_t)address;
    (void)kind, (void)size, (void)value;
    forget_condition(engine, c);
    if (c->last == NO_LAST) return;
    block = &c->blocks[c->last];
    if (at >= c->code_begin && at < c->code_end) {
        block->code_reads++;
        if (c->loaded) block->read_misses += (uint64_t)misses(c->loaded, at);
    } else if (c->loaded && at >= c->data_begin && at < c->data_end) {
        block->data_misses += (uint64_t)misses(c->loaded, at);
    }
}

void gw_aligned(void *engine, int kind, uint64_t address, int size, int64_t value, void *data)
{
    Counter *c = data;
    (void)kind, (void)value;
    forget_condition(engine, c);
    if (!(address & (uint64_t)(size - 1)) || c->status) return;
    c->status = UNALIGNED;
    c->unaligned = (uint32_t)address;
    c->stop(engine);
}
