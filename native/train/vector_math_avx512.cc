#define SSD_PRUNE_VECTOR_MATH kVectorMathAvx512
#define SSD_PRUNE_LANES 8
#include "train/vector_math-inl.h"
