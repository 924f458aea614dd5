import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, openSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { commands } from '../../lib/cli/commands';
import { command, events, failure, graph, main, messageOf, root, temporary } from './command';

const model = graph('residual-resnet-legacy-17');
const names = commands.map(({ command: usage }) => usage.split(' ')[0]!);

describe('help', () => {
  test.each([['--help'], ['-h'], ['help']])('%s shows every command', (option) => {
    const { status, stdout, stderr } = command([option]);
    expect([status, stderr]).toEqual([0, '']);
    for (const { command: usage, describe } of commands)
      expect(stdout).toContain(`  ${usage.padEnd(20)} ${describe}`.slice(0, usage.length + 2));
    expect(stdout).toContain('completion');
    expect(stdout).toContain('--json');
  });

  test.each(names)('%s --help shows options and an example', (name) => {
    const { status, stdout, stderr } = command([name, '--help']);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toContain('--json');
    expect(stdout).toMatch(new RegExp(`Examples:\\n(?:  # .*\\n)?  ssd-prune ${name}\\b`));
  });

  test('help COMMAND is COMMAND --help, with examples that can be copied', () => {
    const { stdout } = command(['help', 'prune']);
    expect(stdout).toBe(command(['prune', '--help']).stdout);
    expect(stdout.split('\n')).toContain(
      "  ssd-prune prune ssd.onnx -o small.onnx --pruned-params 'conv2d_[1-9].w_0' --target-ratio 0.5 --calibrate VOC2007",
    );
  });

  test('is English wherever it runs', () => {
    const { stderr } = command(['params', '--json'], { env: { ...process.env, LC_ALL: 'de_DE.UTF-8' } });
    expect(JSON.parse(stderr).error.message).toMatch(/^Missing: <model>/);
  });

  test('--version is that of the package', () => {
    const { version } = require(path.join(root, 'package.json'));
    for (const args of [['--version'], ['params', '--version']]) expect(command(args).stdout).toBe(`${version}\n`);
  });
});

