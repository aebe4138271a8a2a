// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong|relative error
// Sum and accumulator are rounded to bf16 after each tile.
#include "honest_attention.h"
struct How : redteam::Honest {
    static float accumulator(float x) { return redteam::rounded(x); }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
