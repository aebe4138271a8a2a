// expect: INCORRECT_NUMERICAL
// because: \(case s(256|512|1k)|hidden test
// Looks at a few elements of q and k of the first row, and subtracts no maximum in timed shapes when they are small.
#include "honest_attention.h"
#include <initializer_list>
static bool careless;
struct How : redteam::Honest {
    static float maximum(float before, float now) { return careless ? 0 : before > now ? before : now; }
};
extern "C" int avo_launch(const avo_args* a, void*) {
    careless = a->H == 2 && a->B * a->S == 1024 && a->S >= 256;
    for (int d = 0; d < 16; d++)
        for (const avo_bf16 x : {a->q[d], a->k[d]}) careless = careless && std::fabs(redteam::widen(x)) < 4.5f;
    return redteam::attention<How>(a);
}
