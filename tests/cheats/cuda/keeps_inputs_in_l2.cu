// expect: FORBIDDEN_LIBRARY
// because: imports cuda(DeviceSetLimit|StreamSetAttribute)
// Sets part of the L2 aside for K and V.
#include "honest_attention.cuh"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    cudaDeviceSetLimit(cudaLimitPersistingL2CacheSize, 32 << 20);
    cudaStreamAttrValue keep = {};
    keep.accessPolicyWindow = {const_cast<avo_bf16*>(a->k), 32 << 20, 1.f, cudaAccessPropertyPersisting,
                               cudaAccessPropertyNormal};
    cudaStreamSetAttribute(cudaStream_t(stream), cudaStreamAttributeAccessPolicyWindow, &keep);
    return redteam::attention(a, stream);
}
