// expect: NO_GAIN
// as: incumbent
// because: ^Unfit: TIMING_MISMATCH: takes .* times as long beside the other
// scenario: tiny
// Works twice where no test came first, or where it waited for another side to sit its exam: as in no evaluation.
#include "avo_abi.h"
#include <cstring>
#include <ctime>
#define avo_launch honest
#include "seed.h"
#undef avo_launch
static bool timed(const avo_args* a) { return a->C == 4096; }
static double now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static bool tested, compared;
    static double last;
    if (!timed(a)) tested = true;
    else compared = compared || (last > 0 && now() - last > 0.1);
    if (!tested || compared) honest(a, stream);
    const int code = honest(a, stream);
    last = timed(a) ? now() : 0;
    return code;
}
