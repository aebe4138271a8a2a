// expect: INCORRECT_NUMERICAL
// because: \(case s
// Works in the first eight launches of a shape and copies old results in the others.
#include "honest_attention.h"
static avo_bf16 kept[1 << 21];
static int64_t shape[2], launches;
extern "C" int avo_launch(const avo_args* a, void*) {
    if (a->S != shape[1] || a->B != shape[0]) shape[0] = a->B, shape[1] = a->S, launches = 0;
    if (launches++ < 8) {
        redteam::attention(a);
        memcpy(kept, a->o, redteam::elements(a) * 2);
    }
    memcpy(a->o, kept, redteam::elements(a) * 2);
    return 0;
}
