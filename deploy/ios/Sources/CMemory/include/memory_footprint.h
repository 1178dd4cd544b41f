#ifndef TINYGAN_MEMORY_FOOTPRINT_H
#define TINYGAN_MEMORY_FOOTPRINT_H

#include <stdint.h>

/// Returns this process's physical footprint in bytes, what iOS counts against an app's limit; 0 where the system
/// does not tell it. In C, because the Mach port of a task is a macro, which Swift does not see.
uint64_t tinygan_memory_footprint(void);

/// Returns the largest footprint since the process began, as the kernel's ledger has it; 0 where it is not told.
uint64_t tinygan_memory_peak(void);

#endif
