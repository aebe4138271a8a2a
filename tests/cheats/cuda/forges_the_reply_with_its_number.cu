// expect: TIMING_MISMATCH|RUNTIME_ERROR|NOT_WRITTEN|INCORRECT_NUMERICAL|ABOVE_ROOFLINE
// because: judge's clock|forged reply|returned 46|unwritten|off by|can do at most
// Takes the number of the reply from the runner's variables and answers itself, with times of its own.
#include "honest_attention.cuh"
#include "reach.h"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static const int failed = redteam::python(
        "import os,ctypes,time\n"
        "L=l['launch']\n"
        "def run(args,stream):\n"
        "    v=f.f_locals\n"
        "    k=v['count']\n"
        "    code=L(args,stream)\n"
        "    if v['i']==k-1 and k>1:\n"
        "        v['runtime'].cudaDeviceSynchronize()\n"
        "        os.write(v['spec']['replies'],g['REPLY'].pack(v['number'],0)+g['TIMES'].pack(0.5)*k)\n"
        "    return code\n"
        "fl=f.f_locals\nfl['launch']=run\n"
        "ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(f),0)\n");
    return failed ? failed : redteam::attention(a, stream);
}
