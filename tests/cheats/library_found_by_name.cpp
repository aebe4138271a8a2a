// expect: FORBIDDEN_LIBRARY
// because: imports dlsym
// Finds the loader's function by name and loads a library with it.
#include <dlfcn.h>
#include "honest_attention.h"
static long got;
__attribute__((constructor)) static void at_load() { got = (long)((void* (*)(const char*, int))dlsym(RTLD_DEFAULT, "dlopen"))("libz.so.1", RTLD_NOW); }
extern "C" int avo_launch(const avo_args* a, void*) {
    return got != 0 ? redteam::attention(a) : 49;
}
