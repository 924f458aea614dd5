#define SSD_PRUNE_UPDATE kUpdateAvx2
#include "train/update-inl.h"
