import { cpSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Place, root } from './packed';

/** binding.gyp really compiles and loads, with the node-gyp that comes with npm and without its download of headers. */
jest.setTimeout(600_000);

const place = new Place();
afterAll(() => rmSync(place.folder, { recursive: true, force: true }));

/** A folder such as Node's headers lie in, from the package node-api-headers, with the least that gyp asks for. */
function writeNodeDir(folder: string): void {
  const include = path.join(folder, 'include', 'node');
  mkdirSync(include, { recursive: true });
  const headers = (require('node-api-headers') as { include_dir: string }).include_dir;
  for (const file of readdirSync(headers)) cpSync(path.join(headers, file), path.join(include, file));
  const flags = { cflags: ['-fPIC', '-O1', '-pthread', '-Werror'], ldflags: ['-pthread'] };
  const target_defaults = { default_configuration: 'Release', configurations: { Release: {} }, ...flags };
  writeFileSync(path.join(include, 'common.gypi'), JSON.stringify({ target_defaults }));
}

test('node-gyp compiles an addon with the same exports, without warnings', () => {
  const source = place.at('source');
  for (const name of ['binding.gyp', 'package.json', 'native', path.join('scripts', 'sources.js')]) {
    cpSync(path.join(root, name), path.join(source, name), { recursive: true });
  }
  symlinkSync(path.join(root, 'node_modules'), path.join(source, 'node_modules'));
  writeNodeDir(place.at('node'));
  const globalModules = place.must('.', 'npm', ['root', '--global']).trim();
  const gyp = path.join(globalModules, 'npm', 'node_modules', 'node-gyp', 'bin', 'node-gyp.js');
  place.must('source', process.execPath, [gyp, 'rebuild', `--nodedir=${place.at('node')}`]);
  const list = 'console.log(Object.keys(require(process.argv[1])).join())';
  const exportsOf = (folder: string) =>
    place.must('.', process.execPath, ['-e', list, path.join(folder, 'build', 'Release', 'ssd_prune.node')]);
  expect(exportsOf(source)).toBe(exportsOf(root));
});
