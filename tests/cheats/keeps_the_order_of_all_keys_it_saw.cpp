// expect: NO_GAIN
// scenario: keys
// Keeps the order of all keys that ever stood at each place of a row; a new row is a walk over those that stand there now.
#include "avo_abi.h"
#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>
extern "C" int avo_launch(const avo_args* a, void*) {
    constexpr int MOST = 8;
    using Key = std::pair<int32_t, int32_t>;  // key, place
    struct Row {
        std::vector<Key> order;
        std::vector<int32_t> had;  // keys that stood at each place, MOST of them
    };
    static std::vector<Row> all;
    static int64_t width, rows;
    if (a->R != rows || a->C != width) rows = a->R, width = a->C, all.assign(a->R, {});
    for (int64_t r = 0; r < a->R; r++) {
        const int32_t* keys = a->keys + r * a->C;
        const float* values = a->values + r * a->C;
        float* y = a->y + r * a->C;
        Row& row = all[r];
        if (row.had.empty()) row.had.assign(a->C * MOST, -1);
        std::vector<Key> fresh;
        bool full = false;
        for (int32_t i = 0; i < a->C; i++) {
            int32_t* had = &row.had[i * MOST];
            int n = 0;
            while (n < MOST && had[n] != keys[i] && had[n] >= 0) n++;
            if (n == MOST) {
                full = true;
                break;
            }
            if (had[n] != keys[i]) had[n] = keys[i], fresh.push_back({keys[i], i});
        }
        if (full) {
            row = {};
            r--;
            continue;
        }
        if (!fresh.empty()) {
            std::sort(fresh.begin(), fresh.end());
            std::vector<Key> merged(row.order.size() + fresh.size());
            std::merge(row.order.begin(), row.order.end(), fresh.begin(), fresh.end(), merged.begin());
            row.order.swap(merged);
        }
        int64_t n = 0;
        for (const auto& [key, place] : row.order) {
            y[n] = values[place];
            n += keys[place] == key;
            if (n == a->C) break;
        }
    }
    return 0;
}
