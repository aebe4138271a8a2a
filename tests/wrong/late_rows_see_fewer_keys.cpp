// expect: INCORRECT_NUMERICAL
// because: (relative error of .*|wrong) \(case s1k\)
// The last rows of the longest shape leave out keys of little weight.
#include "honest_attention.h"
struct How : redteam::Honest {
    static inline int64_t row, length;
    static bool skips(const avo_args* a, int64_t i0, int64_t) { return row = i0, length = a->S, false; }
    static float weight(float p) { return row >= 768 && length == 1024 && p < 0.0008f ? 0 : p; }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
