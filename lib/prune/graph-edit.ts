import type { NodeProto } from '../model/onnx_pb';
import type { SliceArguments } from '../model/operator-arguments';
import type { Label } from './channel-atoms';

/** What must change in a node, beside its weights, when channels go. Sizes are counted from labels after the cut. */
export type GraphEdit =
  | {
      /** `group` of a depthwise convolution becomes the number of channels left in its input. */
      readonly kind: 'group';
      readonly node: NodeProto;
      readonly label: Label;
    }
  | {
      /** A shape written as constant (Reshape, Expand, Resize by sizes): these entries become the new widths. */
      readonly kind: 'shape';
      readonly node: NodeProto;
      readonly input: number;
      /** The shape with entries known only at run time replaced by 0 (copy) or −1 (what is left). */
      readonly values: readonly number[];
      readonly entries: readonly { readonly index: number; readonly label: Label }[];
    }
  | {
      /** Sizes of a Split's outputs. */
      readonly kind: 'split';
      readonly node: NodeProto;
      readonly labels: readonly Label[];
    }
  | {
      /** Bounds of a Slice: along `axis` they count the places of `label`, the axis before the slice. */
      readonly kind: 'slice';
      readonly node: NodeProto;
      readonly given: SliceArguments;
      readonly axes: readonly {
        readonly axis: number;
        readonly label: Label;
        readonly start: number;
        readonly end: number;
      }[];
    };
