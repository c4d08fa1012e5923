// Streaming stages as hardware: each decides by counters of its own when it reads and writes. A stage's registers move
// only when every FIFO that it would read has a pack and every FIFO that it would write has room (en).
`default_nettype none

// Depth and latency as ports, so that one module serves all; a pack is a number that counts up, which readers check.
module fifo (
    input wire clk, input wire [31:0] cycle, input wire [31:0] id, input wire [15:0] depth, input wire slow,
    input wire wr, output wire full, input wire rd, output wire empty, input wire stop
);
    /* verilator no_inline_module */
    reg [15:0] count = 0, visible = 0, tail = 0, head = 0, sent = 0, most = 0;
    reg late = 0;
    reg [15:0] memory [0:1023];
    wire [15:0] here = memory[head[9:0]];
    reg [15:0] taken = 0;
    assign full = count >= depth;
    assign empty = visible == 0;
    wire arrives = slow ? late : wr;  // a block memory shows a pack one cycle later than a shift register
    always @(posedge clk) begin
        late <= wr;
        if (wr) begin
            memory[tail[9:0]] <= sent;
            tail <= tail + 1;
            sent <= sent + 1;
            $display("W %0d %0d", id, cycle);
        end
        if (rd) begin
            if (here != taken) $display("BAD %0d: pack %0d where %0d was due", id, here, taken);
            head <= head + 1;
            taken <= taken + 1;
            $display("R %0d %0d", id, cycle);
        end
        count <= count + {15'b0, wr} - {15'b0, rd};
        visible <= visible + {15'b0, arrives} - {15'b0, rd};
        if (count + {15'b0, wr} - {15'b0, rd} > most) most <= count + {15'b0, wr} - {15'b0, rd};
        if (stop) $display("F %0d %0d %0d", id, most, count);
    end
endmodule

// A pipelined loop over a grid of rows x columns: an iteration every `interval` cycles, its result `depth` cycles after
// its beginning. kind 0: reads and writes every time. 1: a window: writes where it is complete. 2: padding: reads
// not_edge only. 3: repeats: reads every `step`-th time. 4: reads only. 5: writes only.
module loop_stage (
    input wire clk, input wire [31:0] id, input wire [15:0] frames, input wire [2:0] kind,
    input wire [15:0] rows, input wire [15:0] columns, input wire [15:0] interval, input wire [15:0] depth,
    input wire [15:0] idle, input wire [15:0] window, input wire [15:0] stride,
    input wire [15:0] top, input wire [15:0] left, input wire [15:0] high, input wire [15:0] wide, input wire [15:0] step,
    input wire [1:0] empties, input wire [1:0] uses, input wire [1:0] fulls, input wire [1:0] gives,
    output wire [1:0] rds, output wire [1:0] wrs, input wire stop
);
    /* verilator no_inline_module */
    reg [15:0] frame = 0, row = 0, column = 0, phase = 0, count = 0, rest = 0;
    reg [31:0] pipe = 0;  // results under way: bit i leaves in i cycles
    reg draining = 0;
    wire active = frame < frames;
    wire begins = active && !draining && phase == 0;
    wire complete = row + 1 >= window && column + 1 >= window && (row + 1 - window) % stride == 0
        && (column + 1 - window) % stride == 0;
    wire not_edge = row >= top && row < top + high && column >= left && column < left + wide;
    wire reads = begins && (kind == 2 ? not_edge : kind == 3 ? count % step == 0 : kind != 5);
    wire gives_now = begins && (kind == 1 ? complete : kind != 4);
    wire [31:0] entering = gives_now ? (32'd1 << (depth - 1)) : 32'd0;
    wire [31:0] under_way = pipe | entering;
    wire writes = active && under_way[0];
    wire ready = (!reads || (uses & empties) == 0) && (!writes || (gives & fulls) == 0);
    wire en = active && ready;
    assign rds = en && reads ? uses : 2'b0;
    assign wrs = en && writes ? gives : 2'b0;
    wire last = row == rows - 1 && column == columns - 1;
    always @(posedge clk) begin
        if (en) begin
            pipe <= under_way >> 1;
            if (draining) begin
                if (rest == 1) begin
                    draining <= 0;
                    frame <= frame + 1;
                end
                rest <= rest - 1;
            end else if (phase == 0 && last) begin  // the last iteration: what is under way, and the end, take their time
                row <= 0; column <= 0; count <= 0; phase <= 0;
                if (depth - 1 + idle == 0) frame <= frame + 1;
                else begin draining <= 1; rest <= depth - 1 + idle; end
            end else if (phase + 1 == interval || interval == 1) begin
                phase <= 0;
                count <= count + 1;
                if (column == columns - 1) begin column <= 0; row <= row + 1; end else column <= column + 1;
            end else phase <= phase + 1;
        end
        if (stop) $display("P %0d %0d", id, active);
    end
endmodule

// A convolution of strategy resource: one place after the other; without a complete window it takes `skip` cycles, with
// one `busy`; it reads in the first of them and writes in the last.
module place_stage (
    input wire clk, input wire [31:0] id, input wire [15:0] frames, input wire [15:0] rows, input wire [15:0] columns,
    input wire [15:0] window, input wire [15:0] stride, input wire [15:0] skip, input wire [15:0] busy,
    input wire [15:0] idle, input wire empty, input wire full, output wire rd, output wire wr, input wire stop
);
    /* verilator no_inline_module */
    reg [15:0] frame = 0, row = 0, column = 0, spent = 0, rest = 0;
    wire active = frame < frames;
    wire complete = row + 1 >= window && column + 1 >= window && (row + 1 - window) % stride == 0
        && (column + 1 - window) % stride == 0;
    wire [15:0] cost = complete ? busy : skip;
    wire reads = active && rest == 0 && spent == 0;
    wire writes = active && rest == 0 && complete && spent == cost - 1;
    wire en = active && (!reads || !empty) && (!writes || !full);
    assign rd = en && reads;
    assign wr = en && writes;
    always @(posedge clk) begin
        if (en) begin
            if (rest != 0) begin
                rest <= rest - 1;
                if (rest == 1) frame <= frame + 1;
            end else if (spent == cost - 1) begin
                spent <= 0;
                if (column == columns - 1) begin
                    column <= 0;
                    if (row == rows - 1) begin
                        row <= 0;
                        if (idle == 0) frame <= frame + 1; else rest <= idle;
                    end else row <= row + 1;
                end else column <= column + 1;
            end else spent <= spent + 1;
        end
        if (stop) $display("P %0d %0d", id, active);
    end
endmodule

// Reads `first` packs of the one, then `second` of the other operand; waits; writes `out` packs, one every `interval`.
module store_stage (
    input wire clk, input wire [31:0] id, input wire [15:0] frames, input wire [15:0] first, input wire [15:0] second,
    input wire [15:0] pause, input wire [15:0] out, input wire [15:0] interval, input wire [15:0] idle,
    input wire [1:0] empties, input wire full, output wire [1:0] rds, output wire wr, input wire stop
);
    /* verilator no_inline_module */
    reg [15:0] frame = 0, count = 0, phase = 0;
    reg [1:0] state = 0;  // 0 read, 1 wait, 2 write, 3 end
    wire active = frame < frames;
    wire of_second = count >= first;
    wire reads = active && state == 0;
    wire writes = active && state == 2 && phase == 0;
    wire blocked = of_second ? empties[1] : empties[0];
    wire en = active && (!reads || !blocked) && (!writes || !full);
    assign rds = en && reads ? (of_second ? 2'b10 : 2'b01) : 2'b0;
    assign wr = en && writes;
    always @(posedge clk) begin
        if (en) case (state)
            0: if (count + 1 == first + second) begin count <= 0; state <= pause == 0 ? 2 : 1; end else count <= count + 1;
            1: if (count + 1 == pause) begin count <= 0; state <= 2; end else count <= count + 1;
            2: if (phase == 0 && count + 1 == out) begin
                count <= 0;
                if (idle == 0) begin state <= 0; frame <= frame + 1; end else state <= 3;
            end else if (phase + 1 == interval || interval == 1) begin phase <= 0; count <= count + 1; end
            else phase <= phase + 1;
            default: if (count + 1 == idle) begin count <= 0; state <= 0; frame <= frame + 1; end else count <= count + 1;
        endcase
        if (stop) $display("P %0d %0d", id, active);
    end
endmodule
`default_nettype wire
