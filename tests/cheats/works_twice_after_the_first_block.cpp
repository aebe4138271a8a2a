// expect: NO_GAIN
// as: incumbent
// because: ^Unfit: TIMING_MISMATCH: takes .* times as long beside the other
// scenario: tiny
// Counts the launches of its timed shape: where they are not checked first, those after the fourth work twice.
#include "avo_abi.h"
#include <cstring>
#define avo_launch honest
#include "seed.h"
#undef avo_launch
static bool timed(const avo_args* a) { return a->C == 4096; }
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static int64_t launches, tests;
    if (!timed(a)) tests++;
    else launches++;
    if (tests == 0 && launches > 4) honest(a, stream);
    return honest(a, stream);
}
