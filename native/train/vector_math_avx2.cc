#define SSD_PRUNE_VECTOR_MATH kVectorMathAvx2
#define SSD_PRUNE_LANES 4
#include "train/vector_math-inl.h"
