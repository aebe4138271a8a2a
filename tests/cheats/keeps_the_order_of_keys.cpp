// expect: NO_GAIN
// scenario: keys
// Sorts the positions once for each shape, and again only when the ends of the rows have other keys.
#include "avo_abi.h"
#include <cstring>
#define avo_launch honest
#include "seed.h"
#undef avo_launch
extern "C" int avo_launch(const avo_args* a, void*) {
    static std::vector<int32_t> order, ends;
    std::vector<int32_t> now = {int32_t(a->R), int32_t(a->C)};
    for (int64_t r = 0; r < a->R; r++) now.push_back(a->keys[r * a->C]), now.push_back(a->keys[(r + 1) * a->C - 1]);
    if (now != ends) {
        ends = now;
        order.resize(a->R * a->C);
        for (int64_t r = 0; r < a->R; r++) {
            const int32_t* keys = a->keys + r * a->C;
            auto first = order.begin() + r * a->C;
            std::iota(first, first + a->C, 0);
            std::stable_sort(first, first + a->C, [keys](int32_t i, int32_t j) { return keys[i] < keys[j]; });
        }
    }
    for (int64_t r = 0; r < a->R; r++)
        for (int64_t i = 0; i < a->C; i++) a->y[r * a->C + i] = a->values[r * a->C + order[r * a->C + i]];
    return 0;
}
