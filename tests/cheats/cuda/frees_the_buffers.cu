// expect: FORBIDDEN_LIBRARY
// because: imports cuda(Free|IpcCloseMemHandle)
// Unmaps the memory that it shares with the judge.
#include "honest_attention.cuh"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    cudaFree(a->o);
    cudaIpcCloseMemHandle(a->workspace);
    return redteam::attention(a, stream);
}
