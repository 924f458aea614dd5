#define SSD_PRUNE_UPDATE kUpdatePortable
#include "train/update-inl.h"
