// expect: FORBIDDEN_LIBRARY
// because: imports cuda(Stream|Graph)\w+
// Captures its first launch and replays it, with the addresses of then.
#include "honest_attention.cuh"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static cudaGraphExec_t kept;
    if (kept) return cudaGraphLaunch(kept, cudaStream_t(stream));
    cudaGraph_t graph;
    cudaStreamBeginCapture(cudaStreamPerThread, cudaStreamCaptureModeRelaxed);
    redteam::attention(a, cudaStreamPerThread);
    cudaStreamEndCapture(cudaStreamPerThread, &graph);
    cudaGraphInstantiate(&kept, graph, 0);
    return redteam::attention(a, stream);
}
