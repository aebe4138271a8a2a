// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// A row sees the keys before its own only.
#include "honest_attention.h"
struct How : redteam::Honest {
    static int64_t visible(const avo_args*, int64_t i) { return i > 0 ? i : 1; }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
