import { SsdPruneError } from '../errors';
import { openDim, type PictureSize } from './input-shapes';
import { foldInts } from './int-folding';
import { TensorProto_DataType, type TypeProto } from './onnx_pb';
import { isOnnxDomain, type OnnxModel } from './onnx-model';
import { outputShapes } from './output-shapes';
import { tensorDims, toFloat32, toInts } from './tensor';
import type { TensorInfo } from './tensor-info';

export interface InferOptions {
  /** Shapes of graph inputs by name, where the model leaves them open. */
  inputShapes?: ReadonlyMap<string, readonly number[]>;
  /** Height and width where the model leaves them open and nothing else says. Defaults to 300 × 300. */
  openSize?: PictureSize;
}

/**
 * Shapes of every tensor in the main graph, for a batch of one, and the values of integer tensors that shapes are
 * computed from. Operators that are not known leave the shape that the file's `value_info` gives, or none.
 */
export function inferShapes(model: OnnxModel, options: InferOptions = {}): Map<string, TensorInfo> {
  const infos = new Map<string, TensorInfo>();
  for (const value of model.graph.valueInfo) {
    if (model.constant(value.name)) continue;
    const shape = declaredShape(value.type, options);
    if (shape) infos.set(value.name, { shape });
  }
  for (const input of model.graph.input) {
    if (model.constant(input.name)) continue;
    const shape = options.inputShapes?.get(input.name) ?? declaredShape(input.type, options);
    infos.set(input.name, { shape });
  }
  const infoOf = (name: string): TensorInfo => {
    let info = infos.get(name);
    const tensor = info ? undefined : model.constant(name);
    if (tensor) {
      const shape = tensorDims(tensor);
      const size = shape.reduce((a, b) => a * b, 1);
      const whole = tensor.dataType === TensorProto_DataType.INT64 || tensor.dataType === TensorProto_DataType.INT32;
      const small = size <= 1024 && (whole || (tensor.dataType === TensorProto_DataType.FLOAT && size <= 8));
      const data = () => (whole ? toInts(tensor) : Array.from(toFloat32(tensor)));
      info = { shape, ints: small ? { data: data(), dynamic: new Array(size).fill(false), real: !whole } : undefined };
      infos.set(name, info);
    }
    return info ?? {};
  };
  for (const node of model.graph.node) {
    const inputs = node.input.map((name) => (name === '' ? {} : infoOf(name)));
    if (node.opType === 'Constant') {
      for (const name of node.output) infoOf(name);
      continue;
    }
    if (!isOnnxDomain(node)) continue;
    const shapes = outputShapes(node, inputs);
    const ints = foldInts(node, inputs, shapes[0]);
    node.output.forEach((name, i) => {
      if (name === '') return;
      const shape = shapes[i];
      if (shape?.some((dim) => !Number.isSafeInteger(dim) || dim < 0)) {
        throw new SsdPruneError(
          'ERR_BAD_MODEL',
          `${model.file ?? 'model'}: ${model.where(node)}: its output ${JSON.stringify(name)} would have shape [${shape}]; the shapes of the inputs don't fit the operator`,
        );
      }
      if (shape) infos.set(name, { shape, ints: i === 0 ? ints : undefined });
    });
  }
  return infos;
}

/** SSD300's. */
const usualSize: PictureSize = { height: 300, width: 300 };

/** Dimensions written in the file; an open one is 1 in the first place and `openSize` for height and width. */
function declaredShape(type: TypeProto | undefined, options: InferOptions): number[] | undefined {
  if (type?.value.case !== 'tensorType') return undefined;
  const dims = type.value.value.shape?.dim;
  return dims?.map((dim, axis) => {
    const value = dim.value.case === 'dimValue' ? Number(dim.value.value) : -1;
    if (value >= 0) return value;
    return axis >= 2 ? openDim(options.openSize ?? usualSize, axis) : 1;
  });
}
