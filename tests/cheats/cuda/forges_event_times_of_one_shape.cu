// expect: TIMING_MISMATCH
// because: judge's clock.*\(case s8k\)|judge's clock
// Events tell two thirds of the time, in the longest sequences alone.
#include "honest_attention.cuh"
#include "reach.h"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static const bool done = redteam::forge(1);
    redteam::part_told = a->S == 8192 ? 0.67f : 1;
    return done ? redteam::attention(a, stream) : 45;
}
