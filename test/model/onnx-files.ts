import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { SsdPruneError } from '../../lib/errors';

/** The files that scripts/make-onnx-fixtures.py writes. */
export const fixtureFolder = path.resolve(__dirname, '..', 'data', 'onnx');

export const fixture = (name: string): string => path.join(fixtureFolder, `${name}.onnx`);

export const fixtureBytes = (name: string): Uint8Array => new Uint8Array(readFileSync(fixture(name)));

/** Names of the sound fixtures, or of those that must be refused. */
export function fixtureNames(kind: 'good' | 'bad'): string[] {
  const names = readdirSync(fixtureFolder).filter((file) => file.endsWith('.onnx'));
  return names.filter((file) => file.startsWith('bad-') === (kind === 'bad')).map((file) => file.slice(0, -5));
}

/** What Python's onnx package read in each fixture. */
export const expected = JSON.parse(readFileSync(path.join(fixtureFolder, 'expected.json'), 'utf8')) as Record<
  string,
  { opset: number; values: Record<string, number[]> }
>;

/** The error that a call throws or rejects with; fails where it does neither. */
export async function failure(call: () => unknown): Promise<SsdPruneError> {
  try {
    await call();
  } catch (error) {
    return error as SsdPruneError;
  }
  throw new Error('It was expected to fail, but did not');
}
