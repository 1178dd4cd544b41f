#include "memory_footprint.h"

#ifdef __APPLE__
#include <mach/mach.h>

static task_vm_info_data_t memory(void) {
    task_vm_info_data_t info = {0};
    mach_msg_type_number_t count = TASK_VM_INFO_COUNT;
    if (task_info(mach_task_self(), TASK_VM_INFO, (task_info_t)&info, &count) != KERN_SUCCESS) {
        return (task_vm_info_data_t){0};
    }
    return info;
}

uint64_t tinygan_memory_footprint(void) {
    return memory().phys_footprint;
}

uint64_t tinygan_memory_peak(void) {
    int64_t peak = memory().ledger_phys_footprint_peak;
    return peak > 0 ? (uint64_t)peak : 0;
}
#else
uint64_t tinygan_memory_footprint(void) {
    return 0;
}

uint64_t tinygan_memory_peak(void) {
    return 0;
}
#endif
