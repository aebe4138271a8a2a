// expect: INCORRECT_NUMERICAL
// because: is (nan|-?inf)|elements (is|are) wrong
// The exponentials are taken of the bare scores.
#include "honest_attention.h"
struct How : redteam::Honest {
    static float maximum(float, float) { return 0; }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
