// expect: NOT_WRITTEN
// because: left 42624 of 85248 elements of o unwritten
// Stops one head early when there is more than one.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    return redteam::attention(a, 0, a->B * a->H - (a->H > 1));
}