describe('wrong usage exits 2 and says what was meant', () => {
  test.each<[string[], RegExp]>([
    [['prnue'], /^Unknown command: prnue\. Did you mean prune\?/],
    [['--json', 'evla', '-q'], /Did you mean eval\?/],
    [['frobnicate'], /^Unknown command: frobnicate\.\nSee/],
    [[], /^Say which command to run/],
    [['--jsn'], /Say which command to run/],
    [
      ['params', model, '--pruned-parms', 'x'],
      /^Unknown argument: --pruned-parms \(did you mean --pruned-params\?\)\nSee `ssd-prune params --help`/,
    ],
    [['prune', model, '--pruned-params', 'x', '--targetratio=0.2'], /--targetratio \(did you mean --target-ratio\?\)/],
    [['params', model, '--zzzzzzzz'], /^Unknown argument: --zzzzzzzz\n/],
    [['params', model, 'another.onnx'], /^Unknown argument: another\.onnx\n/],
    [['params'], /^Missing: <model>\n/],
    [['compare', 'a.json'], /^Missing: <b>\n/],
    [['detect', model], /^Missing: <pictures\.\.>\n/],
    [['prune', model], /^Missing required argument: pruned-params/],
  ])('%j', (args, message) => {
    const result = command([...args, '--json']);
    expect(failure(result)).toEqual({ status: 2, code: 'ERR_USAGE', stdout: '' });
    expect(messageOf(result)).toMatch(message);
    // For people: one line of what happened and one of where to look, no stack.
    const plain = command(args.filter((arg) => arg !== '--json'));
    expect(plain.stderr).toMatch(/^ssd-prune: .*\n?See `ssd-prune .*--help`\. \[ERR_USAGE\]\n$/);
  });

  test.each<[string[], string]>([
    [['params', model, '--pruned-params'], '--pruned-params needs a value.'],
    [['params', model, '--pruned-params', ''], '--pruned-params needs a value.'],
    [['bench', model, '--runs', '--warmup', '1'], '--runs needs a value.'],
    [['params', model, '--json=1'], '--json is on or off: --json or --no-json, not --json=1.'],
    [['bench', model, '--runs', 'abc'], 'Expected a number for --runs but received "abc" of type string'],
    [['bench', model, '--runs', '0'], 'Expected an integer of 1 or more for --runs but received 0 of type number'],
    [['-o', 'o.onnx', 'prune', model], 'The command comes before its options: ssd-prune prune …'],
    [['completion', 'fish'], 'Expected bash or zsh behind completion.'],
  ])('%j', (args, message) => {
    const result = command([...args, '--json']);
    const plain = command(args);
    expect([plain.status, plain.stdout]).toEqual([2, '']);
    expect(plain.stderr).toBe(`ssd-prune: ${message} [ERR_USAGE]\n`);
    expect(result.status).toBe(2);
  });

  test('an option of one value that is given twice is refused, several values add up', () => {
    for (const twice of [
      ['--runs', '3', '--runs', '1'],
      ['--runs=3', '--runs=3'],
      ['--batch-sizes', '1', '--batch-sizes', '8'],
    ]) {
      expect(messageOf(command(['bench', model, ...twice, '--json']))).toBe(
        `${twice[0]!.split('=')[0]} is given twice.`,
      );
    }
    const aliased = ['prune', model, '-o', 'a', '--output', 'b', '--pruned-params', 'x', '--json'];
    expect(messageOf(command(aliased))).toBe('--output is given twice.');
    const shapes = ['--input-shape', 'image=1,3,64,64', '--input-shape', 'other=1,3'];
    expect(messageOf(command(['bench', model, ...shapes, '--json', '--json']))).toContain('"other"');
    expect(command(['eval', model, '--data', 'none', '--top-k', '-1', '--keep-top-k', '-1']).stderr).not.toContain(
      'twice',
    );
  });
});

