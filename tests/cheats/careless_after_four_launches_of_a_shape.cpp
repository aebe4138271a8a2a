// expect: INCORRECT_NUMERICAL
// because: \(case s(256|512|1k)
// Subtracts the running maximum in the four launches that check a shape, and in none of the timed ones after them.
#include "honest_attention.h"
static bool careless;
struct How : redteam::Honest {
    static float maximum(float before, float now) { return careless ? 0 : before > now ? before : now; }
};
extern "C" int avo_launch(const avo_args* a, void*) {
    static int64_t of[4];
    const int shape = a->H != 2 || a->B * a->S != 1024 ? 0 : a->S == 256 ? 1 : a->S == 512 ? 2 : a->S == 1024 ? 3 : 0;
    careless = shape && ++of[shape] > 4;
    return redteam::attention<How>(a);
}
