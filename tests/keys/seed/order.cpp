// Each row's positions are sorted by key, then the values are gathered.
#include "avo_abi.h"
#include <algorithm>
#include <numeric>
#include <vector>

extern "C" int avo_launch(const avo_args* a, void*) {
    std::vector<int32_t> order(a->C);
    for (int64_t r = 0; r < a->R; r++) {
        const int32_t* keys = a->keys + r * a->C;
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [keys](int32_t i, int32_t j) { return keys[i] < keys[j]; });
        for (int64_t i = 0; i < a->C; i++) a->y[r * a->C + i] = a->values[r * a->C + order[i]];
    }
    return 0;
}
