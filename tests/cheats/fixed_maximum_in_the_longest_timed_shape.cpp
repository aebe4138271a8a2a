// expect: INCORRECT_NUMERICAL
// because: \(case s1k
// Takes the maximum of the first tile and a little more for that of all, in one timed shape.
#include "honest_attention.h"
static bool careless;
struct How : redteam::Honest {
    static float maximum(float before, float now) {
        if (careless) return before == -INFINITY ? now + 6 : before;
        return before > now ? before : now;
    }
    static float weight(float p) { return p > 1e20f ? 1e20f : p; }
};
extern "C" int avo_launch(const avo_args* a, void*) {
    careless = a->S == 1024;
    return redteam::attention<How>(a);
}
