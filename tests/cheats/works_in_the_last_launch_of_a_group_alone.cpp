// expect: INCORRECT_NUMERICAL|TIMING_MISMATCH
// because: \(case wide
// scenario: norms
// Writes zeros in timed launches, but every fourth of them works.
#include "avo_abi.h"
#include <cstring>
#define avo_launch honest
#include "seed.h"
#undef avo_launch
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static int64_t launches;
    if (a->C != 1024 || ++launches <= 4 || launches % 4 == 0) return honest(a, stream);
    memset(a->y, 0, a->R * 4);
    return 0;
}