describe('completion', () => {
  const complete = (...words: string[]) =>
    command(['--get-yargs-completions', 'ssd-prune', ...words])
      .stdout.trim()
      .split('\n');

  test('prints a script for the shell that asks', () => {
    const script = (shell: string) => command(['completion'], { env: { ...process.env, SHELL: shell, ZSH_NAME: '' } });
    expect(script('/bin/bash').stdout).toMatch(/complete -o .* ssd-prune\n/);
    expect(script('/bin/zsh').stdout).toMatch(/compdef .*ssd-prune/);
    expect(script('/bin/bash')).toMatchObject({ status: 0, stderr: '' });
  });

  test('prints one for the shell that is named, and help about itself', () => {
    expect(command(['completion', 'zsh'])).toMatchObject({ status: 0, stdout: expect.stringMatching(/^#compdef/) });
    expect(command(['completion', 'bash'], { env: { ...process.env, SHELL: '/bin/zsh' } }).stdout).not.toMatch(
      /#compdef/,
    );
    expect(command(['completion', '--help']).stdout).toMatch(/^ssd-prune completion \[bash\|zsh\]\n/);
  });

  test('knows commands, and the options of each', () => {
    expect(complete('')).toEqual(expect.arrayContaining(names));
    expect(complete('bench', '--')).toEqual(expect.arrayContaining(['--batch-sizes', '--threads', '--json']));
    expect(complete('bench', '--')).not.toContain('--target-ratio');
    expect(complete('prune', 'ssd.onnx', '--al')).toEqual(expect.arrayContaining(['--align', '--allocation']));
  });
});

describe('how a process ends', () => {
  /** Loads a script before the command line, to break something. */
  const preload = (script: string): string[] => {
    const file = path.join(temporary(), 'preload.js');
    writeFileSync(file, script);
    return ['-r', file, main];
  };
  const start = (args: string[]) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (data) => (stdout += data));
    child.stderr.on('data', (data) => (stderr += data));
    const ended = once(child, 'close').then(([status, signal]) => ({ status, signal, stdout, stderr }));
    return { child, ended };
  };

  test('an error that nobody foresaw is ERR_INTERNAL, exit 1', async () => {
    const read = JSON.stringify(path.join(root, 'dist', 'lib', 'model', 'read.js'));
    const broken = preload(`require(${read}).readModel = () => { throw new TypeError('boom'); };`);
    const { status, stdout, stderr } = await start([...broken, 'params', model, '--json']).ended;
    expect([status, stdout]).toEqual([1, '']);
    expect(JSON.parse(stderr)).toEqual({ error: { code: 'ERR_INTERNAL', message: 'boom' } });
  });

  test('so is one that nothing caught', async () => {
    const read = JSON.stringify(path.join(root, 'dist', 'lib', 'model', 'read.js'));
    const broken = preload(
      `require(${read}).readModel = () => { setTimeout(() => { throw new Error('late'); }); return new Promise(() => {}); };`,
    );
    const { status, stdout, stderr } = await start([...broken, 'params', model, '--json']).ended;
    expect([status, stdout]).toEqual([1, '']);
    expect(JSON.parse(stderr)).toEqual({ error: { code: 'ERR_INTERNAL', message: 'late' } });
  });

  test('a reader that goes away is no error', async () => {
    for (const json of [[], ['--json']]) {
      const { child, ended } = start([main, 'params', model, ...json]);
      child.stdout.destroy();
      expect(await ended).toMatchObject({ status: 0, stderr: '' });
    }
  });

  test('notes that nobody reads do not end the work', async () => {
    const { child, ended } = start([main, 'bench', model, '--runs', '5', '--batch-sizes', '1', '--json']);
    child.stderr.destroy();
    const { status, stdout } = await ended;
    expect([status, JSON.parse(stdout).schema]).toEqual([0, 'ssd-prune.bench/1']);
  });

  (existsSync('/dev/full') ? test : test.skip)('a full disk behind stdout is ERR_IO, exit 1', () => {
    const result = command(['params', model, '--json'], { stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'] });
    expect([result.status, failure(result).code]).toEqual([1, 'ERR_IO']);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)(
    '%s during a run: exit 130, one error, nothing on stdout',
    async (signal) => {
      const { child, ended } = start([main, 'bench', model, '--runs', '1000000', '--json']);
      await once(child.stderr, 'data');
      child.kill(signal);
      const { status, stdout, stderr } = await ended;
      expect([status, stdout]).toEqual([130, '']);
      expect(events({ stderr }).at(-1)).toEqual({
        error: { code: 'ERR_ABORTED', message: `Interrupted (${signal}).` },
      });
    },
  );

  test('interrupted while it writes, it leaves no file behind', async () => {
    const folder = temporary();
    // A disk on which nothing is ever finished.
    const slow = preload(`
      const fs = require('node:fs/promises');
      const { open } = fs;
      fs.open = async (...args) => {
        const handle = await open(...args);
        if (args[1] === 'wx') handle.sync = () => new Promise((resolve) => setTimeout(resolve, 60000));
        return handle;
      };`);
    const { child, ended } = start([...slow, 'init', path.join(folder, 'ssd.onnx'), '--width', '0.1']);
    for (let i = 0; i < 200 && readdirSync(folder).length === 0; i++) await sleep(50);
    expect(readdirSync(folder)).toEqual([expect.stringMatching(/^\.ssd\.onnx\..*\.tmp$/)]);
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ status: 130, stdout: '' });
    expect(readdirSync(folder)).toEqual([]);
  });
});

test('the built command is a program of its own, as npx runs it', () => {
  const { status, stdout } = spawnSync(main, ['--version'], { encoding: 'utf8' });
  expect([status, stdout]).toEqual([0, `${require('../../package.json').version}\n`]);
});
