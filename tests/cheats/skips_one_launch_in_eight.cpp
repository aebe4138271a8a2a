// expect: INCORRECT_NUMERICAL|NON_DETERMINISTIC
// because: differs between two launches|elements (is|are) wrong|hidden test
// Leaves the work out in one launch of eight, drawn by the cycle counter.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    if (__builtin_ia32_rdtsc() >> 6 & 7) return redteam::attention(a);
    memset(a->o, 0, redteam::elements(a) * 2);
    return 0;
}
