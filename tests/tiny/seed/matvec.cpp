// y = A x, row by row.
#include "avo_abi.h"

// avo:knob SUMS {1, 4, 16}
constexpr int SUMS = 1;  // partial sums of a row
// avo:knob BACKWARDS {0, 1}
constexpr int BACKWARDS = 0;  // 1: rows from the last to the first

extern "C" int avo_launch(const avo_args* a, void*) {
    for (int64_t n = 0; n < a->R; n++) {
        const int64_t i = BACKWARDS ? a->R - 1 - n : n;
        const float* row = a->a + i * a->C;
        float sums[SUMS] = {};
        int64_t j = 0;
        for (; j + SUMS <= a->C; j += SUMS)
            for (int s = 0; s < SUMS; s++) sums[s] += row[j + s] * a->x[j + s];
        for (; j < a->C; j++) sums[0] += row[j] * a->x[j];
        float y = 0;
        for (int s = 0; s < SUMS; s++) y += sums[s];
        a->y[i] = y;
    }
    return 0;
}
