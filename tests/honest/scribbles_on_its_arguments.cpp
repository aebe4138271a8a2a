// expect: PASSED
// Writes to its own copy of the arguments, which no other launch sees.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    redteam::attention(a);
    const_cast<avo_args*>(a)->S = 1;
    return 0;
}
