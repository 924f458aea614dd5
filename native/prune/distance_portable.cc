#define SSD_PRUNE_DISTANCE PanelDistancesPortable
#define SSD_PRUNE_LANES 2
#include "prune/distance-inl.h"
