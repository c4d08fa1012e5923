/* Runs the network on a device of OpenCL: a graphics processor, else whatever there is. Written by Gatewright. */
#define CL_TARGET_OPENCL_VERSION 120
#ifdef __APPLE__
#include <OpenCL/opencl.h>
#else
#include <CL/cl.h>
#endif

#include "host.h"

static void check(cl_int code, const char *what) {
    if (code != CL_SUCCESS)
        throw std::runtime_error(std::string(what) + ": error " + std::to_string(code));
}
#define CHECK(call) check(call, #call)

class Device {
public:
    explicit Device(const std::string &folder) {
        find();
        cl_int code;
        context = clCreateContext(nullptr, 1, &device, nullptr, nullptr, &code);
        check(code, "clCreateContext");
        queue = clCreateCommandQueue(context, device, CL_QUEUE_PROFILING_ENABLE, &code);
        check(code, "clCreateCommandQueue");
        for (const plan::Buffer &buffer : plan::buffers) {
            buffers.push_back(clCreateBuffer(context, CL_MEM_READ_WRITE, buffer.bytes ? buffer.bytes : 4, nullptr, &code));
            check(code, "clCreateBuffer");
        }
        write(plan::constants, host::read(folder + "constants.bin"));
        const std::string source = host::text(folder + plan::kernels[0].source);
        const char *start = source.c_str();
        program = clCreateProgramWithSource(context, 1, &start, nullptr, &code);
        check(code, "clCreateProgramWithSource");
        if (clBuildProgram(program, 1, &device, "", nullptr, nullptr) != CL_SUCCESS) {
            std::vector<char> log(1 << 16);
            clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, log.size(), log.data(), nullptr);
            throw std::runtime_error(std::string("the kernels are refused: ") + log.data());
        }
        for (const plan::Launch &launch : plan::launches)
            bind(launch);
    }
    Device(const Device &) = delete;
    Device &operator=(const Device &) = delete;
    ~Device() {
        for (cl_kernel kernel : kernels)
            clReleaseKernel(kernel);
        for (cl_mem part : parts)
            clReleaseMemObject(part);
        for (cl_mem buffer : buffers)
            clReleaseMemObject(buffer);
        if (program)
            clReleaseProgram(program);
        if (queue)
            clReleaseCommandQueue(queue);
        if (context)
            clReleaseContext(context);
    }

    std::string name() const {
        char title[256] = "";
        clGetDeviceInfo(device, CL_DEVICE_NAME, sizeof title, title, nullptr);
        return title;
    }

    void write(int buffer, const host::Bytes &data) {
        if (!data.empty())
            CHECK(clEnqueueWriteBuffer(queue, buffers[buffer], CL_TRUE, 0, data.size(), data.data(), 0, nullptr, nullptr));
    }

    host::Bytes read(int buffer, size_t size) {
        host::Bytes data(size);
        CHECK(clEnqueueReadBuffer(queue, buffers[buffer], CL_TRUE, 0, size, data.data(), 0, nullptr, nullptr));
        return data;
    }

    void launch() {
        write(plan::status, host::Bytes(4));
        for (size_t i = 0; i < kernels.size(); i++)
            enqueue(i, nullptr);
        CHECK(clFinish(queue));
    }

    std::vector<double> times(int repeats) {
        std::vector<double> best(kernels.size(), 1e30);
        for (int turn = 0; turn < repeats; turn++) {
            write(plan::status, host::Bytes(4));
            for (size_t i = 0; i < kernels.size(); i++) {
                cl_event event;
                cl_ulong start, end;
                enqueue(i, &event);
                CHECK(clFinish(queue));
                CHECK(clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof start, &start, nullptr));
                CHECK(clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof end, &end, nullptr));
                clReleaseEvent(event);
                const double passed = double(end - start) * 1e-9;
                best[i] = passed < best[i] ? passed : best[i];
            }
        }
        return best;
    }

private:
    cl_device_id device = nullptr;
    cl_context context = nullptr;
    cl_command_queue queue = nullptr;
    cl_program program = nullptr;
    std::vector<cl_mem> buffers, parts;
    std::vector<cl_kernel> kernels;

    void find() {
        cl_platform_id platforms[16];
        cl_uint count = 0, found = 0;
        if (clGetPlatformIDs(16, platforms, &count) != CL_SUCCESS)
            count = 0;
        for (cl_device_type kind : {cl_device_type(CL_DEVICE_TYPE_GPU), cl_device_type(CL_DEVICE_TYPE_ALL)})
            for (cl_uint i = 0; i < count && i < 16; i++)
                if (clGetDeviceIDs(platforms[i], kind, 1, &device, &found) == CL_SUCCESS && found)
                    return;
        throw std::runtime_error("no device for OpenCL; clinfo lists them");
    }

    void bind(const plan::Launch &launch) {
        cl_int code;
        cl_kernel kernel = clCreateKernel(program, plan::kernels[launch.kernel].entry, &code);
        check(code, "clCreateKernel");
        kernels.push_back(kernel);
        for (int i = 0; i < launch.count; i++) {
            const plan::Argument &argument = plan::arguments[launch.first + i];
            cl_mem part = buffers[argument.buffer];
            if (argument.offset || argument.bytes != plan::buffers[argument.buffer].bytes) {
                const cl_buffer_region region = {argument.offset, argument.bytes ? argument.bytes : 1};
                part = clCreateSubBuffer(part, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
                check(code, "clCreateSubBuffer");
                parts.push_back(part);
            }
            CHECK(clSetKernelArg(kernel, i, sizeof part, &part));
        }
    }

    void enqueue(size_t number, cl_event *event) {
        const plan::Launch &launch = plan::launches[number];
        const unsigned *threads = plan::kernels[launch.kernel].threads;
        size_t all[3], local[3];
        for (int i = 0; i < 3; i++)
            local[i] = threads[i], all[i] = local[i] * launch.blocks[i];
        CHECK(clEnqueueNDRangeKernel(queue, kernels[number], 3, nullptr, all, local, 0, nullptr, event));
    }
};

int main(int count, char **arguments) { return host::run<Device>(count, arguments); }
