// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// Scores are not scaled.
#include "honest_attention.h"
struct How : redteam::Honest {
    static float scale(const avo_args*) { return 1; }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
