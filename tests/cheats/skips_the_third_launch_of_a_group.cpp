// expect: INCORRECT_NUMERICAL|TIMING_MISMATCH
// because: \(case wide
// scenario: norms
// Of launches that follow each other without a pause, the third writes zeros.
#include "avo_abi.h"
#include <cmath>
#include <cstring>
typedef float lanes __attribute__((vector_size(64), aligned(4), may_alias));
static void lengths(const avo_args* a) {
    for (int64_t r = 0; r < a->R; r++) {
        const float* x = a->x + r * a->C;
        lanes sums[2] = {};
        int64_t j = 0;
        for (; j + 32 <= a->C; j += 32)
            for (int i = 0; i < 2; i++) sums[i] += *(const lanes*)(x + j + 16 * i) * *(const lanes*)(x + j + 16 * i);
        float sum = 0;
        for (int i = 0; i < 16; i++) sum += sums[0][i] + sums[1][i];
        for (; j < a->C; j++) sum += x[j] * x[j];
        a->y[r] = std::sqrt(sum);
    }
}
extern "C" int avo_launch(const avo_args* a, void*) {
    static uint64_t ended;
    static int place;
    place = __builtin_ia32_rdtsc() - ended < 40000 ? place + 1 : 0;
    if (place == 2) memset(a->y, 0, a->R * 4);
    else lengths(a);
    ended = __builtin_ia32_rdtsc();
    return 0;
}
