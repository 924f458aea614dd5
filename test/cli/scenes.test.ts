import path from 'node:path';
import { command, failure, temporary } from './command';

test('writes a split, and says what is on its pictures', () => {
  const folder = path.join(temporary(), 'shapes');
  const first = command(['scenes', folder, '--count', '3', '--seed', '4', '--json']);
  expect(first.status).toBe(0);
  expect(JSON.parse(first.stdout)).toEqual({
    schema: 'ssd-prune.scenes/1',
    folder,
    split: 'train',
    count: 3,
    seed: 4,
    classes: ['circle', 'square', 'triangle', 'star', 'cross', 'ring', 'heart', 'moon'],
  });
  expect(failure(command(['scenes', folder, '--json']))).toEqual({ status: 2, code: 'ERR_OUTPUT_EXISTS', stdout: '' });
  expect(command(['scenes', folder, '--split', 'val', '--count', '1']).stdout).toContain('1 scenes in the split val');
});

test.each([
  ['a count that is no number', ['--count', 'many']],
  ['no scenes', ['--count', '0']],
  ['a split outside the folder', ['--split', '../val']],
])('refuses %s', (_, args) => {
  const folder = path.join(temporary(), 'shapes');
  expect(failure(command(['scenes', folder, ...args, '--json']))).toEqual({ status: 2, code: 'ERR_USAGE', stdout: '' });
});
