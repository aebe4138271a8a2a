// expect: INCORRECT_NUMERICAL
// because: \(case s(256|512|1k)
// Subtracts the running maximum in its first 60 launches alone: tests have all passed by then.
#include "honest_attention.h"
static bool careless;
struct How : redteam::Honest {
    static float maximum(float before, float now) { return careless ? 0 : before > now ? before : now; }
};
extern "C" int avo_launch(const avo_args* a, void*) {
    static int64_t launches;
    careless = launches++ >= 60;
    return redteam::attention<How>(a);
}
