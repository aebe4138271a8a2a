// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// The scale is 1 / D instead of its root.
#include "honest_attention.h"
struct How : redteam::Honest {
    static float scale(const avo_args* a) { return 1.f / a->D; }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
