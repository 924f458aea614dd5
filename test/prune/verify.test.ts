import path from 'node:path';
import type { OnnxModel } from '../../lib/model/onnx-model';
import type { CutResult } from '../../lib/prune/cut';
import type { Pruner } from '../../lib/prune/prune';

const { readModel } = require('../../dist/lib/model/read') as typeof import('../../lib/model/read');
const { setTensorBytes, tensorBytes, tensorDims } =
  require('../../dist/lib/model/tensor') as typeof import('../../lib/model/tensor');
const { openPruner } = require('../../dist/lib/prune/prune-model') as typeof import('../../lib/prune/prune-model');
const { verifyCut } = require('../../dist/lib/prune/verify') as typeof import('../../lib/prune/verify');

async function quarter(name: string, change?: (model: OnnxModel) => void): Promise<{ pruner: Pruner; cut: CutResult }> {
  const model = await readModel(path.join(__dirname, '..', 'graphs', `${name}.onnx`));
  change?.(model);
  const pruner = openPruner(model);
  return {
    pruner,
    cut: pruner.cut(pruner.plan({ prunedParams: '.*', skipLocked: true, targetRatio: 0.25, align: 1 })),
  };
}

/** Writes other bytes into a tensor of a model, which may share its own with another model. */
function overwrite(model: OnnxModel, name: string, change: (bytes: Uint8Array, row: number) => void): void {
  const tensor = model.constant(name)!;
  const bytes = Uint8Array.from(tensorBytes(tensor));
  change(bytes, bytes.length / tensorDims(tensor)[0]!);
  setTensorBytes(tensor, tensorDims(tensor), bytes);
  model.invalidate();
}

/** Two filters exchanged: what keeping the wrong channel looks like. */
const exchangeRows = (bytes: Uint8Array, row: number): void => {
  const first = bytes.slice(0, row);
  bytes.copyWithin(0, row, 2 * row);
  bytes.set(first, row);
};

// Float, half, quantised in both forms, and outputs of 1e-5: a wrong channel must show in each.
test.each([
  ['residual-resnet-legacy-17', 'float32'],
  ['fp16-all-legacy-13', 'float16'],
  ['quant-qdq-per-channel-13', 'QDQ'],
  ['quant-qoperator-per-channel-13', 'QOperator'],
  ['quant-dynamic-per-tensor-13', 'dynamic'],
  ['small-outputs-13', 'tiny outputs'],
])('%s (%s): a right cut is proved, a filter in the wrong place is found', async (name) => {
  const { pruner, cut } = await quarter(name);
  await expect(verifyCut(pruner.graph, cut)).resolves.toMatchObject({ images: 3, vacuous: false });
  const layer = cut.tensors.find(({ shapeAfter, kept }) => shapeAfter.length === 4 && kept[0] && shapeAfter[0]! > 1)!;
  overwrite(cut.model, layer.name, exchangeRows);
  const error = await verifyCut(pruner.graph, cut).catch((thrown: Error) => thrown);
  expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_VERIFY_(FAILED|VACUOUS)$/) });
});

test('a wrong cut of an ordinary model is called wrong, by the tensor that differs', async () => {
  const { pruner, cut } = await quarter('residual-resnet-legacy-17');
  const reader = cut.tensors.find(({ kept }) => kept[1])!;
  overwrite(cut.model, reader.name, exchangeRows);
  await expect(verifyCut(pruner.graph, cut)).rejects.toMatchObject({
    code: 'ERR_VERIFY_FAILED',
    message: expect.stringMatching(/The cut is wrong: ".+" differs from the masked original by .+ on noise picture 0/),
  });
});

test('a bias that was left out is found', async () => {
  const { pruner, cut } = await quarter('residual-resnet-legacy-17');
  const bias = cut.tensors.find(({ shapeAfter }) => shapeAfter.length === 1)!;
  overwrite(cut.model, bias.name, (bytes) => bytes.fill(0));
  await expect(verifyCut(pruner.graph, cut)).rejects.toMatchObject({ code: 'ERR_VERIFY_FAILED' });
});

test('where the removed channels are dead, equality says nothing', async () => {
  // Every channel after the first four of a layer that stands alone does nothing.
  const dead = 'onnx::Conv_133';
  const model = await readModel(path.join(__dirname, '..', 'graphs', 'residual-resnet-legacy-17.onnx'));
  const bias = model.graph.node.find((node) => node.input[1] === dead)!.input[2]!;
  for (const name of [dead, bias]) overwrite(model, name, (bytes, row) => bytes.fill(0, 4 * row));
  const pruner = openPruner(model);
  const cut = pruner.cut(pruner.plan({ prunedParams: dead, ratios: new Map([[dead, 1 / 3]]), align: 1 }));
  expect(cut.tensors.find(({ name }) => name === dead)!.shapeAfter[0]).toBe(4);
  await expect(verifyCut(pruner.graph, cut)).rejects.toMatchObject({ code: 'ERR_VERIFY_VACUOUS' });
});
