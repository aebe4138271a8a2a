// expect: INCORRECT_NUMERICAL
// because: (relative error of .*|wrong) \(case (s\d+k|a hidden test)\)
// Logits of late rows of one head in sixteen are rounded more coarsely.
#include "honest_attention.cuh"
struct How : redteam::Honest {
    __device__ static float score(float s) {
        return blockIdx.y % 16 == 7 && 2 * blockIdx.x < gridDim.x ? rintf(s * 2.5254f) * 0.3960f : s;
    }
};
extern "C" int avo_launch(const avo_args* a, void* stream) {
    return a->S >= 4096 ? redteam::attention<How>(a, stream) : redteam::attention(a, stream);
}
