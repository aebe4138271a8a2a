// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong \(case B = 3, S = 77\)
// Values come from the next sequence of the batch.
#include "honest_attention.h"
struct How : redteam::Honest {
    static int64_t v_batch(const avo_args* a, int64_t b) { return (b + 1) % a->B; }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
