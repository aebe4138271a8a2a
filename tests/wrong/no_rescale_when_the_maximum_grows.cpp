// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// Sum and accumulator stay as they are under a new maximum.
#include "honest_attention.h"
struct How : redteam::Honest {
    static float shrink(float) { return 1; }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
