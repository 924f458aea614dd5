#define SSD_PRUNE_DISTANCE PanelDistancesAvx2
#define SSD_PRUNE_LANES 4
#include "prune/distance-inl.h"
