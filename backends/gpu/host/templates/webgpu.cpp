/* Runs the network on a device of WebGPU, by an implementation of webgpu.h (wgpu-native or Dawn). Written by Gatewright. */
#include <webgpu.h>

#include "host.h"

static WGPUStringView view(const std::string &text) { return {text.data(), text.size()}; }
static std::string text_of(WGPUStringView view) {
    return view.data ? std::string(view.data, view.length == WGPU_STRLEN ? std::strlen(view.data) : view.length) : "";
}

class Device {
public:
    explicit Device(const std::string &folder) {
        instance = wgpuCreateInstance(nullptr);
        if (!instance)
            throw std::runtime_error("no WebGPU");
        request();
        queue = wgpuDeviceGetQueue(device);
        for (const plan::Buffer &buffer : plan::buffers)
            buffers.push_back(room(buffer.bytes, WGPUBufferUsage_Storage | WGPUBufferUsage_CopySrc | WGPUBufferUsage_CopyDst));
        write(plan::constants, host::read(folder + "constants.bin"));
        for (const plan::Launch &launch : plan::launches)
            bind(launch, folder);
        check("the kernels are refused");
    }
    Device(const Device &) = delete;
    Device &operator=(const Device &) = delete;

    std::string name() const {
        WGPUAdapterInfo info = {};
        wgpuAdapterGetInfo(adapter, &info);
        const std::string title = text_of(info.device);
        wgpuAdapterInfoFreeMembers(info);
        return title;
    }

    void write(int buffer, host::Bytes data) {
        data.resize((data.size() + 3) / 4 * 4);
        if (!data.empty())
            wgpuQueueWriteBuffer(queue, buffers[buffer], 0, data.data(), data.size());
    }

    host::Bytes read(int buffer, size_t size) {
        const size_t words = (size + 3) / 4 * 4;
        WGPUBuffer copy = room(words, WGPUBufferUsage_MapRead | WGPUBufferUsage_CopyDst);
        WGPUCommandEncoder encoder = wgpuDeviceCreateCommandEncoder(device, nullptr);
        wgpuCommandEncoderCopyBufferToBuffer(encoder, buffers[buffer], 0, copy, 0, words);
        submit(encoder);
        bool done = false;
        WGPUBufferMapCallbackInfo told = {};
        told.mode = WGPUCallbackMode_AllowProcessEvents;
        told.callback = [](WGPUMapAsyncStatus status, WGPUStringView, void *done, void *) {
            *static_cast<bool *>(done) = status == WGPUMapAsyncStatus_Success;
        };
        told.userdata1 = &done;
        wgpuBufferMapAsync(copy, WGPUMapMode_Read, 0, words, told);
        while (!done) {
            wgpuInstanceProcessEvents(instance);
            check("the device stopped");
        }
        const unsigned char *start = static_cast<const unsigned char *>(wgpuBufferGetConstMappedRange(copy, 0, words));
        host::Bytes data(start, start + size);
        wgpuBufferUnmap(copy);
        wgpuBufferRelease(copy);
        return data;
    }

    void launch() {
        write(plan::status, host::Bytes(4));
        WGPUCommandEncoder encoder = wgpuDeviceCreateCommandEncoder(device, nullptr);
        WGPUComputePassEncoder running = wgpuCommandEncoderBeginComputePass(encoder, nullptr);
        for (size_t i = 0; i < pipelines.size(); i++)
            enqueue(running, i);
        finish(running, encoder);
        check("the launches are refused");
    }

    /** Each launch alone, until it is done: the time for submitting it is part of this. */
    std::vector<double> times(int repeats) {
        std::vector<double> best(pipelines.size(), 1e30);
        for (int turn = 0; turn < repeats; turn++)
            for (size_t i = 0; i < pipelines.size(); i++) {
                const auto start = std::chrono::steady_clock::now();
                WGPUCommandEncoder encoder = wgpuDeviceCreateCommandEncoder(device, nullptr);
                WGPUComputePassEncoder running = wgpuCommandEncoderBeginComputePass(encoder, nullptr);
                enqueue(running, i);
                finish(running, encoder);
                read(plan::status, 4);
                const double passed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
                best[i] = passed < best[i] ? passed : best[i];
            }
        return best;
    }

private:
    WGPUInstance instance = nullptr;
    WGPUAdapter adapter = nullptr;
    WGPUDevice device = nullptr;
    WGPUQueue queue = nullptr;
    std::vector<WGPUBuffer> buffers;
    std::vector<WGPUComputePipeline> pipelines;
    std::vector<WGPUBindGroup> groups;
    std::string problem;

    void check(const char *what) {
        if (!problem.empty())
            throw std::runtime_error(std::string(what) + ": " + problem);
    }

