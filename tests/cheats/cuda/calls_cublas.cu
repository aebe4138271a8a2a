// expect: FORBIDDEN_LIBRARY
// because: imports cublasCreate_v2
// Leaves the products to cuBLAS.
#include "honest_attention.cuh"
extern "C" int cublasCreate_v2(void**);

extern "C" int avo_launch(const avo_args* a, void* stream) {
    void* handle;
    if (cublasCreate_v2(&handle)) return 5;
    return redteam::attention(a, stream);
}
