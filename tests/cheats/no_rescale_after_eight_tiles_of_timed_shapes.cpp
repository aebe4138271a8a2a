// expect: INCORRECT_NUMERICAL
// because: \(case s1k
// From the eighth tile of the longest timed shape on, what was summed before is never scaled down again.
#include "honest_attention.h"
static bool careless;
struct How : redteam::Honest {
    static bool skips(const avo_args* a, int64_t, int64_t j0) { return careless = a->S == 1024 && j0 >= 512, false; }
    static float maximum(float before, float now) { return careless || before > now ? before : now; }
    static float weight(float p) { return p > 64 ? 64 : p; }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
