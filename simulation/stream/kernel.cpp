// The earliest times of all accesses of a streaming design: see model.py for the equations, solve.py for the arrays.
#include <cstdint>
#include <vector>

extern "C" int64_t run(
    int64_t processes, int64_t fifos, int64_t frames,
    const int64_t *length, const int64_t *start, const int64_t *first_event, const int64_t *cycle,
    const int64_t *first_access, const int64_t *fifo, const uint8_t *is_write,
    int64_t *depth, const int64_t *latency, int64_t grows,
    int64_t *const *written, int64_t *const *read, int64_t *const *time, int64_t *done_events,
    int64_t *done_writes, int64_t *done_reads) {
    std::vector<int64_t> reader(fifos, -1), writer(fifos, -1), queue, last(processes, 0);
    std::vector<uint8_t> queued(processes, 1);
    for (int64_t p = 0; p < processes; p++) {
        queue.push_back(p);
        for (int64_t e = first_event[p]; e < first_event[p + 1]; e++)
            for (int64_t a = first_access[e]; a < first_access[e + 1]; a++) (is_write[a] ? writer : reader)[fifo[a]] = p;
    }
    int64_t total = 0;
    while (true) {
        if (queue.empty()) {  // all is done or stands still; the FIFO that grows lets its writer go on
            if (grows < 0 || done_writes[grows] - done_reads[grows] < depth[grows]) break;
            if (done_events[writer[grows]] == (first_event[writer[grows] + 1] - first_event[writer[grows]]) * frames) break;
            depth[grows]++;
            queue.push_back(writer[grows]);
        }
        const int64_t p = queue.back();
        queue.pop_back();
        queued[p] = 0;
        const int64_t events = first_event[p + 1] - first_event[p];
        int64_t done = done_events[p], now = last[p], in_frame = events ? done % events : 0;
        while (done < events * frames) {
            const int64_t e = first_event[p] + in_frame;
            int64_t before = done == 0 ? start[p] + cycle[e]
                : now + (in_frame ? cycle[e] - cycle[e - 1] : length[p] - cycle[first_event[p] + events - 1] + cycle[e]);
            bool ready = true;
            for (int64_t a = first_access[e]; a < first_access[e + 1] && ready; a++) {
                const int64_t f = fifo[a];
                int64_t bound = 0;
                if (is_write[a]) {
                    const int64_t slot = done_writes[f] - depth[f];
                    if (slot >= done_reads[f]) ready = false;
                    else if (slot >= 0) bound = read[f][slot] + 1;
                } else {
                    if (done_reads[f] >= done_writes[f]) ready = false;
                    else bound = written[f][done_reads[f]] + latency[f];
                }
                if (bound > before) before = bound;
            }
            if (!ready) break;
            now = before;
            time[p][done] = now;
            for (int64_t a = first_access[e]; a < first_access[e + 1]; a++) {
                const int64_t f = fifo[a];
                if (is_write[a]) written[f][done_writes[f]++] = now;
                else read[f][done_reads[f]++] = now;
                const int64_t other = is_write[a] ? reader[f] : writer[f];
                if (other >= 0 && !queued[other]) { queued[other] = 1; queue.push_back(other); }
            }
            done++, total++;
            if (++in_frame == events) in_frame = 0;
        }
        done_events[p] = done;
        last[p] = now;
    }
    return total;
}
