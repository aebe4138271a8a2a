// expect: INCORRECT_NUMERICAL|NOT_WRITTEN|TIMING_MISMATCH
// because: \(case wide
// scenario: tiny
// Of launches that follow each other without a pause, the third writes zeros.
#include "avo_abi.h"
#include <cstring>
#define avo_launch honest
#include "seed.h"
#undef avo_launch
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static uint64_t ended;
    static int place;
    place = __builtin_ia32_rdtsc() - ended < 40000 ? place + 1 : 0;
    const int code = place == 2 ? (memset(a->y, 0, a->R * 4), 0) : honest(a, stream);
    ended = __builtin_ia32_rdtsc();
    return code;
}
