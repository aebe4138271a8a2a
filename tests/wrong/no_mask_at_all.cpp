// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// Every row sees every key.
#include "honest_attention.h"
struct How : redteam::Honest {
    static int64_t visible(const avo_args* a, int64_t) { return a->S; }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
