#pragma once
#include <stddef.h>
#include <stdint.h>

// libFuzzer's driver (LLVM compiler-rt, FuzzerInterface.h): runs `run_one` on inputs as the command line says.
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*run_one)(const uint8_t *data, size_t size));
