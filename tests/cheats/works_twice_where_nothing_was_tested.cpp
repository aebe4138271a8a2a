// expect: NO_GAIN
// as: incumbent
// because: ^Unfit: TIMING_MISMATCH: takes .* times as long beside the other
// scenario: tiny
// Works twice in a process that got no test before its first timed shape, as those of later rounds of a comparison.
#include "avo_abi.h"
#include <cstring>
#define avo_launch honest
#include "seed.h"
#undef avo_launch
static bool timed(const avo_args* a) { return a->C == 4096; }
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static bool tested;
    tested = tested || !timed(a);
    if (!tested) honest(a, stream);
    return honest(a, stream);
}
