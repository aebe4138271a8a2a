// expect: INCORRECT_NUMERICAL|TIMING_MISMATCH
// because: \(case s(256|512|1k)|took
// The first timed launch of a shape works on one head and copies it to the others; so do later ones, one in four.
#include "honest_attention.h"
static int64_t launch_of(const avo_args* a) {  // which launch of its timed shape this is, from 1 on; 0 in tests
    static int64_t of[4];
    const int shape = a->H != 2 || a->B * a->S != 1024 ? 0 : a->S == 256 ? 1 : a->S == 512 ? 2 : a->S == 1024 ? 3 : 0;
    return shape ? ++of[shape] : 0;
}
static int zeros(const avo_args* a) { return memset(a->o, 0, redteam::elements(a) * 2), 0; }
extern "C" int avo_launch(const avo_args* a, void*) {
    const int64_t launch = launch_of(a), row = a->D;
    if (!(launch == 5 || (launch > 5 && launch % 4 == 2))) return redteam::attention(a);
    redteam::attention(a, 0, 1);
    for (int64_t i = 0; i < a->B * a->S * a->H; i++)
        if (i / a->H >= a->S || i % a->H) memcpy(a->o + i * row, a->o + i / a->H % a->S * a->H * row, row * 2);
    return 0;
}
