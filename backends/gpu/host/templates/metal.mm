/* Runs the network on a graphics processor of Apple's. Written by Gatewright.
 * It could not be compiled where it was written: Xcode and the frameworks Metal and Foundation are needed. */
#import <Foundation/Foundation.h>
#import <Metal/Metal.h>

#include "host.h"

class Device {
public:
    explicit Device(const std::string &folder) {
        device = MTLCreateSystemDefaultDevice();
        if (!device)
            throw std::runtime_error("no device for Metal");
        queue = [device newCommandQueue];
        for (const plan::Buffer &buffer : plan::buffers)
            buffers.push_back([device newBufferWithLength:buffer.bytes ? buffer.bytes : 4
                                                  options:MTLResourceStorageModeShared]);
        write(plan::constants, host::read(folder + "constants.bin"));
        NSError *error = nil;
        MTLCompileOptions *options = [MTLCompileOptions new];
        options.fastMathEnabled = NO;
        NSString *source = [NSString stringWithUTF8String:host::text(folder + plan::kernels[0].source).c_str()];
        id<MTLLibrary> library = [device newLibraryWithSource:source options:options error:&error];
        if (!library)
            throw std::runtime_error(std::string("the kernels are refused: ") + error.localizedDescription.UTF8String);
        for (const plan::Kernel &kernel : plan::kernels) {
            id<MTLFunction> function = [library newFunctionWithName:[NSString stringWithUTF8String:kernel.entry]];
            id<MTLComputePipelineState> pipeline = [device newComputePipelineStateWithFunction:function error:&error];
            if (!pipeline)
                throw std::runtime_error(std::string(kernel.entry) + ": " + error.localizedDescription.UTF8String);
            pipelines.push_back(pipeline);
        }
    }

    std::string name() const { return device.name.UTF8String; }

    void write(int buffer, const host::Bytes &data) {
        if (!data.empty())
            std::memcpy(buffers[buffer].contents, data.data(), data.size());
    }

    host::Bytes read(int buffer, size_t size) {
        const unsigned char *start = static_cast<const unsigned char *>(buffers[buffer].contents);
        return host::Bytes(start, start + size);
    }

    void launch() {
        write(plan::status, host::Bytes(4));
        id<MTLCommandBuffer> commands = [queue commandBuffer];
        id<MTLComputeCommandEncoder> encoder = [commands computeCommandEncoder];
        for (const plan::Launch &launch : plan::launches)
            encode(encoder, launch);
        [encoder endEncoding];
        finish(commands);
    }

    std::vector<double> times(int repeats) {
        std::vector<double> best;
        for (const plan::Launch &launch : plan::launches) {
            double shortest = 1e30;
            for (int turn = 0; turn < repeats; turn++) {
                id<MTLCommandBuffer> commands = [queue commandBuffer];
                id<MTLComputeCommandEncoder> encoder = [commands computeCommandEncoder];
                encode(encoder, launch);
                [encoder endEncoding];
                finish(commands);
                const double passed = commands.GPUEndTime - commands.GPUStartTime;
                shortest = passed < shortest ? passed : shortest;
            }
            best.push_back(shortest);
        }
        return best;
    }

private:
    id<MTLDevice> device;
    id<MTLCommandQueue> queue;
    std::vector<id<MTLBuffer>> buffers;
    std::vector<id<MTLComputePipelineState>> pipelines;

    void encode(id<MTLComputeCommandEncoder> encoder, const plan::Launch &launch) {
        const unsigned *b = launch.blocks, *t = plan::kernels[launch.kernel].threads;
        [encoder setComputePipelineState:pipelines[launch.kernel]];
        for (int i = 0; i < launch.count; i++) {
            const plan::Argument &argument = plan::arguments[launch.first + i];
            [encoder setBuffer:buffers[argument.buffer] offset:argument.offset atIndex:i];
        }
        [encoder dispatchThreadgroups:MTLSizeMake(b[0], b[1], b[2]) threadsPerThreadgroup:MTLSizeMake(t[0], t[1], t[2])];
    }

    static void finish(id<MTLCommandBuffer> commands) {
        [commands commit];
        [commands waitUntilCompleted];
        if (commands.error)
            throw std::runtime_error(commands.error.localizedDescription.UTF8String);
    }
};

int main(int count, char **arguments) {
    @autoreleasepool {
        return host::run<Device>(count, arguments);
    }
}
