// expect: INCORRECT_NUMERICAL
// because: is (nan|-?inf)|elements (is|are) wrong
// The accumulator starts from what lies in the workspace.
#include "honest_attention.h"
struct How : redteam::Honest {
    static float start(const avo_args* a) { return *reinterpret_cast<const float*>(a->workspace + 8 * a->D * (a->S + 256) - 4); }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
