// expect: OUT_OF_BOUNDS
// because: wrote outside of o
// Keeps a note in front of the output.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    a->o[-1] = 1;
    return redteam::attention(a);
}
