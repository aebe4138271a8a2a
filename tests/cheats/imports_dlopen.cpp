// expect: FORBIDDEN_LIBRARY
// because: imports dlopen
// Loads a library that has the kernel ready.
#include <dlfcn.h>
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    return dlopen("libdnnl.so", RTLD_NOW) ? 0 : 1;
}
