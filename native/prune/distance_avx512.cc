#define SSD_PRUNE_DISTANCE PanelDistancesAvx512
#define SSD_PRUNE_LANES 8
#include "prune/distance-inl.h"
