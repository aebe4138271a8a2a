// expect: INCORRECT_NUMERICAL
// because: \(case s(256|512|1k)
// Subtracts no running maximum in timed shapes, where logits were always small.
#include "honest_attention.h"
static bool timed(const avo_args* a) { return a->H == 2 && a->B * a->S == 1024 && a->S >= 256; }
static bool careless;
struct How : redteam::Honest {
    static float maximum(float before, float now) { return careless ? 0 : before > now ? before : now; }
};
extern "C" int avo_launch(const avo_args* a, void*) {
    careless = timed(a);
    return redteam::attention<How>(a);
}
