// expect: INCORRECT_NUMERICAL|TIMING_MISMATCH
// because: \(case wide|took
// scenario: norms
// Works twenty times in its first timed launch, so that launches are timed alone; of the later ones one in five does nothing.
#include "avo_abi.h"
#include <cstring>
#define avo_launch honest
#include "seed.h"
#undef avo_launch
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static int64_t launches;
    if (a->C == 1024 && ++launches == 5)
        for (int i = 0; i < 20; i++) honest(a, stream);
    if (launches <= 5 || launches % 5) return honest(a, stream);
    memset(a->y, 0, a->R * 4);
    return 0;
}
