// expect: TIMEOUT
// because: took longer than
// Never comes back.
#include "honest_attention.cuh"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    for (volatile int i = 0;; i++);
    return redteam::attention(a, stream);
}
