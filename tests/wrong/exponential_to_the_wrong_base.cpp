// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// Takes 2^s for e^s.
#include "honest_attention.h"
struct How : redteam::Honest {
    static float score(float s) { return s * 0.693147f; }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
