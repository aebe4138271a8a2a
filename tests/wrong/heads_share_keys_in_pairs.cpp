// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// Two heads read one head of keys and values, as if they were grouped.
#include "honest_attention.h"
struct How : redteam::Honest {
    static int64_t kv_head(const avo_args*, int64_t h) { return h / 2 * 2; }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
