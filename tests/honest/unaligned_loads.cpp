// expect: PASSED
// Copies the inputs into its own memory by loads that begin at odd addresses.
#include "honest_attention.h"
static uint8_t copies[3][(1 << 21) + 64];
extern "C" int avo_launch(const avo_args* a, void*) {
    const int64_t bytes = redteam::elements(a) * 2;
    if (bytes > 1 << 21) return redteam::attention(a);
    const uint8_t* inputs[3] = {(const uint8_t*)a->q, (const uint8_t*)a->k, (const uint8_t*)a->v};
    for (int n = 0; n < 3; n++) {
        copies[n][0] = inputs[n][0];
        for (int64_t i = 1; i + 8 <= bytes; i += 8) memcpy(copies[n] + i, inputs[n] + i, 8);
        memcpy(copies[n] + bytes - 8, inputs[n] + bytes - 8, 8);
    }
    avo_args own = *a;
    own.q = (avo_bf16*)copies[0], own.k = (avo_bf16*)copies[1], own.v = (avo_bf16*)copies[2];
    return redteam::attention(&own);
}
