#define SSD_PRUNE_VECTOR_MATH kVectorMathPortable
#define SSD_PRUNE_LANES 2
#include "train/vector_math-inl.h"
