// The driver comes with -sanitize=fuzzer; a target needs a source file.
#include "CFuzz.h"
