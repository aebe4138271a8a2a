// expect: NO_GAIN
// scenario: norms
// Finds the length of a row by its first element, up to sign and exponent, in an order that it learned from the rows before.
#include "avo_abi.h"
#include <cstring>
#define avo_launch honest
#include "seed.h"
#undef avo_launch
extern "C" int avo_launch(const avo_args* a, void*) {
    static float mantissa[4][1 << 14], length[4][1 << 14];
    static int next;
    const auto part = [](float x, float* scale) {
        int exponent;
        const float m = std::fabs(std::frexp(x, &exponent));
        *scale = std::ldexp(1.f, exponent);
        return m;
    };
    float scale;
    for (int i = 0; i < 4; i++) {
        bool same = true;
        for (int64_t r = 0; r < a->R && same; r++) same = mantissa[i][r] == part(a->x[r * a->C], &scale);
        if (!same) continue;
        for (int64_t r = 0; r < a->R; r++) part(a->x[r * a->C], &scale), a->y[r] = length[i][r] * scale;
        return 0;
    }
    honest(a, nullptr);
    const int i = next++ % 4;
    for (int64_t r = 0; r < a->R; r++) mantissa[i][r] = part(a->x[r * a->C], &scale), length[i][r] = a->y[r] / scale;
    return 0;
}
