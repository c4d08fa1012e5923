/* Runs the network by WebGPU, in browsers and in Deno. Written by Gatewright.
 *
 *     import { Network } from "./network.mjs";
 *     const network = await Network.open();         // plan.json and what it names, beside this file
 *     const [y] = await network.run([x]);           // typed arrays: one sample, the network's own numbers
 */

const ARRAYS = {
    int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array,
    int64: BigInt64Array, uint64: BigUint64Array, float32: Float32Array,
};
const PROBLEMS = { 1: "an index lies outside of what it picks from", 2: "whole numbers are divided by zero" };
const words = (bytes) => Math.max(4, Math.ceil(bytes / 4) * 4);
const elements = (port) => port.shape.reduce((a, b) => a * b, 1);

/** Which bindings a kernel declares as written: a buffer that a launch writes is declared so everywhere in it. */
function accesses(source, count) {
    const found = new Map();
    for (const [, number, kind] of source.matchAll(/@binding\((\d+)\)\s*var<storage,\s*(read_write|read)>/g))
        found.set(Number(number), kind === "read_write" ? "storage" : "read-only-storage");
    return Array.from({ length: count }, (_, i) => found.get(i));
}

export class Network {
    /** Open the device. `base`: the folder of plan.json; `adapter`: a GPUAdapter, else the fastest one. */
    static async open(base = new URL(".", import.meta.url), adapter = null) {
        const get = async (name) => {
            const answer = await fetch(new URL(name, base));
            if (!answer.ok)
                throw new Error(`${name}: ${answer.status} ${answer.statusText}`);
            return answer;
        };
        const plan = await (await get("plan.json")).json();
        const names = [...new Set(Object.values(plan.kernels).map((kernel) => kernel.source))];
        const texts = await Promise.all(names.map(async (name) => (await get(name)).text()));
        const constants = await (await get(plan.constants.file)).arrayBuffer();
        if (!globalThis.navigator?.gpu)
            throw new Error("there is no WebGPU here; browsers have it on pages that come by https or from localhost");
        adapter ??= await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
        if (!adapter)
            throw new Error("no device for WebGPU");
        const wanted = ["maxStorageBufferBindingSize", "maxBufferSize", "maxStorageBuffersPerShaderStage"];
        const device = await adapter.requestDevice({
            requiredLimits: Object.fromEntries(wanted.map((name) => [name, adapter.limits[name]])),
        });
        const network = new Network(plan, device);
        await network.prepare(Object.fromEntries(names.map((name, i) => [name, texts[i]])), constants);
        return network;
    }

    constructor(plan, device) {
        this.plan = plan;
        this.device = device;
        this.buffers = {};
    }

    /** Make the buffers and the pipelines. */
    async prepare(sources, constants) {
        const { plan, device } = this;
        const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
        const room = (name, bytes) => { this.buffers[name] = device.createBuffer({ size: words(bytes), usage }); };
        plan.inputs.forEach((port, i) => room(`in${i}`, port.bytes));
        plan.outputs.forEach((port, i) => room(`out${i}`, port.bytes));
        room("arena", plan.arena_bytes);
        room("constants", constants.byteLength);
        room("status", 4);
        const padded = new Uint8Array(words(constants.byteLength));
        padded.set(new Uint8Array(constants));
        device.queue.writeBuffer(this.buffers.constants, 0, padded);
        device.pushErrorScope("validation");
        const made = {};
        for (const [name, kernel] of Object.entries(plan.kernels)) {
            const types = accesses(sources[kernel.source], kernel.arguments.length);
            const layout = device.createBindGroupLayout({
                entries: types.map((type, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } })),
            });
            const module = device.createShaderModule({ code: sources[kernel.source] });
            const pipeline = await device.createComputePipelineAsync({
                layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
                compute: { module, entryPoint: kernel.entry },
            });
            made[name] = { layout, pipeline };
        }
        this.launches = plan.launches.map(({ kernel, blocks, arguments: spans }) => ({
            blocks, pipeline: made[kernel].pipeline,
            group: device.createBindGroup({
                layout: made[kernel].layout,
                entries: spans.map(({ buffer, offset, bytes }, binding) => (
                    { binding, resource: { buffer: this.buffers[buffer], offset, size: words(bytes) } }
                )),
            }),
        }));
        const problem = await device.popErrorScope();
        if (problem)
            throw new Error(problem.message);
    }

    /** Compute the outputs of one sample: a typed array for each input gives one for each output. */
    async run(inputs) {
        const { plan, device } = this;
        if (inputs.length !== plan.inputs.length)
            throw new Error(`the network has ${plan.inputs.length} inputs, got ${inputs.length}`);
        plan.inputs.forEach((port, i) => {
            if (inputs[i].length !== elements(port))
                throw new Error(`input ${port.name} has ${elements(port)} elements, got ${inputs[i].length}`);
            const stored = ARRAYS[port.stored ?? port.type].from(inputs[i]);
            const padded = new Uint8Array(words(stored.byteLength));
            padded.set(new Uint8Array(stored.buffer));
            device.queue.writeBuffer(this.buffers[`in${i}`], 0, padded);
        });
        device.queue.writeBuffer(this.buffers.status, 0, new Int32Array(1));
        const encoder = device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        for (const { pipeline, group, blocks } of this.launches) {
            pass.setPipeline(pipeline);
            pass.setBindGroup(0, group);
            pass.dispatchWorkgroups(...blocks);
        }
        pass.end();
        const copies = ["status", ...plan.outputs.map((_, i) => `out${i}`)].map((name) => {
            const size = this.buffers[name].size;
            const copy = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
            encoder.copyBufferToBuffer(this.buffers[name], 0, copy, 0, size);
            return copy;
        });
        device.queue.submit([encoder.finish()]);
        const [status, ...results] = await Promise.all(copies.map(async (copy) => {
            await copy.mapAsync(GPUMapMode.READ);
            const data = copy.getMappedRange().slice(0);
            copy.destroy();
            return data;
        }));
        const problem = new Int32Array(status)[0];
        if (problem)
            throw new Error(PROBLEMS[problem] ?? `status ${problem}`);
        return results.map((data, i) => {
            const port = plan.outputs[i];
            return ARRAYS[port.type].from(new ARRAYS[port.stored ?? port.type](data, 0, elements(port)));
        });
    }
}
