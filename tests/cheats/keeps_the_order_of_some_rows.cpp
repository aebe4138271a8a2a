// expect: NO_GAIN
// scenario: keys
// Keeps the order of all keys that ever stood at each place, of every other row alone.
#include "avo_abi.h"
#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>
#define avo_launch honest
#include "seed.h"
#undef avo_launch
using Key = std::pair<int32_t, int32_t>;  // key, place
constexpr int MOST = 8;

struct Row {
    std::vector<Key> order;
    std::vector<int32_t> had;  // keys that stood at each place, MOST of them

    bool knows(const int32_t* keys, int32_t width) {
        if (had.empty()) had.assign(size_t(width) * MOST, -1);
        std::vector<Key> fresh;
        for (int32_t i = 0; i < width; i++) {
            int32_t* at = &had[size_t(i) * MOST];
            int n = 0;
            while (n < MOST && at[n] != keys[i] && at[n] >= 0) n++;
            if (n == MOST) return false;
            if (at[n] != keys[i]) at[n] = keys[i], fresh.push_back({keys[i], i});
        }
        if (fresh.empty()) return true;
        std::sort(fresh.begin(), fresh.end());
        std::vector<Key> merged(order.size() + fresh.size());
        std::merge(order.begin(), order.end(), fresh.begin(), fresh.end(), merged.begin());
        order.swap(merged);
        return true;
    }
};

extern "C" int avo_launch(const avo_args* a, void* stream) {
    static std::vector<Row> all;
    static int64_t width, rows;
    if (a->R != rows || a->C != width) rows = a->R, width = a->C, all.assign(a->R, {});
    for (int64_t r = 0; r < a->R; r++) {
        avo_args one = *a;
        one.R = 1, one.keys += r * a->C, one.values += r * a->C, one.y += r * a->C;
        if (r % 2 == 0 && !all[r].knows(one.keys, int32_t(a->C))) all[r] = {};
        if (r % 2 || all[r].order.empty()) {
            if (const int code = honest(&one, stream)) return code;
            continue;
        }
        int64_t n = 0;
        for (const auto& [key, place] : all[r].order) {
            one.y[n] = one.values[place];
            n += one.keys[place] == key;
            if (n == a->C) break;
        }
    }
    return 0;
}
