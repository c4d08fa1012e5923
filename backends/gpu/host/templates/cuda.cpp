/* Runs the network on an NVIDIA processor through the driver's interface. Written by Gatewright.
 * The kernels are compiled beforehand: nvcc -cubin -arch=ARCH kernels.cu -o kernels.cubin (CMakeLists.txt does so). */
#include <cuda.h>

#include "host.h"

static void check(CUresult code, const char *what) {
    if (code == CUDA_SUCCESS)
        return;
    const char *text = nullptr;
    cuGetErrorString(code, &text);
    throw std::runtime_error(std::string(what) + ": " + (text ? text : "error " + std::to_string(code)));
}
#define CHECK(call) check(call, #call)

class Device {
public:
    explicit Device(const std::string &folder) {
        CHECK(cuInit(0));
        CHECK(cuDeviceGet(&device, 0));
        CHECK(cuDevicePrimaryCtxRetain(&context, device));
        CHECK(cuCtxSetCurrent(context));
        CHECK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
        for (const plan::Buffer &buffer : plan::buffers) {
            CUdeviceptr place;
            CHECK(cuMemAlloc(&place, buffer.bytes ? buffer.bytes : 4));
            buffers.push_back(place);
        }
        write(plan::constants, host::read(folder + "constants.bin"));
        host::Bytes code = host::read(folder + "kernels.cubin");
        code.push_back(0);
        CHECK(cuModuleLoadData(&module, code.data()));
        for (const plan::Kernel &kernel : plan::kernels) {
            CUfunction function;
            CHECK(cuModuleGetFunction(&function, module, kernel.entry));
            functions.push_back(function);
        }
        for (const plan::Argument &argument : plan::arguments)
            places.push_back(buffers[argument.buffer] + argument.offset);
        for (CUdeviceptr &place : places)
            operands.push_back(&place);
        CHECK(cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
        CHECK(cuMemsetD32Async(buffers[plan::status], 0, 1, stream));
        for (const plan::Launch &launch : plan::launches)
            enqueue(launch);
        CUgraph graph;
        CHECK(cuStreamEndCapture(stream, &graph));
        CHECK(cuGraphInstantiateWithFlags(&all, graph, 0));
        CHECK(cuGraphDestroy(graph));
    }
    Device(const Device &) = delete;
    Device &operator=(const Device &) = delete;
    ~Device() {
        if (all)
            cuGraphExecDestroy(all);
        for (CUdeviceptr place : buffers)
            cuMemFree(place);
        if (module)
            cuModuleUnload(module);
        if (stream)
            cuStreamDestroy(stream);
        if (context)
            cuDevicePrimaryCtxRelease(device);
    }

    std::string name() const {
        char title[256] = "";
        cuDeviceGetName(title, sizeof title, device);
        return title;
    }

    void write(int buffer, const host::Bytes &data) {
        if (data.empty())
            return;
        CHECK(cuMemcpyHtoDAsync(buffers[buffer], data.data(), data.size(), stream));
        CHECK(cuStreamSynchronize(stream));
    }

    host::Bytes read(int buffer, size_t size) {
        host::Bytes data(size);
        CHECK(cuMemcpyDtoHAsync(data.data(), buffers[buffer], size, stream));
        CHECK(cuStreamSynchronize(stream));
        return data;
    }

    void launch() { CHECK(cuGraphLaunch(all, stream)); }

    std::vector<double> times(int repeats) {
        const size_t count = sizeof plan::launches / sizeof *plan::launches;
        std::vector<CUevent> events(count + 1);
        std::vector<double> best(count, 1e30);
        for (CUevent &event : events)
            CHECK(cuEventCreate(&event, CU_EVENT_DEFAULT));
        for (int turn = 0; turn < repeats; turn++) {
            CHECK(cuMemsetD32Async(buffers[plan::status], 0, 1, stream));
            CHECK(cuEventRecord(events[0], stream));
            for (size_t i = 0; i < count; i++) {
                enqueue(plan::launches[i]);
                CHECK(cuEventRecord(events[i + 1], stream));
            }
            CHECK(cuStreamSynchronize(stream));
            for (size_t i = 0; i < count; i++) {
                float passed;
                CHECK(cuEventElapsedTime(&passed, events[i], events[i + 1]));
                best[i] = passed * 1e-3 < best[i] ? passed * 1e-3 : best[i];
            }
        }
        for (CUevent event : events)
            cuEventDestroy(event);
        return best;
    }

private:
    CUdevice device = 0;
    CUcontext context = nullptr;
    CUstream stream = nullptr;
    CUmodule module = nullptr;
    CUgraphExec all = nullptr;
    std::vector<CUdeviceptr> buffers, places;
    std::vector<CUfunction> functions;
    std::vector<void *> operands;

    void enqueue(const plan::Launch &launch) {
        const plan::Kernel &kernel = plan::kernels[launch.kernel];
        const unsigned *b = launch.blocks, *t = kernel.threads;
        CHECK(cuLaunchKernel(functions[launch.kernel], b[0], b[1], b[2], t[0], t[1], t[2], 0, stream,
                             &operands[launch.first], nullptr));
    }
};

int main(int count, char **arguments) { return host::run<Device>(count, arguments); }
