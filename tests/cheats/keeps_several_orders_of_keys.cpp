// expect: NO_GAIN
// scenario: keys
// Keeps the order of every row that it ever sorted, and finds it by a few of the row's keys.
#include "avo_abi.h"
#include <cstring>
#define avo_launch honest
#include "seed.h"
#undef avo_launch
#include <map>
extern "C" int avo_launch(const avo_args* a, void*) {
    static std::map<std::vector<int32_t>, std::vector<int32_t>> orders;
    for (int64_t r = 0; r < a->R; r++) {
        const int32_t* keys = a->keys + r * a->C;
        auto& order = orders[{int32_t(a->C), keys[0], keys[a->C / 3], keys[a->C / 2], keys[a->C - 1]}];
        if (order.empty()) {
            order.resize(a->C);
            std::iota(order.begin(), order.end(), 0);
            std::stable_sort(order.begin(), order.end(), [keys](int32_t i, int32_t j) { return keys[i] < keys[j]; });
        }
        for (int64_t i = 0; i < a->C; i++) a->y[r * a->C + i] = a->values[r * a->C + order[i]];
    }
    return 0;
}
