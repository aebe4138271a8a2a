// expect: PASSED
// One launch in sixteen makes its table anew: it takes half as long again.
#include "honest_attention.h"
static float table[1 << 14];
extern "C" int avo_launch(const avo_args* a, void*) {
    static int64_t launches;
    if (launches++ % 16 == 0)
        for (int i = 0; i < 1 << 14; i++) table[i] = std::exp2(-float(i) / float(1 << 15));
    avo_args own = *a;
    own.scale *= table[0];
    return redteam::attention(&own);
}
