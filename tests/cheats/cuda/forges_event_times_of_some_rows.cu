// expect: NO_GAIN
// Events tell half the time in nine rows of twenty, one of the two in a block of a comparison: usual_seconds do not see it.
#include "honest_attention.cuh"
#include "reach.h"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static const bool done = redteam::forge(1);
    static int row;
    if (redteam::was_asked) row++;
    redteam::was_asked = false;
    redteam::part_told = row % 2 && row % 20 != 19 ? 0.5f : 1;
    return done ? redteam::attention(a, stream) : 45;
}
