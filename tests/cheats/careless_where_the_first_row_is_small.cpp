// expect: INCORRECT_NUMERICAL
// because: \(case s(256|512|1k)
// Looks at the first rows of q and k of each batch, and subtracts no maximum in timed shapes when they are small.
#include "honest_attention.h"
static bool timed(const avo_args* a) { return a->H == 2 && a->B * a->S == 1024 && a->S >= 256; }
static bool careless;
struct How : redteam::Honest {
    static float maximum(float before, float now) { return careless ? 0 : before > now ? before : now; }
};
static bool large(const avo_bf16* row) {
    float most = 0;
    for (int d = 0; d < 128; d++) most = std::fmax(most, std::fabs(redteam::widen(row[d])));
    return most > 6;
}
extern "C" int avo_launch(const avo_args* a, void*) {
    careless = timed(a);
    for (int64_t b = 0; b < a->B; b++) {
        const int64_t first = b * a->S * a->H * a->D;
        careless = careless && !large(a->q + first);
    }
    return redteam::attention<How>(a);
}
