import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { temporary } from '../data/folders';
import { main } from './command';

/** The built-in network, narrow and untrained: quick, and it finds something of every class everywhere. */
export function detectorModel(): string {
  const file = path.join(temporary(), 'model.onnx');
  const { status, stderr } = spawnSync(process.execPath, [main, 'init', file, '--width', '0.25'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return file;
}
