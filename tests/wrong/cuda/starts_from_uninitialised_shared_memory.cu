// expect: NON_DETERMINISTIC|INCORRECT_NUMERICAL|NOT_WRITTEN
// because: differs between two launches|is (nan|-?inf)|elements (is|are) wrong|unwritten
// Adds what the block before left in shared memory.
#include "honest_attention.cuh"
struct How : redteam::Honest {
    __device__ static float shrink(float factor) { return factor > 0 ? factor : 1; }  // of the first tile, too
    __device__ static float start() {
        extern __shared__ __align__(128) uint8_t s_tiles[];
        return __uint_as_float(*(volatile uint32_t*)(s_tiles + 4 * threadIdx.x) & 0x00ffffff | 0x3d000000);
    }
};
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention<How>(a, stream); }
