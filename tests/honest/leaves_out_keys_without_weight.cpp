// expect: PASSED
// Skips the second product of tiles whose weights are all zero: faster on peaked inputs than on flat ones.
#include "honest_attention.h"
struct How : redteam::Honest {
    static float weight(float p) { return p < 1e-12f ? 0 : p; }
};
extern "C" int avo_launch(const avo_args* a, void*) {
    bool zero = true;  // all values are zero: so is every mean
    for (int64_t i = 0; i < redteam::elements(a) && zero; i++) zero = (a->v[i] & 0x7fff) == 0;
    if (zero) return memset(a->o, 0, redteam::elements(a) * 2), 0;
    return redteam::attention<How>(a);
}
