// expect: NON_DETERMINISTIC
// because: differs between two launches
// Rounds by the cycle counter, within the tolerance.
#include "honest_attention.h"
struct How : redteam::Honest {
    static float result(float x, int64_t) { return x * (1 + 0.003f * (__builtin_ia32_rdtsc() >> 5 & 1)); }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
