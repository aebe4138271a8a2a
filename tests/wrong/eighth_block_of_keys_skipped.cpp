// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// Every eighth tile of keys is left out.
#include "honest_attention.h"
struct How : redteam::Honest {
    static bool skips(const avo_args*, int64_t, int64_t j0) { return j0 / redteam::KEYS % 8 == 7; }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
