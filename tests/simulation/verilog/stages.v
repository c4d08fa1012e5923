// Streaming stages as hardware: each decides by counters of its own when it reads and writes, and computes on its packs.
// A stage's registers move only when every FIFO that it would read has a pack and every FIFO that it would write has
// room (en).
`default_nettype none

// Depth and latency are ports, so that one module serves all.
module fifo (
    input wire clk, input wire [31:0] cycle, input wire [31:0] id, input wire [15:0] depth, input wire slow,
    input wire wr, output wire full, input wire [15:0] in, input wire rd, output wire empty, output wire [15:0] out,
    input wire stop
);
    /* verilator no_inline_module */
    reg [15:0] count = 0, visible = 0, tail = 0, head = 0, most = 0;
    reg late = 0;
    reg [15:0] memory [0:1023];
    assign out = memory[head[9:0]];
    assign full = count >= depth;
    assign empty = visible == 0;
    wire arrives = slow ? late : wr;  // a block memory shows a pack one cycle later than a shift register
    wire [15:0] next = count + {15'b0, wr} - {15'b0, rd};
    always @(posedge clk) begin
        late <= wr;
        if (wr) begin
            memory[tail[9:0]] <= in;
            tail <= tail + 1;
            $display("W %0d %0d %0d", id, cycle, in);
        end
        if (rd) begin
            head <= head + 1;
            $display("R %0d %0d %0d", id, cycle, out);
        end
        count <= next;
        visible <= visible + {15'b0, arrives} - {15'b0, rd};
        if (next > most) most <= next;
        if (stop) $display("F %0d %0d %0d", id, most, count);
    end
endmodule

// What a stage did: cycles in which it moved, the first of them, the one behind the last; the ports that hold it up.
module watch (
    input wire clk, input wire [31:0] cycle, input wire [31:0] id, input wire en, input wire active,
    input wire [1:0] starved, input wire [1:0] crowded, input wire stop
);
    reg [31:0] moved = 0;
    reg signed [31:0] began = -1, ended = -1;
    always @(posedge clk) begin
        if (en) begin
            if (moved == 0) began <= cycle;
            moved <= moved + 1;
            ended <= cycle + 1;
        end
        if (stop) $display("P %0d %0d %0d %0d %0d %0d %0d", id, active, moved, began, ended, starved, crowded);
    end
endmodule

// The packs of the last rows; the weighted sum of the window that ends at the current place.
module lines (
    input wire clk, input wire store, input wire [15:0] row, input wire [15:0] column, input wire [15:0] window,
    input wire [15:0] in, output reg [15:0] sum
);
    reg [15:0] kept [0:63];
    integer r, c;
    wire [15:0] here = store ? in : kept[{row[1:0], column[3:0]}];
    reg [1:0] at_row;
    reg [3:0] at_column;
    always @* begin
        sum = here;
        for (r = 0; r < 3; r = r + 1) for (c = 0; c < 3; c = c + 1) begin
            at_row = row[1:0] - r[1:0];
            at_column = column[3:0] - c[3:0];
            if (r < window && c < window && (r != 0 || c != 0))
                sum = sum + kept[{at_row, at_column}] * (r[15:0] * 16'd3 + c[15:0] + 16'd1);
        end
    end
    always @(posedge clk) if (store) kept[{row[1:0], column[3:0]}] <= in;
endmodule

// A pipelined loop over a grid of rows x columns: an iteration every `interval` cycles, its result `depth` cycles after
// its beginning. kind 0: reads and writes every time. 1: a window: writes where it is complete. 2: padding: reads
// away from the edges only. 3: repeats: reads every `step`-th time. 4: reads only. 5: writes only. 6: sums: writes
// every `step`-th time.
module loop_stage #(parameter WINDOWS = 0) (
    input wire clk, input wire [31:0] cycle, input wire [31:0] id, input wire [31:0] start, input wire [15:0] frames,
    input wire [2:0] kind, input wire [15:0] rows, input wire [15:0] columns, input wire [15:0] interval,
    input wire [15:0] depth, input wire [15:0] idle, input wire [15:0] window, input wire [15:0] stride,
    input wire [15:0] top, input wire [15:0] left, input wire [15:0] high, input wire [15:0] wide,
    input wire [15:0] step, input wire [1:0] empties, input wire [1:0] uses, input wire [31:0] ins,
    input wire [1:0] fulls, input wire [1:0] gives, output wire [31:0] outs, output wire [1:0] rds,
    output wire [1:0] wrs, input wire stop
);
    /* verilator no_inline_module */
    reg [15:0] frame = 0, row = 0, column = 0, phase = 0, count = 0, rest = 0, held = 0, made = 0;
    reg [31:0] pipe = 0;  // results under way: bit i leaves in i cycles
    reg [15:0] values [0:31];
    reg [4:0] turn = 0;  // where in them the next result to leave is
    reg draining = 0;
    wire active = frame < frames;
    wire begins = active && !draining && phase == 0;
    wire complete = row + 1 >= window && column + 1 >= window && (row + 1 - window) % stride == 0
        && (column + 1 - window) % stride == 0;
    wire not_edge = row >= top && row < top + high && column >= left && column < left + wide;
    wire last_of_step = count % step == step - 1;
    wire reads = begins && (kind == 2 ? not_edge : kind == 3 ? count % step == 0 : kind != 5);
    wire gives_now = begins && (kind == 1 ? complete : kind == 6 ? last_of_step : kind != 4);
    wire [31:0] under_way = pipe | (gives_now ? 32'd1 << (depth - 1) : 32'd0);
    wire writes = active && under_way[0];
    wire ready = (!reads || (uses & empties) == 0) && (!writes || (gives & fulls) == 0);
    wire en = active && cycle >= start && ready;
    assign rds = en && reads ? uses : 2'b0;
    assign wrs = en && writes ? gives : 2'b0;
    wire [15:0] a = ins[15:0], b = ins[31:16];
    wire [15:0] of_window;
    generate if (WINDOWS)
        lines kept (.clk(clk), .store(en && reads), .row(row), .column(column), .window(window), .in(a),
            .sum(of_window));
    else assign of_window = 0;
    endgenerate
    wire [15:0] total = (count % step == 0 ? 16'd0 : held) + a;
    reg [15:0] result;
    always @* case (kind)
        1: result = of_window;
        2: result = not_edge ? a : 16'd0;
        3: result = count % step == 0 ? a : held;
        5: result = made * 16'd40503 + 16'd7;
        6: result = total;
        default: result = a + 3 * b + 1;
    endcase
    wire [15:0] value = gives_now && depth == 1 ? result : values[turn];
    assign outs = {value, value};
    wire last = row == rows - 1 && column == columns - 1;
    always @(posedge clk) if (en) begin
        pipe <= under_way >> 1;
        turn <= turn + 1;
        if (gives_now) values[turn + depth[4:0] - 5'd1] <= result;
        if (begins) begin
            made <= made + 1;
            if (kind == 6) held <= total; else if (reads) held <= a;
        end
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
        end else if (phase + 1 == interval) begin
            phase <= 0;
            count <= count + 1;
            if (column == columns - 1) begin column <= 0; row <= row + 1; end else column <= column + 1;
        end else phase <= phase + 1;
    end
    watch seen (.clk(clk), .cycle(cycle), .id(id), .en(en), .active(active), .starved(reads ? uses & empties : 2'b0),
        .crowded(writes ? gives & fulls : 2'b0), .stop(stop));
endmodule

// A convolution of strategy resource: one place after the other; without a complete window it takes `skip` cycles, with
// one `busy`; it reads in the first of them and writes in the last.
module place_stage (
    input wire clk, input wire [31:0] cycle, input wire [31:0] id, input wire [31:0] start, input wire [15:0] frames,
    input wire [15:0] rows, input wire [15:0] columns, input wire [15:0] window, input wire [15:0] stride,
    input wire [15:0] skip, input wire [15:0] busy, input wire [15:0] idle, input wire empty, input wire [15:0] in,
    input wire full, output wire [15:0] out, output wire rd, output wire wr, input wire stop
);
    /* verilator no_inline_module */
    reg [15:0] frame = 0, row = 0, column = 0, spent = 0, rest = 0;
    wire active = frame < frames;
    wire complete = row + 1 >= window && column + 1 >= window && (row + 1 - window) % stride == 0
        && (column + 1 - window) % stride == 0;
    wire [15:0] cost = complete ? busy : skip;
    wire reads = active && rest == 0 && spent == 0;
    wire writes = active && rest == 0 && complete && spent == cost - 1;
    wire en = active && cycle >= start && (!reads || !empty) && (!writes || !full);
    assign rd = en && reads;
    assign wr = en && writes;
    lines kept (.clk(clk), .store(rd), .row(row), .column(column), .window(window), .in(in), .sum(out));
    always @(posedge clk) if (en) begin
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
    watch seen (.clk(clk), .cycle(cycle), .id(id), .en(en), .active(active), .starved({1'b0, reads && empty}),
        .crowded({1'b0, writes && full}), .stop(stop));
endmodule

// Reads `first` packs of the one, then `second` of the other operand; waits; writes `made` packs, one every `interval`:
// a sum of all and one of them, `turn` further on each time.
module store_stage (
    input wire clk, input wire [31:0] cycle, input wire [31:0] id, input wire [31:0] start, input wire [15:0] frames,
    input wire [15:0] first, input wire [15:0] second, input wire [15:0] pause, input wire [15:0] made,
    input wire [15:0] interval, input wire [15:0] turn, input wire [15:0] idle, input wire [1:0] empties,
    input wire [31:0] ins, input wire full, output wire [15:0] out, output wire [1:0] rds, output wire wr,
    input wire stop
);
    /* verilator no_inline_module */
    reg [15:0] frame = 0, count = 0, phase = 0, total = 0;
    reg [1:0] state = 0;  // 0 read, 1 wait, 2 write, 3 end
    reg [15:0] memory [0:1023];
    wire [15:0] place = (count * turn) % (first + second);
    wire active = frame < frames;
    wire of_second = count >= first;
    wire [1:0] port = of_second ? 2'b10 : 2'b01;
    wire [15:0] in = of_second ? ins[31:16] : ins[15:0];
    wire reads = active && state == 0;
    wire writes = active && state == 2 && phase == 0;
    wire [1:0] starved = reads ? port & empties : 2'b0;
    wire en = active && cycle >= start && starved == 0 && (!writes || !full);
    assign out = memory[place[9:0]] + total;
    assign rds = en && reads ? port : 2'b0;
    assign wr = en && writes;
    always @(posedge clk) if (en) begin
        if (reads) begin
            memory[count[9:0]] <= in;
            total <= (count == 0 ? 16'd0 : total) + in;
        end
        case (state)
            0: if (count + 1 == first + second) begin count <= 0; state <= pause == 0 ? 2 : 1; end
            else count <= count + 1;
            1: if (count + 1 == pause) begin count <= 0; state <= 2; end else count <= count + 1;
            2: if (phase == 0 && count + 1 == made) begin
                count <= 0;
                if (idle == 0) begin state <= 0; frame <= frame + 1; end else state <= 3;
            end else if (phase + 1 == interval) begin phase <= 0; count <= count + 1; end
            else phase <= phase + 1;
            default: if (count + 1 == idle) begin count <= 0; state <= 0; frame <= frame + 1; end
            else count <= count + 1;
        endcase
    end
    watch seen (.clk(clk), .cycle(cycle), .id(id), .en(en), .active(active), .starved(starved),
        .crowded({1'b0, writes && full}), .stop(stop));
endmodule

// Passes on `first` packs of the one, then `second` of the other operand, each a loop whose results come a cycle later.
module concat_stage (
    input wire clk, input wire [31:0] cycle, input wire [31:0] id, input wire [31:0] start, input wire [15:0] frames,
    input wire [15:0] first, input wire [15:0] second, input wire [1:0] empties, input wire [31:0] ins,
    input wire full, output wire [15:0] out, output wire [1:0] rds, output wire wr, input wire stop
);
    /* verilator no_inline_module */
    reg [15:0] frame = 0, count = 0, held = 0;
    reg of_second = 0, ends = 0;
    wire active = frame < frames;
    wire [15:0] size = of_second ? second : first;
    wire [1:0] port = of_second ? 2'b10 : 2'b01;
    wire reads = active && !ends && count < size;
    wire writes = active && !ends && count != 0;
    wire [1:0] starved = reads ? port & empties : 2'b0;
    wire en = active && cycle >= start && starved == 0 && (!writes || !full);
    assign out = held;
    assign rds = en && reads ? port : 2'b0;
    assign wr = en && writes;
    always @(posedge clk) if (en) begin
        if (reads) held <= of_second ? ins[31:16] : ins[15:0];
        if (ends) begin ends <= 0; frame <= frame + 1; end
        else if (count == size) begin count <= 0; of_second <= !of_second; ends <= of_second; end
        else count <= count + 1;
    end
    watch seen (.clk(clk), .cycle(cycle), .id(id), .en(en), .active(active), .starved(starved),
        .crowded({1'b0, writes && full}), .stop(stop));
endmodule

// A line buffer by rows: before each row of the result it takes the rows that the window needs, a cycle to leave each,
// then gives the row's packs, one every `interval`, the first after `depth` cycles; what is left over is read at the end.
module rows_stage (
    input wire clk, input wire [31:0] cycle, input wire [31:0] id, input wire [31:0] start, input wire [15:0] frames,
    input wire [15:0] rows, input wire [15:0] columns, input wire [15:0] window, input wire [15:0] stride,
    input wire [15:0] high, input wire [15:0] wide, input wire [15:0] interval, input wire [15:0] depth,
    input wire empty, input wire [15:0] in, input wire full, output wire [15:0] out, output wire rd, output wire wr,
    input wire stop
);
    /* verilator no_inline_module */
    reg [15:0] frame = 0, row = 0, have = 0, count = 0, total = 0;
    wire active = frame < frames;
    wire fills = row < high && have < row * stride + window;
    wire drains = row == high && have < rows;
    wire emits = row < high && !fills;
    wire reads = active && ((fills && count < columns) || drains);
    wire writes = active && emits && count >= depth - 1 && (count - (depth - 1)) % interval == 0;
    wire en = active && cycle >= start && (!reads || !empty) && (!writes || !full);
    assign out = total + count;
    assign rd = en && reads;
    assign wr = en && writes;
    always @(posedge clk) if (en) begin
        if (reads) total <= (have == 0 && count == 0 ? 16'd0 : total) + in;
        if (fills && count == columns || drains && count == columns - 1) begin count <= 0; have <= have + 1; end
        else if (emits && count == (wide - 1) * interval + depth - 1) begin count <= 0; row <= row + 1; end
        else if (row == high && have == rows) begin row <= 0; have <= 0; frame <= frame + 1; end
        else count <= count + 1;
    end
    watch seen (.clk(clk), .cycle(cycle), .id(id), .en(en), .active(active), .starved({1'b0, reads && empty}),
        .crowded({1'b0, writes && full}), .stop(stop));
endmodule
`default_nettype wire
