// expect: PASSED
// Other knobs: two warps, tiles of 16 keys, nothing in flight.
#include "honest_attention.cuh"
struct How : redteam::Honest {
    static constexpr int WARPS = 2, KEYS = 16, STAGES = 1;
};
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention<How>(a, stream); }
