// expect: INCORRECT_NUMERICAL
// because: is (nan|-?inf)|elements (is|are) wrong
// The maximum never grows after the first tile.
#include "honest_attention.h"
struct How : redteam::Honest {
    static float maximum(float before, float now) { return before > -INFINITY ? before : now; }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