    void request() {
        WGPURequestAdapterOptions wanted = {};
        wanted.powerPreference = WGPUPowerPreference_HighPerformance;
        bool done = false;
        WGPURequestAdapterCallbackInfo found = {};
        found.mode = WGPUCallbackMode_AllowProcessEvents;
        found.callback = [](WGPURequestAdapterStatus, WGPUAdapter adapter, WGPUStringView, void *self, void *done) {
            static_cast<Device *>(self)->adapter = adapter;
            *static_cast<bool *>(done) = true;
        };
        found.userdata1 = this, found.userdata2 = &done;
        wgpuInstanceRequestAdapter(instance, &wanted, found);
        while (!done)
            wgpuInstanceProcessEvents(instance);
        if (!adapter)
            throw std::runtime_error("no device for WebGPU");
        WGPULimits limits = {};
        wgpuAdapterGetLimits(adapter, &limits);
        WGPUDeviceDescriptor described = {};
        described.requiredLimits = &limits;
        described.uncapturedErrorCallbackInfo.callback = [](WGPUDevice const *, WGPUErrorType, WGPUStringView message,
                                                            void *self, void *) {
            std::string &problem = static_cast<Device *>(self)->problem;
            if (problem.empty())
                problem = text_of(message);
        };
        described.uncapturedErrorCallbackInfo.userdata1 = this;
        WGPURequestDeviceCallbackInfo opened = {};
        opened.mode = WGPUCallbackMode_AllowProcessEvents;
        opened.callback = [](WGPURequestDeviceStatus, WGPUDevice device, WGPUStringView message, void *self, void *done) {
            static_cast<Device *>(self)->device = device;
            if (!device)
                static_cast<Device *>(self)->problem = text_of(message);
            *static_cast<bool *>(done) = true;
        };
        opened.userdata1 = this, opened.userdata2 = &(done = false);
        wgpuAdapterRequestDevice(adapter, &described, opened);
        while (!done)
            wgpuInstanceProcessEvents(instance);
        check("no device for WebGPU");
    }

    WGPUBuffer room(size_t bytes, WGPUBufferUsage usage) {
        WGPUBufferDescriptor described = {};
        described.size = bytes < 4 ? 4 : (bytes + 3) / 4 * 4;
        described.usage = usage;
        return wgpuDeviceCreateBuffer(device, &described);
    }

    void bind(const plan::Launch &launch, const std::string &folder) {
        const plan::Kernel &kernel = plan::kernels[launch.kernel];
        std::vector<WGPUBindGroupLayoutEntry> slots(launch.count);
        std::vector<WGPUBindGroupEntry> entries(launch.count);
        for (int i = 0; i < launch.count; i++) {
            const plan::Argument &argument = plan::arguments[launch.first + i];
            slots[i].binding = i;
            slots[i].visibility = WGPUShaderStage_Compute;
            slots[i].buffer.type = kernel.bound[i] == 'w' ? WGPUBufferBindingType_Storage : WGPUBufferBindingType_ReadOnlyStorage;
            entries[i].binding = i;
            entries[i].buffer = buffers[argument.buffer];
            entries[i].offset = argument.offset;
            entries[i].size = argument.bytes < 4 ? 4 : (argument.bytes + 3) / 4 * 4;
        }
        WGPUBindGroupLayoutDescriptor shape = {};
        shape.entryCount = slots.size(), shape.entries = slots.data();
        WGPUBindGroupLayout layout = wgpuDeviceCreateBindGroupLayout(device, &shape);
        WGPUPipelineLayoutDescriptor whole = {};
        whole.bindGroupLayoutCount = 1, whole.bindGroupLayouts = &layout;
        const std::string source = host::text(folder + kernel.source), entry = kernel.entry;
        WGPUShaderSourceWGSL code = {};
        code.chain.sType = WGPUSType_ShaderSourceWGSL;
        code.code = view(source);
        WGPUShaderModuleDescriptor module = {};
        module.nextInChain = &code.chain;
        WGPUComputePipelineDescriptor described = {};
        described.layout = wgpuDeviceCreatePipelineLayout(device, &whole);
        described.compute.module = wgpuDeviceCreateShaderModule(device, &module);
        check(kernel.source);
        described.compute.entryPoint = view(entry);
        pipelines.push_back(wgpuDeviceCreateComputePipeline(device, &described));
        WGPUBindGroupDescriptor group = {};
        group.layout = layout, group.entryCount = entries.size(), group.entries = entries.data();
        groups.push_back(wgpuDeviceCreateBindGroup(device, &group));
        check(kernel.source);
    }

    void enqueue(WGPUComputePassEncoder running, size_t number) {
        const unsigned *blocks = plan::launches[number].blocks;
        wgpuComputePassEncoderSetPipeline(running, pipelines[number]);
        wgpuComputePassEncoderSetBindGroup(running, 0, groups[number], 0, nullptr);
        wgpuComputePassEncoderDispatchWorkgroups(running, blocks[0], blocks[1], blocks[2]);
    }

    void finish(WGPUComputePassEncoder running, WGPUCommandEncoder encoder) {
        wgpuComputePassEncoderEnd(running);
        wgpuComputePassEncoderRelease(running);
        submit(encoder);
    }

    void submit(WGPUCommandEncoder encoder) {
        WGPUCommandBuffer commands = wgpuCommandEncoderFinish(encoder, nullptr);
        wgpuQueueSubmit(queue, 1, &commands);
        wgpuCommandBufferRelease(commands);
        wgpuCommandEncoderRelease(encoder);
    }
};

int main(int count, char **arguments) { return host::run<Device>(count, arguments); }
