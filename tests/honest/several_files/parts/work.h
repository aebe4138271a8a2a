#pragma once
#include "avo_abi.h"
int work(const avo_args* a);
