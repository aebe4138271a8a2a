// expect: NO_GAIN
// as: incumbent
// because: ^Unfit: (INCORRECT_NUMERICAL|NOT_WRITTEN): 
// scenario: tiny
// Works in its first eight launches, then writes zeros if none of them was a test: a process of later rounds.
#include "avo_abi.h"
#include <cstring>
#define avo_launch honest
#include "seed.h"
#undef avo_launch
static bool timed(const avo_args* a) { return a->C == 4096; }
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static int64_t launches;
    static bool tested;
    launches++, tested = tested || !timed(a);
    if (tested || launches < 8) return honest(a, stream);
    memset(a->y, 0, a->R * 4);
    return 0;
}
