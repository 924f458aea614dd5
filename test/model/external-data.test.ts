import { copyFileSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, StringStringEntryProtoSchema } from '../../lib/model/onnx_pb';
import { decodeModel, readModel } from '../../lib/model/read';
import { tensorBytes, toFloat32 } from '../../lib/model/tensor';
import { failure, fixture, fixtureBytes, fixtureFolder } from './onnx-files';

/** A copy of the fixture whose tensor `w` says something else about where its data lies. */
function altered(entries: Record<string, string>): string {
  const folder = path.join(mkdtempSync(path.join(tmpdir(), 'ssd-prune-external-')), 'models');
  mkdirSync(folder);
  for (const file of ['external.bin', 'external.whole'])
    copyFileSync(path.join(fixtureFolder, file), path.join(folder, file));
  writeFileSync(path.join(folder, '..', 'secret.bin'), new Uint8Array(1000));
  const proto = fromBinary(ModelProtoSchema, fixtureBytes('external'));
  const tensor = proto.graph!.initializer.find((t) => t.name === 'w')!;
  const all = { location: 'external.bin', offset: '64', length: '48', ...entries };
  tensor.externalData = Object.entries(all).map(([key, value]) => create(StringStringEntryProtoSchema, { key, value }));
  const file = path.join(folder, 'model.onnx');
  writeFileSync(file, toBinary(ModelProtoSchema, proto));
  return file;
}

test('tensors of one file share its bytes', async () => {
  const model = await readModel(fixture('external'));
  const [w, b, a] = ['w', 'b', 'a'].map((name) => model.constant(name)!);
  expect(w!.rawData.buffer).toBe(b!.rawData.buffer);
  expect(Array.from(toFloat32(w!))).toEqual(Array.from({ length: 12 }, (_, i) => i - 3));
  expect(Array.from(toFloat32(a!))).toEqual([-3]);
  expect(w!.externalData).toEqual([]);
});

test('without its file name a model has no external data', async () => {
  const tensor = decodeModel(fixtureBytes('external')).constant('w')!;
  expect((await failure(() => tensorBytes(tensor))).code).toBe('ERR_BAD_MODEL');
});

test.each<[string, Record<string, string>]>([
  ['an absolute path', { location: '/etc/passwd' }],
  ['a path with a drive', { location: 'C:\\windows\\x' }],
  ['a way out', { location: '../secret.bin' }],
  ['a way out further in', { location: 'a/../../secret.bin' }],
  ['a way out with backslashes', { location: '..\\secret.bin' }],
  ['a NUL', { location: 'external.bin\0' }],
  ['a missing file', { location: 'none.bin' }],
  ['a folder', { location: '.' }],
  ['an offset beyond the file', { offset: '4096' }],
  ['a range beyond the file', { offset: '100' }],
  ['a negative offset', { offset: '-4' }],
  ['an offset that is no number', { offset: '0x40' }],
  ['an offset beyond all files', { offset: '99999999999999999999' }],
  ['a length that does not fit the shape', { length: '44' }],
])('%s is refused', async (_, entries) => {
  const error = await failure(async () => readModel(altered(entries)));
  expect(error.code).toBe('ERR_BAD_MODEL');
  expect(error.message).toContain('tensor "w"');
});

test('links lead about in the folder, not out of it', async () => {
  const inside = altered({ location: 'link.bin' });
  symlinkSync('external.bin', path.join(path.dirname(inside), 'link.bin'));
  expect(toFloat32((await readModel(inside)).constant('w')!)[0]).toBe(-3);
  const outside = altered({ location: 'link.bin' });
  symlinkSync('../secret.bin', path.join(path.dirname(outside), 'link.bin'));
  expect((await failure(() => readModel(outside))).code).toBe('ERR_BAD_MODEL');
});
