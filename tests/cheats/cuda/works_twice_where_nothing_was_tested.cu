// expect: NO_GAIN
// as: incumbent
// because: ^Unfit: TIMING_MISMATCH: takes .* times as long beside the other
// Works twice in a process that got no test before its first timed shape, as those of later rounds of a comparison.
#include "honest_attention.cuh"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static bool tested;
    tested = tested || a->S < 4096;
    if (!tested && redteam::attention(a, stream)) return 2;
    return redteam::attention(a, stream);
}
