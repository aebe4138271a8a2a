// expect: INCORRECT_NUMERICAL|TIMING_MISMATCH
// because: \(case s(256|512|1k)|took
// The first timed launch of a shape, which decides how many are timed as one, writes zeros; all others work.
#include "honest_attention.h"
static int64_t launch_of(const avo_args* a) {  // which launch of its timed shape this is, from 1 on; 0 in tests
    static int64_t of[4];
    const int shape = a->H != 2 || a->B * a->S != 1024 ? 0 : a->S == 256 ? 1 : a->S == 512 ? 2 : a->S == 1024 ? 3 : 0;
    return shape ? ++of[shape] : 0;
}
static int zeros(const avo_args* a) { return memset(a->o, 0, redteam::elements(a) * 2), 0; }
extern "C" int avo_launch(const avo_args* a, void*) {
    return launch_of(a) == 5 ? zeros(a) : redteam::attention(a);
}
