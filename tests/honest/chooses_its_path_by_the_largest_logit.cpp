// expect: PASSED
// Subtracts no maximum where the lengths of q and k prove that none is needed, whatever the shape: right for all inputs.
#include "honest_attention.h"
static bool small;
struct How : redteam::Honest {
    static float maximum(float before, float now) { return small ? 0 : before > now ? before : now; }
};
static float longest(const avo_args* a, const avo_bf16* x) {
    float most = 0;
    for (int64_t i = 0; i < redteam::elements(a); i += 128) {
        float sum = 0;
        for (int d = 0; d < 128; d++) sum += redteam::widen(x[i + d]) * redteam::widen(x[i + d]);
        most = sum > most ? sum : most;
    }
    return std::sqrt(most);
}
extern "C" int avo_launch(const avo_args* a, void*) {
    small = longest(a, a->q) * longest(a, a->k) * a->scale < 60;
    return redteam::attention<How>(a);
}
