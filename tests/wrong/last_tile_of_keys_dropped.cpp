// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// The last, partly filled tile of keys is left out.
#include "honest_attention.h"
struct How : redteam::Honest {
    static int64_t visible(const avo_args*, int64_t i) { return i < redteam::KEYS ? i + 1 : (i + 1) / redteam::KEYS * redteam::KEYS; }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
