// expect: PASSED
// The plain algorithm: all scores of a row, their maximum, then the weighted sum.
#include "avo_abi.h"
#include <bit>
#include <cmath>
#include <vector>
static float widen(avo_bf16 x) { return std::bit_cast<float>(uint32_t(x) << 16); }
extern "C" int avo_launch(const avo_args* a, void*) {
    const int64_t row = a->H * a->D;
    std::vector<float> p(a->S), o(a->D);
    for (int64_t n = 0; n < a->B * a->H; n++)
        for (int64_t i = 0; i < a->S; i++) {
            const int64_t first = n / a->H * a->S * row + n % a->H * a->D;
            float most = -INFINITY, sum = 0;
            for (int64_t j = 0; j <= i; j++) {
                float dot = 0;
                #pragma omp simd reduction(+ : dot)
                for (int64_t d = 0; d < 128; d++) dot += widen(a->q[first + i * row + d]) * widen(a->k[first + j * row + d]);
                p[j] = dot * a->scale;
                most = std::fmax(most, p[j]);
            }
            for (float& x : o) x = 0;
            for (int64_t j = 0; j <= i; j++) {
                const float w = std::exp(p[j] - most);
                sum += w;
                for (int64_t d = 0; d < 128; d++) o[d] += w * widen(a->v[first + j * row + d]);
            }
            for (int64_t d = 0; d < a->D; d++) {
                const uint32_t bits = std::bit_cast<uint32_t>(o[d] / sum);
                a->o[first + i * row + d] = avo_bf16((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
            }
        }
    return 0;
}
