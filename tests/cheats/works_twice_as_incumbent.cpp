// expect: NO_GAIN
// as: incumbent
// because: ^Unfit: TIMING_MISMATCH: takes .* times as long beside the other
// scenario: tiny
// Works twice where the first counted launch of a process without tests is in slot 0: whatever follows it is faster.
#include "avo_abi.h"
#include <cstring>
#define avo_launch honest
#include "seed.h"
#undef avo_launch
static bool is_incumbent(const avo_args* a) {  // the fifth launch is the first one that counts; the incumbent's is in slot 0
    static const void* first;
    static int64_t launches, role = -1;
    if (a->C != 4096) role = 0;  // a test: in a comparison the candidate alone gets any
    if (!launches++) first = a->a;
    if (launches == 5 && role) role = a->a == first;
    return role == 1;
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    if (is_incumbent(a)) honest(a, stream);
    return honest(a, stream);
}
