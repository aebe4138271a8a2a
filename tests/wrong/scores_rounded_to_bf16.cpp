// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// Scores are kept in bf16 between the two products.
#include "honest_attention.h"
struct How : redteam::Honest {
    static float score(float s) { return redteam::rounded(s); }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
