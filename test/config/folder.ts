import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A folder with what configurations name: empty models m.onnx, teacher.onnx and start.onnx, and a data folder voc. */
export class ConfigFolder {
  readonly path = mkdtempSync(path.join(tmpdir(), 'ssd-prune-config-'));

  constructor() {
    for (const name of ['m.onnx', 'teacher.onnx', 'start.onnx', 'detector.json', 'pictures.txt']) this.write(name, '');
    mkdirSync(this.at('voc'));
  }

  at(...names: string[]): string {
    return path.join(this.path, ...names);
  }

  /** @returns the file's path */
  write(name: string, text: string | Uint8Array): string {
    mkdirSync(path.dirname(this.at(name)), { recursive: true });
    writeFileSync(this.at(name), text);
    return this.at(name);
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** The demo's file, as PaddlePaddle/models published it. */
export const paddleYaml = `# Copyright (c) 2019 PaddlePaddle
version: 1.0
pruners:
    pruner_1:
        class: 'StructurePruner'
        pruning_axis:
            '*': 0
        criterions:
            '*': 'l1_norm'
strategies:
    uniform_pruning_strategy:
        class: 'UniformPruneStrategy'
        pruner: 'pruner_1'
        start_epoch: 0
        target_ratio: 0.20
        pruned_params: 'conv2d_[1-9].w_0|conv2d_1[0-2].w_0'
compressor:
    epoch: 200
    #init_model: './checkpoints/0'
    checkpoint_path: './checkpoints/'
    strategies:
        - uniform_pruning_strategy
`;

/** The least of our own sections. */
export const ownYaml = `model:
    file: m.onnx
data:
    folder: voc
output:
    model: out.onnx
`;
