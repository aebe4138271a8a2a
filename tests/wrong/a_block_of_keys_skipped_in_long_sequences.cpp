// expect: INCORRECT_NUMERICAL
// because: wrong \(case (s1k|a hidden test)\)
// One tile of 64 keys is skipped from 1024 keys on.
#include "honest_attention.h"
struct How : redteam::Honest {
    static bool skips(const avo_args* a, int64_t i0, int64_t j0) { return a->S >= 1024 && j0 == 192 && i0 >= 512; }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
