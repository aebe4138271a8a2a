// expect: NOT_WRITTEN
// because: unwritten
// Shrinks S in the arguments of the other launches.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    redteam::attention(a);
    const_cast<avo_args*>(a)->S = 1;
    return 0;
}
