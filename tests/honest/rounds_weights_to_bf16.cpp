// expect: PASSED
// Rounds the weights to bf16 for the second product, as kernels on tensor cores do.
#include "honest_attention.h"
struct How : redteam::Honest {
    static float weight(float p) { return redteam::rounded(p); }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
