import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { shared } from '../shared';

const root = path.resolve(__dirname, '..', '..');
const folder = path.join(root, 'test', 'graphs');

/** A graph with what is known of it, see test/graphs/README.md. */
export interface ZooGraph {
  readonly file: string;
  readonly path: string;
  readonly expect: string;
  readonly align: number;
  readonly inputs: readonly { name: string; shape: readonly number[]; type: string }[];
  readonly tied: readonly (readonly string[])[];
  readonly locked: readonly string[];
}

const records = JSON.parse(readFileSync(path.join(folder, 'zoo.json'), 'utf8')) as { graphs: ZooGraph[] };
export const zoo: readonly ZooGraph[] = records.graphs.map((graph) => ({
  ...graph,
  path: path.join(folder, graph.file),
}));

const other = (file: string): ZooGraph => ({
  file,
  path: path.join(shared, file),
  expect: 'cut25',
  align: 8,
  inputs: [{ name: 'image', shape: [1, 3, 300, 300], type: 'float32' }],
  tied: [],
  locked: [],
});

/** Graphs that lie in the shared folder, where it is there. */
export const sharedGraphs: readonly ZooGraph[] = [
  other('graphs/03_mobilenetv2_residual.onnx'),
  other('graphs/04_mnv1_bn_unfused.onnx'),
  other('graphs/05_mnv1_bn_folded.onnx'),
  other('graphs/09a_mnv1_dynamic_batch_legacy.onnx'),
  other('graphs/14_mnv1_tf_pad_relu6.onnx'),
  other('models/ssd-mobilenet-v1-0.75/model.onnx'),
  other('reference/paddle-1.8.5-target-0.2/before.onnx'),
];
/** `test`, or a visible skip where the shared folder isn't there. */
export const sharedTest = existsSync(path.join(shared, 'graphs')) ? test : test.skip;
