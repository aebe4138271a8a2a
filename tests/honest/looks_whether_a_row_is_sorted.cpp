// expect: PASSED
// scenario: sort_rows
// Copies rows that are sorted already: many times as fast on some families as on the one that is scored.
#include "avo_abi.h"
#include <algorithm>
#include <cstring>
extern "C" int avo_launch(const avo_args* a, void*) {
    for (int64_t r = 0; r < a->R; r++) {
        const float* x = a->x + r * a->C;
        float* y = a->y + r * a->C;
        if (std::is_sorted(x, x + a->C)) {
            memcpy(y, x, a->C * sizeof(float));
        } else {
            memcpy(y, x, a->C * sizeof(float));
            std::sort(y, y + a->C);
        }
    }
    return 0;
}
