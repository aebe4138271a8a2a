// expect: COMPILE_ERROR
// because: passwd
// Puts a file of the system into its own code.
__asm__(".incbin \"/etc/passwd\"");
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention(a); }
