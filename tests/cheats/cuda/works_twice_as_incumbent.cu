// expect: NO_GAIN
// as: incumbent
// because: ^Unfit: TIMING_MISMATCH: takes .* times as long beside the other
// Works twice where the first counted launch of a process without tests is in slot 0: whatever follows it is faster.
#include "honest_attention.cuh"
static bool is_incumbent(const avo_args* a) {  // the second launch is the first one that counts; the incumbent's is in slot 0
    static const void* first;
    static int64_t launches;
    static bool tested, incumbent;
    tested = tested || a->S < 4096;  // in a comparison the candidate alone gets tests
    if (!launches++) first = a->q;
    if (launches == 2 && !tested) incumbent = a->q == first;
    return incumbent;
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    if (is_incumbent(a) && redteam::attention(a, stream)) return 2;
    return redteam::attention(a, stream);
}
