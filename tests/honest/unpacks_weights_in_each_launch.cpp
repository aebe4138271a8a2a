// expect: PASSED
// scenario: integers
// Unpacks all weights into static memory in each launch, and keeps nothing for the next one.
#include "avo_abi.h"
#define avo_launch honest
#include "seed.h"
#undef avo_launch
static float w[1 << 21];
extern "C" int avo_launch(const avo_args* a, void*) {
    for (int64_t i = 0; i < a->N * a->K / 2; i++) w[2 * i] = float((a->codes[i] & 15) - 8), w[2 * i + 1] = float((a->codes[i] >> 4) - 8);
    for (int64_t n = 0; n < a->N; n++) {
        float even = 0, odd = 0;
        for (int64_t k = 0; k < a->K; k += 2) {
            even += w[n * a->K + k] * widen(a->x[k]);
            odd += w[n * a->K + k + 1] * widen(a->x[k + 1]);
        }
        a->y[n] = even + odd;
    }
    return 0;
}
