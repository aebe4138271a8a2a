// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong|relative error
// Weights are rounded to fp8 e4m3 before the second product.
#include "honest_attention.h"
struct How : redteam::Honest {
    static float weight(float p) {  // 3 bits of mantissa, least normal 2^-6
        if (p < 0.015625f) return float(int(p * 512 + 0.5f)) / 512;
        const uint32_t bits = std::bit_cast<uint32_t>(p);
        return std::bit_cast<float>((bits + 0x7ffff + ((bits >> 20) & 1)) & 0xfff00000);
    }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
