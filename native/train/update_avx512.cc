#define SSD_PRUNE_UPDATE kUpdateAvx512
#include "train/update-inl.h"
