/* Stands in for NVIDIA's driver (libcuda.so.1) and run-time compiler (libnvrtc.so): the same calls, kernels run by the
 * emulator's library, whose path the environment names. It refuses what a driver refuses: calls before cuInit, without
 * a context, to memory that was not allocated. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*Launch)(int, const uint32_t *, const uint32_t *, int, char *const *, const size_t *, const unsigned char *,
                      int, void *);
enum { OK = 0, INVALID_VALUE = 1, NOT_INITIALIZED = 3, NO_DEVICE = 100, NOT_FOUND = 500, INVALID_CONTEXT = 201, FAILED = 700 };

struct Room { char *data; size_t size; };
struct Call { long function; uint32_t blocks[3], threads[3]; uint64_t arguments[64]; int count; };
struct Graph { Call calls[256]; int count; uint64_t cleared; };

static Room rooms[64];
static int room_count, initialized, context, capturing;
static Graph recorded;
static char names[64][128];
static int name_count, kernel_arguments[64];
static unsigned char kernel_writes[64][64];

static Room *room_of(uint64_t address) {
    for (int i = 0; i < room_count; i++)
        if ((uint64_t)rooms[i].data <= address && address < (uint64_t)rooms[i].data + rooms[i].size)
            return &rooms[i];
    return nullptr;
}
static int inside(uint64_t address, size_t size) {
    Room *room = room_of(address);
    return room && address + size <= (uint64_t)room->data + room->size;
}
static int run(const Call &call) {
    static Launch launch;
    if (!launch)
        launch = (Launch)dlsym(dlopen(getenv("STAND_IN_KERNELS"), RTLD_NOW), "gatewright_launch");
    char *data[64];
    size_t sizes[64];
    for (int i = 0; i < call.count; i++) {
        Room *room = room_of(call.arguments[i]);
        if (!room)
            return FAILED;
        data[i] = (char *)call.arguments[i];
        sizes[i] = room->data + room->size - data[i];
    }
    char report[64];
    return launch((int)call.function - 1, call.blocks, call.threads, call.count, data, sizes,
                  kernel_writes[call.function - 1], 0, report) ? FAILED : OK;
}

#define NEEDS_CONTEXT if (!initialized) return NOT_INITIALIZED; if (!context) return INVALID_CONTEXT;
extern "C" {
int cuInit(unsigned) { initialized = 1; return getenv("STAND_IN_NO_DEVICE") ? NO_DEVICE : OK; }
int cuGetErrorString(int code, const char **text) { *text = code == NO_DEVICE ? "no CUDA-capable device is detected" : "stand-in error"; return OK; }
int cuDeviceGetCount(int *n) { *n = 1; return OK; }
int cuDeviceGet(int *device, int number) { *device = number; return number ? INVALID_VALUE : OK; }
int cuDeviceGetName(char *name, int size, int) { snprintf(name, size, "Stand-in 90"); return OK; }
int cuDeviceGetAttribute(int *value, int which, int) { *value = which == 75 ? atoi(getenv("STAND_IN_SM")) / 10 : 0; return OK; }
int cuDevicePrimaryCtxRetain(void **made, int) { *made = &context; return initialized ? OK : NOT_INITIALIZED; }
int cuDevicePrimaryCtxRelease_v2(int) { return OK; }
int cuCtxSetCurrent(void *given) { context = given == &context; return OK; }
int cuStreamCreate(void **stream, unsigned) { NEEDS_CONTEXT *stream = &capturing; return OK; }
int cuStreamDestroy_v2(void *) { return OK; }
int cuStreamSynchronize(void *) { NEEDS_CONTEXT return capturing ? INVALID_VALUE : OK; }
int cuMemAlloc_v2(uint64_t *address, size_t size) {
    NEEDS_CONTEXT
    rooms[room_count] = {(char *)aligned_alloc(256, (size + 255) / 256 * 256), size};
    memset(rooms[room_count].data, 0xa5, size);
    *address = (uint64_t)rooms[room_count++].data;
    return OK;
}
int cuMemFree_v2(uint64_t address) { return room_of(address) ? OK : INVALID_VALUE; }
int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t size, void *) {
    NEEDS_CONTEXT
    if (!inside(to, size)) return INVALID_VALUE;
    memcpy((char *)to, from, size);
    return OK;
}
int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t size, void *) {
    NEEDS_CONTEXT
    if (!inside(from, size)) return INVALID_VALUE;
    memcpy(to, (char *)from, size);
    return OK;
}
int cuMemsetD32Async(uint64_t to, unsigned value, size_t n, void *) {
    NEEDS_CONTEXT
    if (!inside(to, 4 * n)) return INVALID_VALUE;
    if (capturing) { recorded.cleared = to; return OK; }
    for (size_t i = 0; i < n; i++) ((unsigned *)to)[i] = value;
    return OK;
}
/* What NVRTC gives is the name of every kernel and which arguments it writes, as the environment says. */
int cuModuleLoadData(void **module, const void *image) {
    NEEDS_CONTEXT
    if (strncmp((const char *)image, "STAND-IN CODE", 13)) return INVALID_VALUE;
    *module = names;
    return OK;
}
int cuModuleUnload(void *) { return OK; }
int cuModuleGetFunction(void **function, void *, const char *name) {
    char list[4096], *save = nullptr;
    snprintf(list, sizeof list, "%s", getenv("STAND_IN_ENTRIES"));   /* name:001,name:0110,... in the plan's order */
    long number = 1;
    for (char *each = strtok_r(list, ",", &save); each; each = strtok_r(nullptr, ",", &save), number++) {
        char *marks = strchr(each, ':');
        *marks++ = 0;
        if (strcmp(each, name)) continue;
        kernel_arguments[number - 1] = (int)strlen(marks);
        for (int i = 0; marks[i]; i++) kernel_writes[number - 1][i] = marks[i] == '1';
        *function = (void *)number;
        return OK;
    }
    return NOT_FOUND;
}
int cuLaunchKernel(void *function, unsigned bx, unsigned by, unsigned bz, unsigned tx, unsigned ty, unsigned tz, unsigned,
                   void *, void **arguments, void **) {
    NEEDS_CONTEXT
    Call call = {(long)function, {bx, by, bz}, {tx, ty, tz}, {}, kernel_arguments[(long)function - 1]};
    for (int i = 0; i < call.count; i++) call.arguments[i] = *(uint64_t *)arguments[i];
    if (capturing) { recorded.calls[recorded.count++] = call; return OK; }
    return run(call);
}
int cuEventCreate(void **event, unsigned) { *event = &initialized; return OK; }
int cuEventDestroy_v2(void *) { return OK; }
int cuEventRecord(void *, void *) { return OK; }
int cuEventSynchronize(void *) { return OK; }
int cuEventElapsedTime(float *ms, void *, void *) { *ms = 0.25f; return OK; }
int cuEventElapsedTime_v2(float *ms, void *, void *) { *ms = 0.25f; return OK; }
int cuStreamBeginCapture_v2(void *, int) {
    if (getenv("STAND_IN_NO_GRAPH")) return INVALID_VALUE;
    capturing = 1, recorded.count = 0, recorded.cleared = 0;
    return OK;
}
int cuStreamEndCapture(void *, void **graph) { capturing = 0; *graph = &recorded; return OK; }
int cuGraphInstantiateWithFlags(void **ready, void *graph, unsigned long long) {
    *ready = memcpy(malloc(sizeof(Graph)), graph, sizeof(Graph));
    return OK;
}
int cuGraphDestroy(void *) { return OK; }
int cuGraphExecDestroy(void *ready) { free(ready); return OK; }
int cuGraphLaunch(void *ready, void *) {
    NEEDS_CONTEXT
    Graph *graph = (Graph *)ready;
    if (graph->cleared) *(unsigned *)graph->cleared = 0;
    for (int i = 0; i < graph->count; i++)
        if (int code = run(graph->calls[i])) return code;
    return OK;
}

const char *nvrtcGetErrorString(int) { return "stand-in error"; }
int nvrtcCreateProgram(void **program, const char *source, const char *, int, const char **, const char **) {
    *program = strdup(source);
    return OK;
}
int nvrtcCompileProgram(void *program, int n, const char **options) {
    for (int i = 0; i < n; i++)
        if (!strncmp(options[i], "--gpu-architecture=sm_", 22) && strstr((char *)program, "__global__")) return OK;
    return 6;
}
int nvrtcGetProgramLogSize(void *, size_t *size) { *size = 22; return OK; }
int nvrtcGetProgramLog(void *, char *log) { strcpy(log, "line 1: no __global__"); return OK; }
int nvrtcGetCUBINSize(void *, size_t *size) { *size = 14; return OK; }
int nvrtcGetCUBIN(void *, char *code) { strcpy(code, "STAND-IN CODE"); return OK; }
int nvrtcDestroyProgram(void **program) { free(*program); return OK; }
}
