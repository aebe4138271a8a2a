// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// Keys more than 256 before a row are left out.
#include "honest_attention.h"
struct How : redteam::Honest {
    static bool skips(const avo_args*, int64_t i0, int64_t j0) { return j0 + 256 < i0; }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
