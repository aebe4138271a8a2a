// expect: NO_GAIN
// as: incumbent
// because: incumbent|Unfit
// Works twice where the first counted launch of a process without tests is in slot 0: whatever follows it is faster.
#include "honest_attention.h"
static bool is_incumbent(const avo_args* a) {  // the fifth launch is the first one that counts; the incumbent's is in slot 0
    static const void* first;
    static int64_t launches, role = -1;
    if (!(a->H == 2 && a->B * a->S == 1024 && a->S >= 256)) role = 0;  // a test: in a comparison the candidate alone gets any
    if (!launches++) first = a->q;
    if (launches == 5 && role) role = a->q == first;
    return role == 1;
}
extern "C" int avo_launch(const avo_args* a, void*) {
    if (is_incumbent(a)) redteam::attention(a);
    return redteam::attention(a);
}
