import { getInt, getInts, getString } from './attributes';
import type { NodeProto } from './onnx_pb';

interface Window {
  kernel: readonly number[];
  strides: number[];
  dilations: number[];
  pads: number[];
}

function windowOf(node: NodeProto, kernel: readonly number[]): Window {
  const n = kernel.length;
  return {
    kernel,
    strides: getInts(node, 'strides', new Array(n).fill(1)),
    dilations: getInts(node, 'dilations', new Array(n).fill(1)),
    pads: getInts(node, 'pads', new Array(2 * n).fill(0)),
  };
}

/** Places along one spatial axis that a sliding window takes, by ONNX's rules for Conv and pooling. */
function slide(size: number, i: number, window: Window, autoPad: string, ceil: boolean): number {
  const { kernel, strides, dilations, pads } = window;
  const stride = strides[i]!;
  if (autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER') return Math.ceil(size / stride);
  const extent = (kernel[i]! - 1) * dilations[i]! + 1;
  const padded = autoPad === 'VALID' ? size : size + pads[i]! + pads[i + kernel.length]!;
  const places = (padded - extent) / stride;
  if (!ceil) return Math.floor(places) + 1;
  const count = Math.ceil(places) + 1;
  // The last window must start inside the picture or its left padding.
  return (count - 1) * stride >= size + (autoPad === 'VALID' ? 0 : pads[i]!) ? count - 1 : count;
}

export function convShape(node: NodeProto, x: readonly number[], w: readonly number[]): number[] {
  const window = windowOf(node, w.slice(2));
  const autoPad = getString(node, 'auto_pad', 'NOTSET');
  return [x[0]!, w[0]!, ...x.slice(2).map((size, i) => slide(size, i, window, autoPad, false))];
}

export function poolShape(node: NodeProto, x: readonly number[]): number[] {
  const window = windowOf(node, getInts(node, 'kernel_shape', []));
  const autoPad = getString(node, 'auto_pad', 'NOTSET');
  const ceil = getInt(node, 'ceil_mode', 0) === 1;
  return [x[0]!, x[1]!, ...x.slice(2).map((size, i) => slide(size, i, window, autoPad, ceil))];
}

export function convTransposeShape(node: NodeProto, x: readonly number[], w: readonly number[]): number[] {
  const { kernel, strides, dilations, pads } = windowOf(node, w.slice(2));
  const given = getInts(node, 'output_shape', []);
  const extra = getInts(node, 'output_padding', new Array(kernel.length).fill(0));
  const autoPad = getString(node, 'auto_pad', 'NOTSET');
  const spatial = x.slice(2).map((size, i) => {
    if (given.length > 0) return given[given.length - kernel.length + i]!;
    if (autoPad.startsWith('SAME')) return size * strides[i]!;
    const extent = (kernel[i]! - 1) * dilations[i]! + 1;
    return strides[i]! * (size - 1) + extra[i]! + extent - pads[i]! - pads[i + kernel.length]!;
  });
  return [x[0]!, w[1]! * getInt(node, 'group', 1), ...spatial];
}
