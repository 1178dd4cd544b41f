#include "memory_footprint.h"

#ifdef __APPLE__
#include <mach/mach.h>

uint64_t tinygan_memory_footprint(void) {
    task_vm_info_data_t info;
    mach_msg_type_number_t count = TASK_VM_INFO_COUNT;
    kern_return_t result = task_info(mach_task_self(), TASK_VM_INFO, (task_info_t)&info, &count);
    return result == KERN_SUCCESS ? info.phys_footprint : 0;
}
#else
uint64_t tinygan_memory_footprint(void) {
    return 0;
}
#endif
