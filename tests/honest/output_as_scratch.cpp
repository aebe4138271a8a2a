// expect: PASSED
// Uses the output as scratch before it writes the result, and reads it back.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    const int64_t n = redteam::elements(a);
    memcpy(a->o, a->q, n * 2);
    avo_args own = *a;
    static avo_bf16 q[1 << 20];
    if (n > 1 << 20) return redteam::attention(a);
    memcpy(q, a->o, n * 2);
    own.q = q;
    return redteam::attention(&own);
}
