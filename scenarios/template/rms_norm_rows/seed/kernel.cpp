// y[r,:] = x[r,:] / sqrt(mean(x[r,:]^2) + eps), row by row. avo_abi.h is made from scenario.toml.
#include "avo_abi.h"
#include <cmath>

// A knob is a choice that avo may try: its values here, the one in use on the line below.
// avo:knob SUMS {1, 4, 16, 64}
constexpr int SUMS = 1;  // partial sums of a row: one alone waits for every addition
// avo:knob DIVIDE {0, 1}
constexpr int DIVIDE = 1;  // 1: divide every element; 0: multiply by the reciprocal

extern "C" int avo_launch(const avo_args* a, void*) {
    for (int64_t r = 0; r < a->R; r++) {
        const float* x = a->x + r * a->C;
        float* y = a->y + r * a->C;
        float sums[SUMS] = {};
        int64_t c = 0;
        for (; c + SUMS <= a->C; c += SUMS)
            for (int s = 0; s < SUMS; s++) sums[s] += x[c + s] * x[c + s];
        for (; c < a->C; c++) sums[0] += x[c] * x[c];
        float sum = 0;
        for (int s = 0; s < SUMS; s++) sum += sums[s];
        const float root = std::sqrt(sum / float(a->C) + a->eps);
        for (c = 0; c < a->C; c++) y[c] = DIVIDE ? x[c] / root : x[c] * (1.0f / root);
    }
    return 0;
}
