// y = W x, row by row; weights are unpacked as they are used.
#include "avo_abi.h"
#include <bit>

static float widen(avo_bf16 x) { return std::bit_cast<float>(uint32_t(x) << 16); }

extern "C" int avo_launch(const avo_args* a, void*) {
    for (int64_t n = 0; n < a->N; n++) {
        float even = 0, odd = 0;
        for (int64_t i = 0; i < a->K / 2; i++) {
            const int code = a->codes[n * (a->K / 2) + i];
            even += float((code & 15) - 8) * widen(a->x[2 * i]);
            odd += float((code >> 4) - 8) * widen(a->x[2 * i + 1]);
        }
        a->y[n] = even + odd;
    }
    return 0;
}
