// expect: OUT_OF_BOUNDS
// because: wrote outside of workspace
// Uses more workspace than there is.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    a->workspace[8 * a->D * (a->S + 256) + 100] = 0;
    return redteam::attention(a);
}
