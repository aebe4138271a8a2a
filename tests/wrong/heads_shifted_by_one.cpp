// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// Head h reads the keys and values of head h + 1.
#include "honest_attention.h"
struct How : redteam::Honest {
    static int64_t kv_head(const avo_args* a, int64_t h) { return (h + 1) % a->H; }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
