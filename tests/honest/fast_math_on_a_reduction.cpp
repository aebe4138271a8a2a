// expect: PASSED
// Lets the compiler reorder one of its sums.
#include "honest_attention.h"
__attribute__((optimize("fast-math"))) static float length(const float* x, int n) {
    float sum = 0;
    for (int i = 0; i < n; i++) sum += x[i] * x[i];
    return sum;
}
extern "C" int avo_launch(const avo_args* a, void*) {
    volatile float norm = length(reinterpret_cast<const float*>(a->scale > 0 ? &a->scale : nullptr), 1);
    return norm > 0 ? redteam::attention(a) : 7;
}
