// expect: RUNTIME_ERROR
// because: returned 48|signal 9
// Takes 4 GiB of the host's memory.
#include "honest_attention.cuh"
#include <cstdlib>
#include <cstring>
extern "C" int avo_launch(const avo_args* a, void* stream) {
    for (int i = 0; i < 4; i++) {
        void* block = malloc(1ull << 30);
        if (!block) return 48;
        memset(block, 1 + i, 1ull << 30);
    }
    return redteam::attention(a, stream);
}
