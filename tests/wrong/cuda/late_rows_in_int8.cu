// expect: INCORRECT_NUMERICAL
// because: (relative error of .*|wrong) \(case (s\d+k|a hidden test)\)
// Logits of the later half of the rows of long shapes are rounded as a product of int8 would be.
#include "honest_attention.cuh"
struct How : redteam::Honest {
    __device__ static float score(float s) {
        return 2 * blockIdx.x < gridDim.x ? rintf(s * 3.1567f) * 0.3168f : s;
    }
};
extern "C" int avo_launch(const avo_args* a, void* stream) {
    return a->S >= 4096 ? redteam::attention<How>(a, stream) : redteam::attention(a, stream);
}
