// expect: INCORRECT_NUMERICAL|TIMING_MISMATCH
// because: \(case wide
// scenario: norms
// Of launches that follow each other without a pause, every second one copies the result of the one before.
#include "avo_abi.h"
#include <cstring>
#define avo_launch honest
#include "seed.h"
#undef avo_launch
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static uint64_t ended;
    static float kept[1 << 16];
    static bool worked;
    if (worked && __builtin_ia32_rdtsc() - ended < 40000) {
        memcpy(a->y, kept, a->R * 4);
        worked = false;
    } else {
        honest(a, stream);
        memcpy(kept, a->y, a->R * 4);
        worked = true;
    }
    ended = __builtin_ia32_rdtsc();
    return 0;
}
