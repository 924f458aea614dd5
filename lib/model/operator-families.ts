const elementwise = new Set(
  (
    'Abs Acos Asin Atan BatchNormalization Bernoulli BitwiseNot Cast CastLike Ceil Celu Clip Cos Cosh CumSum ' +
    'DequantizeLinear Dropout Elu Erf Exp FastGelu Floor Gelu GroupNormalization HardSigmoid HardSwish Hardmax Identity ' +
    'InstanceNormalization IsInf IsNaN LRN LayerNormalization LeakyRelu Log LogSoftmax LpNormalization ' +
    'MeanVarianceNormalization Mish Neg Not QuantizeLinear Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh ' +
    'Softmax Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu Trilu'
  )
    .split(' ')
    .map((op) => op.trim()),
);
const broadcasting = new Set(
  (
    'Add And BitShift BitwiseAnd BitwiseOr Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or ' +
    'PRelu Pow Sub Sum Where Xor'
  ).split(' '),
);
const reductions = new Set(
  (
    'ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ' +
    'ReduceSumSquare'
  ).split(' '),
);

export const isElementwise = (op: string): boolean => elementwise.has(op);
export const isBroadcasting = (op: string): boolean => broadcasting.has(op);
export const isReduction = (op: string): boolean => reductions.has(op);
